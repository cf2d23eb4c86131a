/** Asks a running VM of this user by its name, from another process. */

import { readdir } from "node:fs/promises";
import { connect } from "node:net";
import { err, ok } from "../../base/index.ts";
import type { OperatorError, Result } from "../../base/index.ts";
import { ANSWER_TIMEOUT_SECONDS, closestNames, encodeRequest, ReplyReader } from "../../host/index.ts";
import type { ControlReply, ControlRequest, VmDescription } from "../../host/index.ts";
import { VM_SETTINGS } from "../../vmm/index.ts";
import { hasUnixSockets } from "../../platform/node/index.ts";
import { vmNameOf, vmSocketFolder, vmSocketPath } from "./vm-sockets.ts";

/** The VM's own process may take as long before it is killed. */
const REPLY_TIMEOUT_MS = (ANSWER_TIMEOUT_SECONDS + 5) * 1000;
/** Describing itself takes a VM no time; a list does not wait for one that hangs. */
const DESCRIPTION_TIMEOUT_MS = 2000;

export type CallErrorCode = "no-such-vm" | "no-answer";

/** The reply, which may be an error of the VM's; errors of this result are of not reaching it. */
export async function callVm(
  name: string,
  request: ControlRequest,
  timeoutMs = REPLY_TIMEOUT_MS,
): Promise<Result<ControlReply, OperatorError<CallErrorCode>>> {
  if (!hasUnixSockets) return err("no-such-vm", NO_SOCKETS);
  const isName = VM_SETTINGS.name.parse(name).ok;
  const reply = isName ? await ask(vmSocketPath(name), request, timeoutMs) : "absent";
  if (reply === "absent") return err("no-such-vm", await absence(name));
  if (reply === "silent") return err("no-answer", `The VM ${name} does not answer.`);
  if (reply === "nonsense") return err("no-answer", `The VM ${name} runs in another version of Typevisor.`);
  return ok(reply);
}

/** A VM of this user: what it says of itself, unless it does not answer. */
export interface ListedVm {
  readonly name: string;
  readonly description: VmDescription | undefined;
}

/** The running VMs by name. */
export async function listVms(): Promise<Result<readonly ListedVm[], OperatorError>> {
  if (!hasUnixSockets) return err("no-such-vm", NO_SOCKETS);
  const files = await readdir(vmSocketFolder()).catch(() => []);
  const names = files.flatMap((file) => vmNameOf(file) ?? []).toSorted();
  const vms = await Promise.all(names.map(described));
  return ok(vms.filter((vm) => vm !== undefined));
}

const NO_SOCKETS = "Running VMs cannot be reached here: this platform has no unix sockets.";

/** Undefined when nobody is there: a VM that was killed has left its socket. */
async function described(name: string): Promise<ListedVm | undefined> {
  const reply = await ask(vmSocketPath(name), { command: "describe" }, DESCRIPTION_TIMEOUT_MS);
  if (reply === "absent") return undefined;
  const isDescription = typeof reply === "object" && reply.kind === "description";
  return { name, description: isDescription ? reply.description : undefined };
}

async function absence(name: string): Promise<string> {
  const listed = await listVms();
  const names = listed.ok ? listed.value.map((vm) => vm.name) : [];
  const [close] = closestNames(name, names);
  if (close !== undefined) return `There is no running VM named "${name}"; did you mean ${close}?`;
  const others = names.length === 0 ? "none is running." : `there are ${names.join(", ")}.`;
  return `There is no running VM named "${name}"; ${others}`;
}

function ask(
  path: string,
  request: ControlRequest,
  timeoutMs: number,
): Promise<ControlReply | "absent" | "silent" | "nonsense"> {
  return new Promise((resolve) => {
    const reader = new ReplyReader();
    const socket = connect({ path });
    let isConnected = false;
    const finish = (result: ControlReply | "absent" | "silent" | "nonsense"): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once("connect", () => {
      isConnected = true;
      socket.write(encodeRequest(request));
    });
    socket.on("data", (chunk: Buffer) => {
      const reply = reader.push(chunk);
      if (reply !== "more") finish(reply);
    });
    socket.setTimeout(timeoutMs, () => finish("silent"));
    socket.on("error", () => finish(isConnected ? "silent" : "absent"));
    socket.on("end", () => finish("silent"));
  });
}
