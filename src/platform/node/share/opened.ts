/** What is open for its bytes, or for its entries. */

import { constants } from "node:fs";
import { lstat } from "node:fs/promises";
import type { Dir } from "node:fs";
import { ERRNO } from "../../../share/index.ts";
import type { FileAccess, FolderEntry, OpenFile, OpenFolder, ShareResult } from "../../../share/index.ts";
import type { Counted } from "./counted.ts";
import {
  answered,
  closeDescriptor,
  entryPath,
  openDescriptor,
  pathOf,
  readFully,
  syncDescriptor,
  writeFully,
} from "./descriptors.ts";
import type { Place, Places } from "./places.ts";

export function openFlags({ reads, writes, appends, truncates, isSynchronous }: FileAccess): number {
  const access = writes ? (reads ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  return (
    access |
    constants.O_NOCTTY |
    (appends ? constants.O_APPEND : 0) |
    (truncates ? constants.O_TRUNC : 0) |
    (isSynchronous ? constants.O_SYNC : 0)
  );
}

export class HostFile implements OpenFile {
  readonly #places: Places;
  readonly #fd: number;
  readonly #held: Counted;
  #isReleased = false;

  /** Takes over the descriptor. */
  constructor(places: Places, fd: number) {
    this.#places = places;
    this.#fd = fd;
    this.#held = places.hold(() => closeDescriptor(fd));
  }

  read(position: number, target: Uint8Array): Promise<ShareResult<number>> {
    return this.#places.request(this.#held, () => readFully(this.#fd, position, target));
  }

  write(position: number, source: Uint8Array): Promise<ShareResult<number>> {
    return this.#places.request(this.#held, () => writeFully(this.#fd, position, source));
  }

  sync(isDataOnly: boolean): Promise<ShareResult<void>> {
    return this.#places.request(this.#held, () => syncDescriptor(this.#fd, isDataOnly));
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#held.drop();
  }
}

export class HostEntries implements OpenFolder {
  readonly #places: Places;
  readonly #place: Place;
  readonly #dir: Dir;
  readonly #held: Counted;
  #isReleased = false;

  /** Takes over the stream; its names are read as Latin-1, so that they are their bytes. */
  constructor(places: Places, place: Place, dir: Dir) {
    this.#places = places;
    this.#place = place;
    this.#dir = dir;
    place.held.retain();
    this.#held = places.hold(() => {
      // It can only fail for want of a descriptor to close.
      dir.close().catch(() => undefined);
      place.held.drop();
    });
  }

  read(maxCount: number): Promise<ShareResult<readonly FolderEntry[]>> {
    return this.#places.request(this.#held, async () => {
      for (;;) {
        const names = await this.#names(maxCount);
        const entries = await Promise.all(names.map((name) => this.#entry(name)));
        const there = entries.filter((entry) => entry !== undefined);
        // Those of a whole batch may have gone meanwhile; the end is where there are no names.
        if (there.length > 0 || names.length === 0) return there;
      }
    });
  }

  sync(): Promise<ShareResult<void>> {
    return this.#places.request(this.#held, async () => {
      const fd = await openDescriptor(pathOf(this.#place.fd), constants.O_RDONLY | constants.O_DIRECTORY);
      try {
        await syncDescriptor(fd, false);
      } finally {
        closeDescriptor(fd);
      }
    });
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#held.drop();
  }

  async #names(maxCount: number): Promise<Uint8Array[]> {
    const names: Uint8Array[] = [];
    while (names.length < maxCount) {
      const entry = await this.#dir.read();
      if (entry === null) break;
      names.push(Buffer.from(entry.name, "latin1"));
    }
    return names;
  }

  async #entry(name: Uint8Array): Promise<FolderEntry | undefined> {
    const path = entryPath(this.#place.fd, name);
    const found = await answered(() => lstat(path, { bigint: true }));
    if (!found.ok && found.errno === ERRNO.ENOENT) return undefined;
    // What may be listed and not be looked at still has its name.
    if (!found.ok) return { name, id: 0n, mode: 0, modifiedNs: 0n, sizeBytes: 0n };
    const { mode, mtimeNs: modifiedNs, size: sizeBytes } = found.value;
    return { name, id: this.#places.idOf(found.value), mode: Number(mode), modifiedNs, sizeBytes };
  }
}
