/**
 * A serial port behind a socket that waits for connections, TCP or Unix: one at a time, as a cable has one other end. What
 * the guest says while nobody is connected is lost, as on a port without a cable; a slow reader makes the guest wait.
 */

import { once } from "node:events";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { err, ok } from "../../base/index.ts";
import type { Releasable, Result } from "../../base/index.ts";
import type { SerialConsole } from "../../host/index.ts";
import type { SocketAddress } from "./serial-target.ts";

export interface SerialSocket extends Releasable {
  /** The TCP port, which the host has chosen if the address says 0; undefined for a Unix socket. */
  readonly port: number | undefined;
  /** Begins to move bytes; connections that came before have waited. */
  attach(console: SerialConsole): void;
}

/** Listens, so that it is known before a VM starts whether the address can be had. */
export async function openSerialSocket(address: SocketAddress): Promise<Result<SerialSocket>> {
  const server = createServer();
  let client: Socket | undefined;
  let attached: SerialConsole | undefined;
  let listening: Releasable | undefined;
  server.on("connection", (socket) => {
    socket.on("error", () => socket.destroy());
    if (client !== undefined) {
      socket.destroy();
      return;
    }
    client = socket;
    socket.pause();
    socket.on("close", () => {
      if (client === socket) client = undefined;
    });
    if (attached !== undefined) giveInput(socket, attached);
  });
  try {
    const listened = once(server, "listening");
    server.listen(address.kind === "tcp" ? { host: address.host, port: address.port } : address.path);
    await listened;
  } catch (thrown) {
    const where = address.kind === "tcp" ? `${address.host}:${address.port}` : address.path;
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return err("bad-option", `The socket ${where} for the serial port cannot be opened: ${reason}.`);
  }
  const bound = server.address();
  return ok({
    port: typeof bound === "object" && bound !== null ? bound.port : undefined,
    attach(console) {
      attached = console;
      if (client !== undefined) giveInput(client, console);
      listening = console.listen((chunk) => {
        const socket = client;
        if (socket === undefined || socket.write(chunk)) return undefined;
        return drained(socket);
      });
    },
    release() {
      listening?.release();
      // What was written is sent before the end is.
      client?.end();
      server.close();
    },
  });
}

function giveInput(socket: Socket, console: SerialConsole): void {
  socket.on("data", (chunk: Buffer) => {
    socket.pause();
    void console.write(chunk).then(() => socket.resume());
  });
  socket.resume();
}

/** Whichever comes first: the reader has caught up, or is gone. */
async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once("drain", resolve);
    socket.once("close", () => resolve());
  });
}
