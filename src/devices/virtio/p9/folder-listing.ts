/**
 * What an open folder's fid gives to Treaddir: entries one after the other, "." and ".." first. The offset of a request is
 * that of the last entry the client has; one that is not where the last reply ended makes the folder be read from its start.
 * Memory holds a batch of entries, however many there are.
 */

import { ERRNO } from "../../../share/index.ts";
import type { FolderNode, OpenFolder } from "../../../share/index.ts";
import { entryType, granted, QID_BYTES, RequestFault } from "./messages.ts";
import type { QidSource, ReplyWriter } from "./messages.ts";

/** Entries that the host is asked for at one time. */
const BATCH_ENTRIES = 64;
/** Of an entry besides its name. */
const ENTRY_FIXED_BYTES = QID_BYTES + 8 + 1 + 2;
const DOT = 0x2e;

interface ListedEntry extends QidSource {
  readonly name: Uint8Array;
}

export class FolderListing {
  readonly #folder: FolderNode;
  #stream: OpenFolder;
  /** Entries that were read and not given, the first of them with the number #next. */
  #waiting: ListedEntry[] = [];
  #next = 0;
  #hasDots = false;
  #isReleased = false;
  /** Requests for one folder are served in their order. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(folder: FolderNode, stream: OpenFolder) {
    this.#folder = folder.share();
    this.#stream = stream;
  }

  /** Writes entries from the one with number `offset` on, as many as fit. */
  async read(offset: number, reply: ReplyWriter, maxBytes: number): Promise<void> {
    const turn = this.#last.then(() => this.#read(offset, reply, maxBytes));
    this.#last = turn.catch(() => undefined);
    await turn;
  }

  async sync(): Promise<void> {
    granted(await this.#stream.sync());
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#stream.release();
    this.#folder.release();
  }

  async #read(offset: number, reply: ReplyWriter, maxBytes: number): Promise<void> {
    if (offset < this.#next) await this.#rewind();
    while (this.#next < offset) {
      if ((await this.#peek()) === undefined) break;
      this.#drop();
    }
    let left = Math.min(maxBytes, reply.room);
    let isFirst = true;
    for (;;) {
      const entry = await this.#peek();
      if (entry === undefined) return;
      left -= ENTRY_FIXED_BYTES + entry.name.length;
      if (left < 0 && isFirst) throw new RequestFault(ERRNO.EINVAL);
      if (left < 0) return;
      isFirst = false;
      this.#drop();
      reply.qid(entry);
      reply.u64(BigInt(this.#next));
      reply.u8(entryType(entry.mode));
      reply.text(entry.name);
    }
  }

  async #peek(): Promise<ListedEntry | undefined> {
    if (this.#waiting.length === 0) this.#waiting = await this.#batch();
    return this.#waiting[0];
  }

  #drop(): void {
    this.#waiting.shift();
    this.#next++;
  }

  async #batch(): Promise<ListedEntry[]> {
    if (this.#isReleased) throw new RequestFault(ERRNO.EBADF);
    if (this.#hasDots) return [...granted(await this.#stream.read(BATCH_ENTRIES))];
    this.#hasDots = true;
    const itself = granted(await this.#folder.attributes());
    const folderAbove = this.#folder.above();
    const foundAbove = await folderAbove.attributes();
    folderAbove.release();
    const above = granted(foundAbove);
    return [
      { ...itself, name: Uint8Array.of(DOT) },
      { ...above, name: Uint8Array.of(DOT, DOT) },
    ];
  }

  async #rewind(): Promise<void> {
    const stream = granted(await this.#folder.openFolder());
    if (this.#isReleased) {
      stream.release();
      throw new RequestFault(ERRNO.EBADF);
    }
    this.#stream.release();
    this.#stream = stream;
    this.#waiting = [];
    this.#next = 0;
    this.#hasDots = false;
  }
}
