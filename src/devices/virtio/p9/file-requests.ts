/** Requests about a file or folder itself: its bytes, entries and attributes. */

import { ERRNO } from "../../../share/index.ts";
import type { OpenFile, TimeChange } from "../../../share/index.ts";
import type { Fid, Opened } from "./fid-table.ts";
import { FolderListing } from "./folder-listing.ts";
import { granted, MESSAGE, RequestFault } from "./messages.ts";
import type { RequestReader } from "./messages.ts";
import { accessOf } from "./open-flags.ts";
import type { RequestTable } from "./request-handler.ts";

/** Fields of Rgetattr up to the number of blocks; birth time, generation and data version there are none. */
const GETATTR_BASIC = 0x7ffn;
const SETATTR = {
  mode: 0x1,
  uid: 0x2,
  gid: 0x4,
  size: 0x8,
  accessed: 0x10,
  modified: 0x20,
  accessedSet: 0x80,
  modifiedSet: 0x100,
} as const;
const NS_PER_SECOND = 1_000_000_000n;
const LOCK_GRANTED = 0;
const LOCK_TYPE_UNLOCK = 2;
const NAME_LENGTH_MAX = 255;

export const FILE_REQUESTS: RequestTable = {
  async [MESSAGE.lopen]({ fids }, request, reply) {
    const fid = fids.get(request.u32());
    const access = accessOf(request.u32());
    await fid.open(async () => {
      const { node } = fid;
      if (node.kind === "folder" && access.writes) throw new RequestFault(ERRNO.EISDIR);
      reply.qid(granted(await node.attributes()));
      // The client's choice.
      reply.u32(0);
      if (node.kind !== "folder")
        return { kind: "file", file: granted(await node.openFile(access)) } satisfies Opened;
      const stream = granted(await node.openFolder());
      return { kind: "folder", listing: new FolderListing(node, stream) } satisfies Opened;
    });
  },

  async [MESSAGE.read]({ fids }, request, reply) {
    const file = openFile(fids.get(request.u32()));
    const position = request.position();
    const count = request.u32();
    await reply.counted(count, async (target) => granted(await file.read(within(position, target), target)));
  },

  async [MESSAGE.write]({ fids }, request, reply) {
    const file = openFile(fids.get(request.u32()));
    const position = request.position();
    const source = request.bytes(request.u32());
    reply.u32(granted(await file.write(within(position, source), source)));
  },

  async [MESSAGE.readdir]({ fids }, request, reply) {
    const { opened } = fids.get(request.u32());
    if (opened?.kind !== "folder") throw new RequestFault(ERRNO.EBADF);
    const offset = request.position();
    const count = request.u32();
    await reply.countedFields(() => opened.listing.read(offset, reply, count));
  },

  async [MESSAGE.fsync]({ fids }, request) {
    const { opened } = fids.get(request.u32());
    const isDataOnly = request.u32() !== 0;
    if (opened === undefined) throw new RequestFault(ERRNO.EBADF);
    if (opened.kind === "file") granted(await opened.file.sync(isDataOnly));
    else await opened.listing.sync();
  },

  async [MESSAGE.getattr]({ fids }, request, reply) {
    const { node } = fids.get(request.u32());
    const wanted = request.u64();
    const found = granted(await node.attributes());
    reply.u64(wanted & GETATTR_BASIC);
    reply.qid(found);
    reply.u32(found.mode);
    reply.u32(found.uid);
    reply.u32(found.gid);
    for (const field of [
      found.linkCount,
      found.deviceNumber,
      found.sizeBytes,
      found.blockBytes,
      found.blocks,
    ])
      reply.u64(field);
    for (const ns of [found.accessedNs, found.modifiedNs, found.changedNs, 0n]) {
      const nanoseconds = BigInt.asUintN(64, ((ns % NS_PER_SECOND) + NS_PER_SECOND) % NS_PER_SECOND);
      reply.u64((ns - nanoseconds) / NS_PER_SECOND);
      reply.u64(nanoseconds);
    }
    // Generation and data version.
    reply.u64(0n);
    reply.u64(0n);
  },

  async [MESSAGE.setattr]({ fids }, request) {
    const { node } = fids.get(request.u32());
    const valid = request.u32();
    const has = (bit: number): boolean => (valid & bit) !== 0;
    const mode = request.u32();
    const uid = request.u32();
    const gid = request.u32();
    const size = request.u64();
    const accessed = timeChange(request, has(SETATTR.accessed), has(SETATTR.accessedSet));
    const modified = timeChange(request, has(SETATTR.modified), has(SETATTR.modifiedSet));
    if (has(SETATTR.size) && size > BigInt(Number.MAX_SAFE_INTEGER)) throw new RequestFault(ERRNO.EFBIG);
    granted(
      await node.setAttributes({
        mode: has(SETATTR.mode) ? mode : undefined,
        uid: has(SETATTR.uid) ? uid : undefined,
        gid: has(SETATTR.gid) ? gid : undefined,
        sizeBytes: has(SETATTR.size) ? Number(size) : undefined,
        accessed,
        modified,
      }),
    );
  },

  async [MESSAGE.statfs]({ fids }, request, reply) {
    const space = granted(await fids.get(request.u32()).node.space());
    reply.u32(Number(BigInt.asUintN(32, space.type)));
    reply.u32(Number(BigInt.asUintN(32, space.blockBytes)));
    const { blocks, freeBlocks, availableBlocks, files, freeFiles } = space;
    for (const field of [blocks, freeBlocks, availableBlocks, files, freeFiles, 0n]) reply.u64(field);
    reply.u32(NAME_LENGTH_MAX);
  },

  [MESSAGE.readlink]({ fids }, request, reply) {
    const { node } = fids.get(request.u32());
    if (node.kind !== "link") throw new RequestFault(ERRNO.EINVAL);
    reply.text(node.linkTarget);
  },

  /** Granted: locks of one guest among its own processes are its kernel's; nobody else of the folder takes part. */
  [MESSAGE.lock]({ fids }, request, reply) {
    fids.get(request.u32());
    reply.u8(LOCK_GRANTED);
  },

  [MESSAGE.getlock]({ fids }, request, reply) {
    fids.get(request.u32());
    request.u8();
    reply.u8(LOCK_TYPE_UNLOCK);
    reply.u64(request.u64());
    reply.u64(request.u64());
    reply.u32(request.u32());
    reply.text(request.text());
  },
};

function openFile({ opened }: Fid): OpenFile {
  if (opened?.kind === "folder") throw new RequestFault(ERRNO.EISDIR);
  if (opened === undefined) throw new RequestFault(ERRNO.EBADF);
  return opened.file;
}

/** The position, from which all of the bytes are below 2^53. */
function within(position: number, { length }: Uint8Array): number {
  if (position + length > Number.MAX_SAFE_INTEGER) throw new RequestFault(ERRNO.EFBIG);
  return position;
}

function timeChange(request: RequestReader, isChanged: boolean, isSet: boolean): TimeChange | undefined {
  const seconds = Number(BigInt.asIntN(64, request.u64()));
  const nanoseconds = Number(request.u64());
  if (!isChanged) return undefined;
  if (!isSet) return "now";
  if (!Number.isSafeInteger(seconds) || nanoseconds >= Number(NS_PER_SECOND))
    throw new RequestFault(ERRNO.EINVAL);
  return { seconds, nanoseconds };
}
