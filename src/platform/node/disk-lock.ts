/**
 * Keeps two VMs from using one disk image in ways that would destroy it: one VM that writes, or any that only read. The
 * lock is a name in Linux's abstract socket namespace (unix(7)), made from the image's device and inode, so that every path
 * to the file means the same lock, nothing lies beside the image, and the kernel takes the name back however the process
 * ends.
 *
 * What it does not see: programs that are not Typevisor, and processes in another network namespace or on another host
 * that shares the file. Hosts without abstract names have no lock.
 */

import { connect, createServer } from "node:net";
import type { Server } from "node:net";
import { releasable } from "../../base/index.ts";
import type { Releasable } from "../../base/index.ts";

/** VMs that may read one image at one time. */
export const DISK_READERS_MAX = 16;

/** Which image: `id` is the same for all names of one file and differs between files. */
export interface DiskLockWish {
  readonly id: string;
  readonly isWriter: boolean;
}

/**
 * Undefined when others use the image already. Each side takes its own name first and looks for the other's then, so
 * that of two who come at once at least one sees the other.
 */
export async function lockDisk({ id, isWriter }: DiskLockWish): Promise<Releasable | undefined> {
  const writer = `typevisor-disk-${id}-writer`;
  const readers = Array.from(
    { length: DISK_READERS_MAX },
    (_, index) => `typevisor-disk-${id}-reader-${index}`,
  );
  const own = await takeFirst(isWriter ? [writer] : readers);
  if (own === undefined) return undefined;
  const others = await Promise.all((isWriter ? readers : [writer]).map(isTaken));
  if (others.includes(true)) {
    own.release();
    return undefined;
  }
  return own;
}

/** A name of Linux's abstract socket namespace, up to 100 characters; undefined when another process, or this one, has it. */
export async function takeAbstractName(name: string): Promise<Releasable | undefined> {
  return await takeFirst([name]);
}

async function takeFirst(names: readonly string[]): Promise<Releasable | undefined> {
  if (process.platform !== "linux") return releasable(() => undefined);
  for (const name of names) {
    const server = await take(name);
    if (server !== undefined) return releasable(() => void server.close());
  }
  return undefined;
}

function take(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error) => {
      if ("code" in error && error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen({ path: `\0${name}`, exclusive: true }, () => {
      // The name alone keeps no process alive.
      server.unref();
      resolve(server);
    });
  });
}

function isTaken(name: string): Promise<boolean> {
  if (process.platform !== "linux") return Promise.resolve(false);
  return new Promise((resolve) => {
    const socket = connect({ path: `\0${name}` });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Refused: nobody has the name. Anything else (a full queue) means that somebody has.
    socket.once("error", (error) => resolve(!("code" in error && error.code === "ECONNREFUSED")));
  });
}
