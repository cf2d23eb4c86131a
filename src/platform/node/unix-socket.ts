/**
 * Unix sockets with names in a folder of the user's. A name whose owner is gone, however it went, is taken over; one whose
 * owner lives is not. On Linux two processes that want one name at one time never both get it; elsewhere, where there are no
 * abstract names to lock by, they could for a moment. Hosts without unix sockets that have paths (Windows) have none of this.
 */

import { hash } from "node:crypto";
import { chmod, lstat, mkdir, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { err, ok } from "../../base/index.ts";
import type { OperatorError, Result } from "../../base/index.ts";
import { takeAbstractName } from "./disk-lock.ts";

/** sun_path with its final NUL (unix(7); 104 where BSD's is shorter). */
const SOCKET_PATH_MAX_BYTES = process.platform === "linux" ? 107 : 103;
const OTHERS_PERMISSIONS = 0o077;

export const hasUnixSockets: boolean = process.platform !== "win32";

export type SocketErrorCode = "socket-in-use" | "socket-unusable";

/**
 * The folder, made for this user alone if it is not there; an error when it is somebody else's or not to be made. What lies
 * in it is reached by whoever may enter it.
 */
export async function privateFolder(path: string): Promise<Result<void, OperatorError<"socket-unusable">>> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const found = await lstat(path);
    if (!found.isDirectory() || found.uid !== process.getuid?.())
      return err("socket-unusable", `${path} is not a folder of yours.`);
    if ((found.mode & OTHERS_PERMISSIONS) !== 0) await chmod(path, 0o700);
    return ok(undefined);
  } catch (thrown) {
    return err("socket-unusable", `The folder ${path} cannot be made: ${reasonOf(thrown)}.`);
  }
}

/** A server at `path`, which goes when the server is closed. The caller says who may enter its folder. */
export async function listenAt(
  path: string,
  onConnection: (socket: Socket) => void,
): Promise<Result<Server, OperatorError<SocketErrorCode>>> {
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX_BYTES)
    return err("socket-unusable", `${path} is longer than the path of a socket may be.`);
  const inUse = err("socket-in-use", `${path} is in use.`);
  // Of several processes that find a dead socket at once only one may replace it.
  const lock = await takeAbstractName(`typevisor-socket-${hash("sha256", path).slice(0, 32)}`);
  if (lock === undefined) return inUse;
  const server = await takeOver(path, onConnection);
  if (server instanceof Error) {
    lock.release();
    if (hasCode(server, "EADDRINUSE")) return inUse;
    return err("socket-unusable", `${path} cannot be listened at: ${server.message}.`);
  }
  server.once("close", () => lock.release());
  return ok(server);
}

async function takeOver(path: string, onConnection: (socket: Socket) => void): Promise<Server | Error> {
  const server = await bind(path, onConnection);
  if (!hasCode(server, "EADDRINUSE")) return server;
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() === false) return new Error("it exists and is no socket");
  if (await isListening(path)) return server;
  await rm(path, { force: true });
  return await bind(path, onConnection);
}

/** Whether a process listens there: one that is too busy to answer does too. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(!hasCode(error, "ECONNREFUSED") && !hasCode(error, "ENOENT")));
  });
}

function bind(path: string, onConnection: (socket: Socket) => void): Promise<Server | Error> {
  return new Promise((resolve) => {
    const server = createServer(onConnection);
    server.once("error", resolve);
    server.listen({ path, exclusive: true }, () => {
      server.off("error", resolve);
      resolve(server);
    });
  });
}

const hasCode = (thrown: unknown, code: string): boolean =>
  thrown instanceof Error && "code" in thrown && thrown.code === code;
const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
