/**
 * Makes a VM reachable by its name for other processes of its user: the process that runs it listens at a socket and answers
 * one request on each connection.
 */

import type { Socket } from "node:net";
import { err, ok, releasable } from "../../base/index.ts";
import type { OperatorError, Releasable, Result } from "../../base/index.ts";
import { answerLine, encodeReply, LineReader } from "../../host/index.ts";
import type { ControlledVm, VmHandle } from "../../host/index.ts";
import { hasUnixSockets, listenAt, nodeScheduling, privateFolder } from "../../platform/node/index.ts";
import type { SocketErrorCode } from "../../platform/node/index.ts";
import { vmSocketFolder, vmSocketPath } from "./vm-sockets.ts";

/** Connections at a time; more wait to be taken on. */
const CONNECTIONS_MAX = 32;
/** Whoever connects has this long to ask. */
const REQUEST_TIMEOUT_MS = 10_000;
/** VMs that nobody has named: vm, vm-2, vm-3 and so on. */
const UNNAMED_MAX = 100;

/** A name that no other running VM of this user has. */
export interface ClaimedName extends Releasable {
  readonly name: string;
  /** From now on requests are for this VM; before, they wait. */
  serve(vm: VmHandle): void;
}

/** The name itself, or, if `isFixed` is not set, the first free one of NAME, NAME-2, NAME-3 and so on. */
export async function claimVmName(
  name: string,
  isFixed: boolean,
): Promise<Result<ClaimedName, OperatorError<"name-taken" | "unreachable">>> {
  if (!hasUnixSockets)
    return err("unreachable", "Other commands cannot reach the VM: this platform has no unix sockets.");
  const folder = await privateFolder(vmSocketFolder());
  if (!folder.ok) return unreachable(folder.error);
  for (let number = 1; number <= (isFixed ? 1 : UNNAMED_MAX); number++) {
    const candidate = number === 1 ? name : `${name}-${number}`;
    const claimed = await claim(candidate);
    if (claimed.ok) return claimed;
    if (claimed.error.code !== "socket-in-use") return unreachable(claimed.error);
  }
  return err("name-taken", `A VM named ${name} is running already: choose another --name, or stop that one.`);
}

const unreachable = ({ message }: OperatorError): Result<never, OperatorError<"unreachable">> =>
  err("unreachable", `Other commands cannot reach the VM: ${message}`);

async function claim(name: string): Promise<Result<ClaimedName, OperatorError<SocketErrorCode>>> {
  let give: (controlled: ControlledVm | undefined) => void = () => undefined;
  const controlled = new Promise<ControlledVm | undefined>((resolve) => {
    give = resolve;
  });
  const asking = new Set<Socket>();
  const server = await listenAt(vmSocketPath(name), (socket) => serveConnection(socket, controlled, asking));
  if (!server.ok) return server;
  server.value.maxConnections = CONNECTIONS_MAX;
  // Being reachable is no reason to go on.
  server.value.unref();
  const published = releasable(() => {
    give(undefined);
    server.value.close();
    for (const socket of asking) socket.destroy();
  });
  const serve = (vm: VmHandle): void =>
    give({ vm, scheduling: nodeScheduling, startedAtNs: nodeScheduling.nowNs() });
  return ok({ name, serve, release: () => published.release() });
}

/** What goes wrong with a connection concerns only who has made it. It is among `asking` until its request is there. */
function serveConnection(
  socket: Socket,
  controlled: Promise<ControlledVm | undefined>,
  asking: Set<Socket>,
): void {
  const reader = new LineReader();
  const answer = async (line: Uint8Array): Promise<void> => {
    const vm = await controlled;
    if (vm === undefined) {
      socket.destroy();
      return;
    }
    for (const part of encodeReply(await answerLine(vm, line))) socket.write(part);
    socket.end();
  };
  const onData = (chunk: Buffer): void => {
    const found = reader.push(chunk);
    if (found === "more") return;
    socket.off("data", onData);
    socket.setTimeout(0);
    asking.delete(socket);
    if (found === "too-long") socket.destroy();
    else void answer(found.line);
  };
  asking.add(socket);
  socket.on("data", onData);
  socket.on("close", () => asking.delete(socket));
  socket.on("error", () => socket.destroy());
  socket.setTimeout(REQUEST_TIMEOUT_MS, () => socket.destroy());
}
