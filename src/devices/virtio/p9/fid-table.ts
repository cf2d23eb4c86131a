/**
 * The fids of a session: numbers by which its client names files (Plan 9's manual, section 5, intro). Finding and opening
 * take time, so a fid is in the table before it names something; what is found for one that is gone by then is released.
 */

import { ERRNO } from "../../../share/index.ts";
import type { FolderNode, OpenFile } from "../../../share/index.ts";
import type { FolderListing } from "./folder-listing.ts";
import { RequestFault } from "./messages.ts";

/** Fids of one session. */
export const FIDS_MAX = 4096;

export type Opened =
  | { readonly kind: "file"; readonly file: OpenFile }
  | { readonly kind: "folder"; readonly listing: FolderListing };

export class Fid {
  #node: FolderNode | undefined;
  #opened: Opened | undefined;
  #isOpening = false;
  #isGone = false;

  get isFound(): boolean {
    return this.#node !== undefined;
  }

  get node(): FolderNode {
    if (this.#node === undefined) throw new RequestFault(ERRNO.EBADF);
    return this.#node;
  }

  get opened(): Opened | undefined {
    return this.#opened;
  }

  /** Takes over a node, in the place of the one before; throws, and releases it, if the fid is gone meanwhile. */
  becomes(node: FolderNode): void {
    if (this.#isGone) {
      node.release();
      throw new RequestFault(ERRNO.EBADF);
    }
    this.#node?.release();
    this.#node = node;
  }

  /** Opens what `open` gives; a fid is opened once. */
  async open(open: () => Promise<Opened>): Promise<void> {
    if (this.#opened !== undefined || this.#isOpening) throw new RequestFault(ERRNO.EINVAL);
    this.#isOpening = true;
    try {
      this.isNowOpen(await open());
    } finally {
      this.#isOpening = false;
    }
  }

  isNowOpen(opened: Opened): void {
    if (this.#isGone) {
      releaseOpened(opened);
      throw new RequestFault(ERRNO.EBADF);
    }
    this.#opened = opened;
  }

  discard(): void {
    this.#isGone = true;
    if (this.#opened !== undefined) releaseOpened(this.#opened);
    this.#node?.release();
    this.#opened = undefined;
    this.#node = undefined;
  }
}

function releaseOpened(opened: Opened): void {
  if (opened.kind === "file") opened.file.release();
  else opened.listing.release();
}

export class FidTable {
  readonly #fids = new Map<number, Fid>();

  get size(): number {
    return this.#fids.size;
  }

  /** The fid, which names something. */
  get(number: number): Fid {
    const fid = this.#fids.get(number);
    if (fid?.isFound !== true) throw new RequestFault(ERRNO.EBADF);
    return fid;
  }

  /** A new fid, in the table only as long as `find` does not fail. */
  async add(number: number, find: (fid: Fid) => Promise<void>): Promise<void> {
    if (this.#fids.has(number)) throw new RequestFault(ERRNO.EBADF);
    if (this.#fids.size >= FIDS_MAX) throw new RequestFault(ERRNO.ENFILE);
    const fid = new Fid();
    this.#fids.set(number, fid);
    try {
      await find(fid);
    } finally {
      if (!fid.isFound && this.#fids.get(number) === fid) this.#fids.delete(number);
    }
  }

  remove(number: number): void {
    const fid = this.get(number);
    this.#fids.delete(number);
    fid.discard();
  }

  clear(): void {
    for (const fid of this.#fids.values()) fid.discard();
    this.#fids.clear();
  }
}
