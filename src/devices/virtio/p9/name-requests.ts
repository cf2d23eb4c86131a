/**
 * Requests that find, make, move and remove names. The group that a request wants for what it makes is not heard: it belongs
 * to the user who runs the VM, like everything that the VM makes.
 */

import { ERRNO, LINK_TARGET_BYTES_MAX } from "../../../share/index.ts";
import type { FolderNode, NodeAttributes, ShareResult } from "../../../share/index.ts";
import type { Fid, Opened } from "./fid-table.ts";
import { granted, MESSAGE, MODE_TYPE, RequestFault } from "./messages.ts";
import type { ReplyWriter, WalkStep } from "./messages.ts";
import { accessOf, mustBeNew } from "./open-flags.ts";
import type { RequestTable } from "./request-handler.ts";

/** AT_REMOVEDIR. */
const UNLINK_FOLDER = 0x200;
const NEW_FILE = { reads: false, writes: true, appends: false, truncates: false, isSynchronous: false };

export const NAME_REQUESTS: RequestTable = {
  /** Either all of the way, or as far as it goes; only the whole way gives the fid. */
  async [MESSAGE.walk]({ fids }, request, reply) {
    const number = request.u32();
    const newNumber = request.u32();
    const steps = request.walkSteps();
    const from = fids.get(number);
    const walk = (to: Fid): Promise<void> => walkTo(to, from.node.share(), steps, reply);
    if (newNumber !== number) return await fids.add(newNumber, walk);
    if (from.opened !== undefined) throw new RequestFault(ERRNO.EINVAL);
    await walk(from);
  },

  async [MESSAGE.lcreate]({ fids }, request, reply) {
    const fid = fids.get(request.u32());
    const name = request.fileName();
    const flags = request.u32();
    const mode = request.u32();
    await fid.open(async () => {
      const options = { access: accessOf(flags), mode, mustBeNew: mustBeNew(flags) };
      const { node, file } = granted(await fid.node.createFile(name, options));
      try {
        reply.qid(granted(await node.attributes()));
        reply.u32(0);
        fid.becomes(node);
      } catch (thrown) {
        file.release();
        node.release();
        throw thrown;
      }
      return { kind: "file", file } satisfies Opened;
    });
  },

  async [MESSAGE.mkdir]({ fids }, request, reply) {
    const { node } = fids.get(request.u32());
    const name = request.fileName();
    await tellOfNew(reply, node.createFolder(name, request.u32()));
  },

  async [MESSAGE.symlink]({ fids }, request, reply) {
    const { node } = fids.get(request.u32());
    const name = request.fileName();
    const target = request.text();
    if (target.length === 0 || target.length > LINK_TARGET_BYTES_MAX || target.includes(0))
      throw new RequestFault(ERRNO.EINVAL);
    await tellOfNew(reply, node.createLink(name, target));
  },

  /** Linux makes ordinary files by it too; of the others the host shall have none that a guest made. */
  async [MESSAGE.mknod]({ fids }, request, reply) {
    const { node } = fids.get(request.u32());
    const name = request.fileName();
    const mode = request.u32();
    const type = mode & MODE_TYPE.mask;
    if (type !== MODE_TYPE.file && type !== 0) throw new RequestFault(ERRNO.EPERM);
    const made = granted(await node.createFile(name, { access: NEW_FILE, mode, mustBeNew: true }));
    made.file.release();
    await tellOfNew(reply, Promise.resolve({ ok: true, value: made.node }));
  },

  async [MESSAGE.link]({ fids }, request) {
    const folder = fids.get(request.u32()).node;
    const file = fids.get(request.u32()).node;
    granted(await folder.addName(request.fileName(), file));
  },

  async [MESSAGE.rename]({ fids }, request) {
    const { node } = fids.get(request.u32());
    const folder = fids.get(request.u32()).node;
    granted(await node.moveSelf(folder, request.fileName()));
  },

  async [MESSAGE.renameat]({ fids }, request) {
    const from = fids.get(request.u32()).node;
    const oldName = request.fileName();
    const to = fids.get(request.u32()).node;
    granted(await from.rename(oldName, to, request.fileName()));
  },

  async [MESSAGE.unlinkat]({ fids }, request) {
    const { node } = fids.get(request.u32());
    const name = request.fileName();
    const flags = request.u32();
    if ((flags & ~UNLINK_FOLDER) !== 0) throw new RequestFault(ERRNO.EINVAL);
    granted(await node.remove(name, flags === UNLINK_FOLDER ? "folder" : "other"));
  },

  /** The fid is gone whether or not the file could be removed. */
  async [MESSAGE.remove]({ fids }, request) {
    const number = request.u32();
    const node = fids.get(number).node.share();
    fids.remove(number);
    const removed = await node.removeSelf();
    node.release();
    granted(removed);
  },
};

/** Takes over `start`. */
async function walkTo(
  to: Fid,
  start: FolderNode,
  steps: readonly WalkStep[],
  reply: ReplyWriter,
): Promise<void> {
  let node = start;
  const passed: NodeAttributes[] = [];
  try {
    for (const step of steps) {
      const next = await stepFrom(node, step);
      if (!next.ok && passed.length === 0) throw new RequestFault(next.errno);
      if (!next.ok) break;
      node.release();
      node = next.value;
      passed.push(granted(await node.attributes()));
    }
    reply.u16(passed.length);
    for (const attributes of passed) reply.qid(attributes);
    if (passed.length === steps.length) to.becomes(node);
    else node.release();
  } catch (thrown) {
    node.release();
    throw thrown;
  }
}

async function stepFrom(node: FolderNode, step: WalkStep): Promise<ShareResult<FolderNode>> {
  if (node.kind !== "folder") return { ok: false, errno: ERRNO.ENOTDIR };
  return step.kind === "name" ? await node.find(step.name) : { ok: true, value: node.above() };
}

async function tellOfNew(reply: ReplyWriter, made: Promise<ShareResult<FolderNode>>): Promise<void> {
  const node = granted(await made);
  try {
    reply.qid(granted(await node.attributes()));
  } finally {
    node.release();
  }
}
