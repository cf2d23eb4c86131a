/**
 * The messages of 9P2000.L, bytes to fields and back: size, type, tag, then the fields of each type, little-endian (Plan 9's
 * manual, section 5, intro; the messages of Linux in diod's protocol.md and Linux's net/9p). A message that ends before its
 * fields do, or names what cannot be a name, is a fault of its sender's, which becomes an Rlerror.
 */

import { ERRNO, isFileName } from "../../../share/index.ts";
import type { NodeAttributes, ShareResult } from "../../../share/index.ts";

/** Requests; the reply's type is one more. */
export const MESSAGE = {
  statfs: 8,
  lopen: 12,
  lcreate: 14,
  symlink: 16,
  mknod: 18,
  rename: 20,
  readlink: 22,
  getattr: 24,
  setattr: 26,
  readdir: 40,
  fsync: 50,
  lock: 52,
  getlock: 54,
  link: 70,
  mkdir: 72,
  renameat: 74,
  unlinkat: 76,
  version: 100,
  attach: 104,
  flush: 108,
  walk: 110,
  read: 116,
  write: 118,
  clunk: 120,
  remove: 122,
} as const;
export const RLERROR = 7;

export const HEADER_BYTES = 7;
export const ERROR_REPLY_BYTES = HEADER_BYTES + 4;
export const QID_BYTES = 13;
/** Names of one walk. */
export const WALK_NAMES_MAX = 16;

const U32_SPAN = 0x1_0000_0000n;
const DOT_DOT = Uint8Array.of(0x2e, 0x2e);

/** Types of files in a mode, and how a qid and an entry of a folder say them. */
export const MODE_TYPE = { mask: 0o170000, file: 0o100000, folder: 0o040000, link: 0o120000 } as const;
const MODE_TYPE_SHIFT = 12;
const QID_TYPE = { folder: 0x80, link: 0x02, file: 0x00 } as const;

/** Why a request gets an Rlerror; caught where replies are made. */
export class RequestFault extends Error {
  override readonly name = "RequestFault";
  readonly errno: number;

  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

/** The value, or the error as a {@link RequestFault}. */
export function granted<T>(result: ShareResult<T>): T {
  if (!result.ok) throw new RequestFault(result.errno);
  return result.value;
}

/** What a walk goes to: something in a folder, or the folder above. */
export type WalkStep = { readonly kind: "name"; readonly name: Uint8Array } | { readonly kind: "parent" };

/** Reads the fields behind the header, in their order. */
export class RequestReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = HEADER_BYTES;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** A position in a file or a size of one; those beyond 2^53 no file system has. */
  position(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RequestFault(ERRNO.EFBIG);
    return Number(value);
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  text(): Uint8Array {
    return this.bytes(this.u16());
  }

  fileName(): Uint8Array {
    const name = this.text();
    if (!isFileName(name)) throw new RequestFault(ERRNO.EINVAL);
    return name;
  }

  walkSteps(): WalkStep[] {
    const count = this.u16();
    if (count > WALK_NAMES_MAX) throw new RequestFault(ERRNO.EINVAL);
    return Array.from({ length: count }, () => {
      const name = this.text();
      if (name.length === 2 && name.every((byte, index) => byte === DOT_DOT[index]))
        return { kind: "parent" };
      if (!isFileName(name)) throw new RequestFault(ERRNO.EINVAL);
      return { kind: "name", name };
    });
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new RequestFault(ERRNO.EPROTO);
    this.#at = at + count;
    return at;
  }
}

/** Writes a reply's fields; the header comes last, when the length is known. */
export class ReplyWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = HEADER_BYTES;

  constructor(roomBytes: number) {
    this.#bytes = new Uint8Array(roomBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes that can still be written. */
  get room(): number {
    return this.#bytes.length - this.#at;
  }

  u8(value: number): void {
    this.#view.setUint8(this.#take(1), value);
  }

  u16(value: number): void {
    this.#view.setUint16(this.#take(2), value, true);
  }

  u32(value: number): void {
    this.#view.setUint32(this.#take(4), value, true);
  }

  u64(value: bigint): void {
    this.#view.setBigUint64(this.#take(8), BigInt.asUintN(64, value), true);
  }

  text(text: Uint8Array): void {
    this.u16(text.length);
    this.#bytes.set(text, this.#take(text.length));
  }

  /** A type, a version that changes with the contents, and the identity. */
  qid({ id, mode, modifiedNs, sizeBytes }: QidSource): void {
    const type = mode & MODE_TYPE.mask;
    this.u8(
      type === MODE_TYPE.folder ? QID_TYPE.folder : type === MODE_TYPE.link ? QID_TYPE.link : QID_TYPE.file,
    );
    this.u32(Number(BigInt.asUintN(32, modifiedNs ^ (modifiedNs / U32_SPAN) ^ (sizeBytes << 8n))));
    this.u64(id);
  }

  /** A count, which is not known before the bytes are: `fill` gets room for them and says how many there are. */
  async counted(maxBytes: number, fill: (target: Uint8Array) => Promise<number>): Promise<void> {
    const countAt = this.#take(4);
    const target = this.#bytes.subarray(this.#at, this.#at + Math.min(maxBytes, this.room));
    const count = await fill(target);
    this.#view.setUint32(countAt, count, true);
    this.#at += count;
  }

  /** The same for fields that `fill` writes. */
  async countedFields(fill: () => Promise<void>): Promise<void> {
    const countAt = this.#take(4);
    const start = this.#at;
    await fill();
    this.#view.setUint32(countAt, this.#at - start, true);
  }

  finish(type: number, tag: number): Uint8Array {
    this.#view.setUint32(0, this.#at, true);
    this.#view.setUint8(4, type);
    this.#view.setUint16(5, tag, true);
    return this.#bytes.subarray(0, this.#at);
  }

  #take(count: number): number {
    if (count > this.room) throw new RequestFault(ERRNO.EMSGSIZE);
    const at = this.#at;
    this.#at += count;
    return at;
  }
}

export type QidSource = Pick<NodeAttributes, "id" | "mode" | "modifiedNs" | "sizeBytes">;

export function errorReply(tag: number, errno: number): Uint8Array {
  const reply = new ReplyWriter(ERROR_REPLY_BYTES);
  reply.u32(errno);
  return reply.finish(RLERROR, tag);
}

/** The type of a folder's entry, as readdir(3) says it. */
export const entryType = (mode: number): number => (mode & MODE_TYPE.mask) >>> MODE_TYPE_SHIFT;
