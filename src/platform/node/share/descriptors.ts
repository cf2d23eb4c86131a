/**
 * Linux's calls that stay below a folder that is open. Node.js has no openat(2), but the kernel has /proc/self/fd: the path
 * "/proc/self/fd/N/NAME" begins at the folder that descriptor N is open on, whatever has become of that folder's own name, and
 * with O_NOFOLLOW, or a call that does not follow, ends at NAME in it. "/proc/self/fd/N" alone is the file itself. Where every NAME
 * is a single name, nothing else than what is in the folder can be reached, and no other process can change that by renaming
 * or by putting a symbolic link where a folder was.
 */

import { close, constants, fdatasync, fstat, fsync, open, read, write } from "node:fs";
import type { BigIntStats } from "node:fs";
import type { ShareResult } from "../../../share/index.ts";

/** From Linux's asm-generic/fcntl.h; Node.js does not name it. A descriptor that names a file and gives no access to it. */
const O_PATH = 0o10000000;
export const NAME_ONLY = O_PATH | constants.O_NOFOLLOW;
export const FOLDER_NAME_ONLY = O_PATH | constants.O_DIRECTORY;

export const pathOf = (fd: number): string => `/proc/self/fd/${fd}`;

export const entryPath = (fd: number, name: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`${pathOf(fd)}/`), name]);

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

function promised<T>(start: (done: Callback<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value);
      else reject(error);
    });
  });
}

export const openDescriptor = (path: string | Buffer, flags: number, mode = 0): Promise<number> =>
  promised((done) => open(path, flags, mode, done));

export const statOf = (fd: number): Promise<BigIntStats> =>
  promised((done) => fstat(fd, { bigint: true }, done));

/** Bytes are on their way, if at all, when it returns: there is nothing that could be done about an error. */
export const closeDescriptor = (fd: number): void => close(fd, () => undefined);

export const syncDescriptor = (fd: number, isDataOnly: boolean): Promise<void> =>
  promised<void>((done) => {
    const finished = (error: NodeJS.ErrnoException | null): void => done(error, undefined);
    if (isDataOnly) fdatasync(fd, finished);
    else fsync(fd, finished);
  });

/** Until the target is full or the file ends. */
export async function readFully(fd: number, position: number, target: Uint8Array): Promise<number> {
  let doneBytes = 0;
  while (doneBytes < target.length) {
    const left = target.length - doneBytes;
    const at = doneBytes;
    const count = await promised<number>((done) => read(fd, target, at, left, position + at, done));
    if (count === 0) break;
    doneBytes += count;
  }
  return doneBytes;
}

/** All of it, or as much as there was room for. */
export async function writeFully(fd: number, position: number, source: Uint8Array): Promise<number> {
  let doneBytes = 0;
  while (doneBytes < source.length) {
    const left = source.length - doneBytes;
    const at = doneBytes;
    try {
      doneBytes += await promised<number>((done) => write(fd, source, at, left, position + at, done));
    } catch (thrown) {
      if (doneBytes === 0) throw thrown;
      break;
    }
  }
  return doneBytes;
}

/** The kernel's answer to what was tried; what is no error of the kernel's is our own bug. */
export async function answered<T>(attempt: () => Promise<T>): Promise<ShareResult<T>> {
  try {
    return { ok: true, value: await attempt() };
  } catch (thrown) {
    const errno = thrown instanceof Error && "errno" in thrown ? thrown.errno : undefined;
    if (typeof errno !== "number" || errno >= 0) throw thrown;
    return { ok: false, errno: -errno };
  }
}

/** An answer that the kernel would give, for what is refused before it is asked. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly errno: number;

  /** As ERRNO has them: above 0. */
  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = -errno;
  }
}
