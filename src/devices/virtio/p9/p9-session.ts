/**
 * A session of 9P2000.L with one client: bytes of a request in, bytes of its reply out. What a request asks for in vain, or
 * asks wrongly, is answered with Rlerror; nothing else comes of it. Requests run side by side.
 *
 * Missing on purpose: authentication, of which a guest that has the device needs none; extended attributes; the other
 * dialects of 9P, which are answered with the version "unknown".
 */

import { KiB } from "../../../base/index.ts";
import { ERRNO, LINK_TARGET_BYTES_MAX } from "../../../share/index.ts";
import type { SharedFolder } from "../../../share/index.ts";
import { FidTable } from "./fid-table.ts";
import { FILE_REQUESTS } from "./file-requests.ts";
import {
  ERROR_REPLY_BYTES,
  errorReply,
  granted,
  HEADER_BYTES,
  MESSAGE,
  ReplyWriter,
  RequestFault,
  RequestReader,
} from "./messages.ts";
import { NAME_REQUESTS } from "./name-requests.ts";
import type { RequestHandler, RequestTable, SessionParts } from "./request-handler.ts";

/** The most that one message may have. */
export const MSIZE_MAX = 512 * KiB;
const MSIZE_MIN = 4 * KiB;
/** The longest reply whose length its request does not say is a symbolic link's. */
const USUAL_REPLY_BYTES = HEADER_BYTES + 2 + LINK_TARGET_BYTES_MAX;
const VERSION = "9P2000.L";
const NO_FID = 0xffffffff;

const SESSION_REQUESTS: RequestTable = {
  async [MESSAGE.attach]({ fids, folder }, request, reply) {
    const number = request.u32();
    if (request.u32() !== NO_FID) throw new RequestFault(ERRNO.EOPNOTSUPP);
    await fids.add(number, async (fid) => {
      const root = folder.root();
      try {
        reply.qid(granted(await root.attributes()));
        fid.becomes(root);
      } catch (thrown) {
        root.release();
        throw thrown;
      }
    });
  },
  [MESSAGE.clunk]({ fids }, request) {
    fids.remove(request.u32());
  },
};

const REQUESTS: ReadonlyMap<number, RequestHandler> = new Map(
  [SESSION_REQUESTS, NAME_REQUESTS, FILE_REQUESTS].flatMap((table) =>
    Object.entries(table).map(([type, handler]) => [Number(type), handler] as const),
  ),
);

export class P9Session {
  readonly #parts: SessionParts;
  /** Requests under way by their tags, of several with the same tag the last. */
  readonly #underWay = new Map<number, Promise<unknown>>();
  /** 0 until the version has been agreed on. */
  #messageBytesMax = 0;

  constructor(folder: SharedFolder) {
    this.#parts = { folder, fids: new FidTable() };
  }

  /** Fids in use. */
  get fidCount(): number {
    return this.#parts.fids.size;
  }

  /**
   * The reply to a request of at least HEADER_BYTES, for which there is room of at least ERROR_REPLY_BYTES. Never rejects
   * for anything that a client can do.
   */
  async serve(message: Uint8Array, roomBytes: number): Promise<Uint8Array> {
    const header = new DataView(message.buffer, message.byteOffset, message.byteLength);
    const type = header.getUint8(4);
    const tag = header.getUint16(5, true);
    const sizeBytes = header.getUint32(0, true);
    const flushed = type === MESSAGE.flush ? this.#flushed(message) : undefined;
    const served =
      sizeBytes < HEADER_BYTES || sizeBytes > message.length
        ? Promise.resolve(errorReply(tag, ERRNO.EPROTO))
        : this.#reply(type, tag, message.subarray(0, sizeBytes), roomBytes, flushed);
    this.#underWay.set(tag, served);
    try {
      return await served;
    } finally {
      if (this.#underWay.get(tag) === served) this.#underWay.delete(tag);
    }
  }

  /** Every fid is gone, and the version is to be agreed on again. */
  reset(): void {
    this.#parts.fids.clear();
    this.#messageBytesMax = 0;
  }

  async #reply(
    type: number,
    tag: number,
    message: Uint8Array,
    roomBytes: number,
    flushed: Promise<unknown> | undefined,
  ): Promise<Uint8Array> {
    try {
      const request = new RequestReader(message);
      const limit = Math.min(roomBytes, this.#messageBytesMax || MSIZE_MIN);
      const reply = new ReplyWriter(Math.max(ERROR_REPLY_BYTES, Math.min(limit, replyBytes(type, message))));
      if (type === MESSAGE.version) this.#agree(request, reply);
      else if (this.#messageBytesMax === 0 || message.length > this.#messageBytesMax)
        throw new RequestFault(ERRNO.EPROTO);
      else if (type === MESSAGE.flush) await flushed;
      else await handlerOf(type)(this.#parts, request, reply);
      return reply.finish(type + 1, tag);
    } catch (thrown) {
      if (!(thrown instanceof RequestFault)) throw thrown;
      return errorReply(tag, thrown.errno);
    }
  }

  #agree(request: RequestReader, reply: ReplyWriter): void {
    const wantedBytes = request.u32();
    const version = new TextDecoder().decode(request.text());
    if (wantedBytes < MSIZE_MIN) throw new RequestFault(ERRNO.EMSGSIZE);
    this.reset();
    const bytes = Math.min(wantedBytes, MSIZE_MAX);
    const isKnown = version === VERSION;
    if (isKnown) this.#messageBytesMax = bytes;
    reply.u32(bytes);
    reply.text(new TextEncoder().encode(isKnown ? VERSION : "unknown"));
  }

  /** What a flush waits for: a request that is under way is not cut short, so its reply comes before the flush's. */
  #flushed(message: Uint8Array): Promise<unknown> | undefined {
    if (message.length < HEADER_BYTES + 2) return undefined;
    const tag = new DataView(message.buffer, message.byteOffset).getUint16(HEADER_BYTES, true);
    return this.#underWay.get(tag);
  }
}

function handlerOf(type: number): RequestHandler {
  const handler = REQUESTS.get(type);
  if (handler === undefined) throw new RequestFault(ERRNO.EOPNOTSUPP);
  return handler;
}

/** Only those to read and to list say how much they want, at the same place. */
function replyBytes(type: number, message: Uint8Array): number {
  const countAt = HEADER_BYTES + 4 + 8;
  const isCounted = type === MESSAGE.read || type === MESSAGE.readdir;
  if (!isCounted || message.length < countAt + 4) return USUAL_REPLY_BYTES;
  const view = new DataView(message.buffer, message.byteOffset);
  return HEADER_BYTES + 4 + view.getUint32(countAt, true);
}
