/**
 * A VM's screen by VNC: listens, and carries the bytes of clients to the RFB server and back. It runs in the process that
 * manages the VM, so that clients, whatever they do, are no part of the VM's process.
 */

import { randomBytes } from "node:crypto";
import { createServer, isIP } from "node:net";
import type { Server, Socket } from "node:net";
import { err, ok } from "../../base/index.ts";
import type { OperatorError, Releasable, Result } from "../../base/index.ts";
import { RfbServer } from "../../host/index.ts";
import type { RfbSecurity, VmHandle } from "../../host/index.ts";
import {
  createDeflater,
  encryptVncChallenge,
  listenAt,
  nodeScheduling,
  VNC_PASSWORD_MAX_BYTES,
} from "../../platform/node/index.ts";
import { isLoopback, VNC_DISPLAYS, VNC_FIRST_PORT } from "./vnc-target.ts";
import type { VncTarget } from "./vnc-target.ts";

export interface VncServer extends Releasable {
  /** Where clients find it: an address with a port, or the path of a socket. */
  readonly target:
    | { readonly kind: "tcp"; readonly address: string; readonly port: number }
    | { readonly kind: "unix"; readonly path: string };
}

export type VncErrorCode = "vnc-address" | "vnc-password" | "no-screen";

/** After so many inputs in one chunk its client is read again only after a moment: no keyboard is that quick. */
const INPUTS_AT_ONCE = 64;
const INPUT_PAUSE_MS = 5;
/** What a client that is sent away may still read. */
const LINGER_MS = 1000;

/**
 * Shows the VM's screen until released or until the VM has ended. Without a password only this host is let in: on a loopback
 * address all of its users, on a unix socket those whom its folder lets in.
 */
export async function startVncServer(
  vm: VmHandle,
  target: VncTarget,
  password: string | undefined,
): Promise<Result<VncServer, OperatorError<VncErrorCode>>> {
  const security = securityOf(target, password);
  if (!security.ok) return security;
  const feed = await vm.openScreen();
  if (feed === undefined) return err("no-screen", `The VM ${vm.name} has no screen, or has ended.`);
  const server = new RfbServer({
    name: vm.name,
    security: security.value,
    feed,
    input: (inputs) => vm.giveInput(inputs),
    entropy: (byteCount) => randomBytes(byteCount),
    createZlib: createDeflater,
    scheduling: nodeScheduling,
  });
  const listening = await listen(target, (socket) => serveClient(server, socket));
  if (!listening.ok) return listening;
  listening.value.server.unref();
  let isReleased = false;
  const release = (): void => {
    if (isReleased) return;
    isReleased = true;
    listening.value.server.close();
    server.close();
  };
  void vm.ended.then(release);
  return ok({ target: listening.value.target, release });
}

function securityOf(
  target: VncTarget,
  password: string | undefined,
): Result<RfbSecurity, OperatorError<VncErrorCode>> {
  if (target.kind === "tcp" && isIP(target.address) === 0)
    return err("vnc-address", `VNC listens at an address like 127.0.0.1; "${target.address}" is none.`);
  if (password === undefined) {
    if (target.kind === "unix" || isLoopback(target)) return ok({ kind: "none" });
    return err("vnc-password", `VNC at ${target.address}, which other hosts reach, needs a password.`);
  }
  const key = new TextEncoder().encode(password);
  if (key.length === 0) return err("vnc-password", "The password for VNC is empty.");
  if (key.length > VNC_PASSWORD_MAX_BYTES)
    return err(
      "vnc-password",
      `The password for VNC has ${key.length} bytes, of which ${VNC_PASSWORD_MAX_BYTES} would count: choose one of at most ${VNC_PASSWORD_MAX_BYTES}.`,
    );
  return ok({ kind: "password", encrypt: (challenge) => encryptVncChallenge(key, challenge) });
}

interface Listening {
  readonly server: Server;
  readonly target: VncServer["target"];
}

async function listen(
  target: VncTarget,
  onConnection: (socket: Socket) => void,
): Promise<Result<Listening, OperatorError<VncErrorCode>>> {
  if (target.kind === "unix") {
    const server = await listenAt(target.path, onConnection);
    return server.ok ? ok({ server: server.value, target }) : err("vnc-address", server.error.message);
  }
  const { address } = target;
  const ports =
    target.port === undefined
      ? Array.from({ length: VNC_DISPLAYS }, (_, display) => VNC_FIRST_PORT + display)
      : [target.port];
  let last: NodeJS.ErrnoException | undefined;
  for (const port of ports) {
    const server = await bind(address, port, onConnection);
    if (!(server instanceof Error)) {
      const bound = server.address();
      const actual = typeof bound === "object" && bound !== null ? bound.port : port;
      return ok({ server, target: { kind: "tcp", address, port: actual } });
    }
    last = server;
    if (last.code !== "EADDRINUSE") break;
  }
  const where = target.port === undefined ? address : `${address}:${target.port}`;
  return err("vnc-address", `VNC cannot listen at ${where}: ${last?.message ?? "no port is free"}.`);
}

function bind(
  address: string,
  port: number,
  onConnection: (socket: Socket) => void,
): Promise<Server | NodeJS.ErrnoException> {
  return new Promise((resolve) => {
    const server = createServer({ noDelay: true, keepAlive: true }, onConnection);
    server.once("error", resolve);
    server.listen({ host: address, port, exclusive: true }, () => {
      server.off("error", resolve);
      resolve(server);
    });
  });
}

function serveClient(server: RfbServer, socket: Socket): void {
  // Whatever happens to a connection ends in "close".
  socket.on("error", () => undefined);
  const client = server.connect({
    send: (bytes) => void socket.write(bytes),
    backlogBytes: () => socket.writableLength,
    close() {
      socket.end();
      socket.resume();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    },
  });
  if (client === undefined) return;
  socket.on("data", (chunk) => {
    const inputs = client.receive(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
    if (inputs < INPUTS_AT_ONCE) return;
    socket.pause();
    setTimeout(() => socket.resume(), INPUT_PAUSE_MS);
  });
  socket.on("drain", () => client.drained());
  socket.on("close", () => client.disconnected());
}
