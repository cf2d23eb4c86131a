/**
 * The files of a shared folder that a guest knows: each is held by a descriptor that only names it (O_PATH), so that it stays
 * the same one whatever is renamed around it. Together with what is open for its bytes they end with the folder, when
 * nothing of it is under way.
 */

import { constants } from "node:fs";
import { readlink } from "node:fs/promises";
import type { BigIntStats } from "node:fs";
import { ERRNO } from "../../../share/index.ts";
import type { NodeKind, ShareResult } from "../../../share/index.ts";
import { Counted } from "./counted.ts";
import {
  answered,
  closeDescriptor,
  entryPath,
  NAME_ONLY,
  openDescriptor,
  pathOf,
  Refusal,
  statOf,
} from "./descriptors.ts";

/** Devices are told apart in the upper bits of identities, which inode numbers leave free. */
const DEVICE_SHIFT = 56n;
const DEVICES_MAX = 255;
const NOTHING = new Uint8Array(0);

export interface FileId {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** One file, for all who hold it. */
export interface Place extends FileId {
  readonly fd: number;
  readonly held: Counted;
  readonly kind: NodeKind;
  readonly linkTarget: Uint8Array;
  /** Where it was found, as far as the guest's own renames changed that. */
  parent: Place | undefined;
  name: Uint8Array;
}

export const isSameFile = (a: FileId, b: FileId): boolean => a.dev === b.dev && a.ino === b.ino;

export class Places {
  readonly isReadOnly: boolean;
  readonly #placesMax: number;
  readonly #places = new Set<Place>();
  readonly #opened = new Set<Counted>();
  readonly #devices = new Map<bigint, bigint>();
  #pendingCount = 0;
  #whenIdle: (() => void) | undefined;

  constructor(isReadOnly: boolean, placesMax: number) {
    this.isReadOnly = isReadOnly;
    this.#placesMax = placesMax;
  }

  /** Carries out a request while nobody can close what it uses. */
  async request<T>(uses: Counted, attempt: () => Promise<T>): Promise<ShareResult<T>> {
    if (uses.isClosed) return { ok: false, errno: ERRNO.EBADF };
    uses.retain();
    this.#pendingCount++;
    try {
      return await answered(attempt);
    } finally {
      uses.drop();
      if (--this.#pendingCount === 0) this.#whenIdle?.();
    }
  }

  /** What is to be closed with the folder at the latest. */
  hold(close: () => void): Counted {
    const held = new Counted(() => {
      this.#opened.delete(held);
      close();
    });
    this.#opened.add(held);
    return held;
  }

  /** Takes over a descriptor of the shared folder itself. */
  add(fd: number, found: BigIntStats): Place {
    return this.#add(fd, found, NOTHING, undefined, NOTHING);
  }

  /** What has a name in a folder; a symbolic link is not followed. */
  async find(folder: Place, name: Uint8Array): Promise<Place> {
    const path = entryPath(folder.fd, name);
    const fd = await openDescriptor(path, NAME_ONLY);
    return await this.#adopt(fd, folder, name, () => readlink(path, { encoding: "buffer" }));
  }

  /** What a descriptor of a file is open on. */
  async nameOf(fd: number, folder: Place, name: Uint8Array): Promise<Place> {
    const named = await openDescriptor(pathOf(fd), NAME_ONLY & ~constants.O_NOFOLLOW);
    return await this.#adopt(named, folder, name, () => Promise.resolve(NOTHING));
  }

  /** One of the guest's renames has moved what had a name. */
  moved(from: Place, oldName: Uint8Array, to: Place, newName: Uint8Array): void {
    for (const place of this.#places) {
      const { parent } = place;
      if (parent === undefined || !isSameFile(parent, from)) continue;
      if (Buffer.compare(place.name, oldName) !== 0) continue;
      to.held.retain();
      place.parent = to;
      place.name = newName.slice();
      parent.held.drop();
    }
  }

  /** One number for device and inode. */
  idOf({ dev, ino }: FileId): bigint {
    const index = this.#devices.get(dev) ?? BigInt(Math.min(this.#devices.size, DEVICES_MAX));
    if (this.#devices.size < DEVICES_MAX) this.#devices.set(dev, index);
    return BigInt.asUintN(64, ino ^ (index << DEVICE_SHIFT));
  }

  async close(): Promise<void> {
    if (this.#pendingCount > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    for (const held of this.#opened) held.closeNow();
    for (const { held } of this.#places) held.closeNow();
  }

  async #adopt(
    fd: number,
    folder: Place,
    name: Uint8Array,
    readTarget: () => Promise<Uint8Array>,
  ): Promise<Place> {
    try {
      if (this.#places.size >= this.#placesMax) throw new Refusal(ERRNO.ENFILE);
      const found = await statOf(fd);
      const linkTarget = found.isSymbolicLink() ? await readTarget() : NOTHING;
      return this.#add(fd, found, linkTarget, folder, name.slice());
    } catch (thrown) {
      closeDescriptor(fd);
      throw thrown;
    }
  }

  #add(
    fd: number,
    found: BigIntStats,
    linkTarget: Uint8Array,
    parent: Place | undefined,
    name: Uint8Array,
  ): Place {
    const held = new Counted(() => {
      this.#places.delete(place);
      closeDescriptor(fd);
      place.parent?.held.drop();
    });
    const { dev, ino } = found;
    const place: Place = { fd, held, kind: kindOf(found), dev, ino, linkTarget, parent, name };
    parent?.held.retain();
    this.#places.add(place);
    return place;
  }
}

function kindOf(found: BigIntStats): NodeKind {
  if (found.isFile()) return "file";
  if (found.isDirectory()) return "folder";
  return found.isSymbolicLink() ? "link" : "other";
}
