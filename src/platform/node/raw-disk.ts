/**
 * A disk image as it is: a file or a block device of the host whose bytes are the disk's. Reads and writes go through the
 * host's page cache, in libuv's threads or at once (PromptTransfers); flush() is fdatasync, after which what was written survives a crash of the host.
 *
 * Node.js has no way to punch holes, so a discarded range is written with zeros, and the file grows by it. A file that is
 * made shorter while it is in use gives errors behind its end.
 */

import { close, constants, fdatasync, open, read, readvSync, write, writevSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import type { Stats } from "node:fs";
import { assert, err, MiB, ok } from "../../base/index.ts";
import type { Releasable, Result } from "../../base/index.ts";
import { BLOCK_OK, BYTES_NOW_MAX, PIECES_NOW_MAX, SECTOR_BYTES } from "../../block/index.ts";
import type { BlockDevice, BlockErrorCode, BlockResult } from "../../block/index.ts";
import { DISK_READERS_MAX, lockDisk } from "./disk-lock.ts";
import { PromptTransfers } from "./prompt-transfers.ts";

/** Zeros are written in pieces of this size. */
const ZEROS = new Uint8Array(1 * MiB);

export interface RawDiskSpec {
  readonly path: string;
  readonly isReadOnly: boolean;
  /** Names its part in the sentence of an error: "disk". */
  readonly what: string;
}

/** Opens an image; nobody else may write it meanwhile, nor read it unless `isReadOnly`. */
export async function openRawDisk(spec: RawDiskSpec): Promise<Result<BlockDevice>> {
  const { path, isReadOnly, what } = spec;
  const name = `The ${what} ${path}`;
  try {
    const found = await stat(path);
    if (found.isDirectory()) return err("not-a-disk", `${name} is a folder, not a disk image.`);
    if (!found.isFile() && !found.isBlockDevice())
      return err("not-a-disk", `${name} is neither a file nor a block device.`);
    const sizeBytes = found.isFile() ? found.size : await blockDeviceBytes(found);
    if (sizeBytes === 0) return err("bad-disk-size", `${name} is empty.`);
    if (sizeBytes % SECTOR_BYTES !== 0) {
      const problem = `has ${sizeBytes} bytes, which is not a multiple of ${SECTOR_BYTES}: it is no raw disk image`;
      return err("bad-disk-size", `${name} ${problem}.`);
    }
    const lock = await lockDisk({ id: lockId(found), isWriter: !isReadOnly });
    if (lock === undefined) {
      const others = isReadOnly
        ? `is written by another VM, or read by ${DISK_READERS_MAX} already`
        : `is used by another VM, or given twice`;
      return err("disk-in-use", `${name} ${others}.`);
    }
    try {
      const fd = await openFile(path, isReadOnly ? constants.O_RDONLY : constants.O_RDWR);
      return ok(new RawDisk({ name, fd, sizeBytes, isReadOnly, lock }));
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
  } catch (thrown) {
    const sentence = sentenceOf(name, isReadOnly, thrown);
    if (sentence === undefined) throw thrown;
    return sentence;
  }
}

/** fs.read or fs.write, which may do less than they are asked for. */
type Step = (
  fd: number,
  bytes: Uint8Array,
  at: number,
  lengthBytes: number,
  position: number,
  done: (error: NodeJS.ErrnoException | null, count: number) => void,
) => void;

/** readvSync or writevSync. */
type StepNow = (fd: number, pieces: readonly Uint8Array[], position: number) => number;

interface RawDiskParts {
  readonly name: string;
  readonly fd: number;
  readonly sizeBytes: number;
  readonly isReadOnly: boolean;
  readonly lock: Releasable;
}

class RawDisk implements BlockDevice {
  readonly sizeBytes: number;
  readonly isReadOnly: boolean;
  readonly canDiscard = false;
  readonly #name: string;
  readonly #fd: number;
  readonly #lock: Releasable;
  readonly #prompt = new PromptTransfers();
  #isClosed = false;
  #pendingCount = 0;
  #whenIdle: (() => void) | undefined;

  constructor({ name, fd, sizeBytes, isReadOnly, lock }: RawDiskParts) {
    this.#name = name;
    this.#fd = fd;
    this.#lock = lock;
    this.sizeBytes = sizeBytes;
    this.isReadOnly = isReadOnly;
  }

  read(offset: number, target: Uint8Array): Promise<BlockResult> {
    this.#assertRange(offset, target.length);
    if (this.#isClosed) return Promise.resolve(this.#closed());
    return this.#transfer(read, offset, target);
  }

  write(offset: number, source: Uint8Array): Promise<BlockResult> {
    this.#assertRange(offset, source.length);
    if (this.isReadOnly) return Promise.resolve(this.#readOnly());
    if (this.#isClosed) return Promise.resolve(this.#closed());
    return this.#transfer(write, offset, source);
  }

  readNow(offset: number, targets: readonly Uint8Array[]): BlockResult | undefined {
    return this.#isClosed ? this.#closed() : this.#transferNow(readvSync, offset, targets);
  }

  writeNow(offset: number, sources: readonly Uint8Array[]): BlockResult | undefined {
    if (this.isReadOnly) return this.#readOnly();
    return this.#isClosed ? this.#closed() : this.#transferNow(writevSync, offset, sources);
  }

  flush(): Promise<BlockResult> {
    if (this.isReadOnly) return Promise.resolve(BLOCK_OK);
    if (this.#isClosed) return Promise.resolve(this.#closed());
    this.#pendingCount++;
    return new Promise((resolve) => {
      fdatasync(this.#fd, (error) => {
        this.#ended();
        resolve(error === null ? BLOCK_OK : this.#failed(error));
      });
    });
  }

  async discard(offset: number, lengthBytes: number): Promise<BlockResult> {
    this.#assertRange(offset, lengthBytes);
    if (this.isReadOnly) return this.#readOnly();
    const end = offset + lengthBytes;
    for (let at = offset; at < end; at += ZEROS.length) {
      if (this.#isClosed) return this.#closed();
      const written = await this.#transfer(write, at, ZEROS.subarray(0, Math.min(ZEROS.length, end - at)));
      if (!written.ok) return written;
    }
    return BLOCK_OK;
  }

  /** A controller may still have requests that waited for their turn: they are refused, since the file is not ours then. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#pendingCount > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    await new Promise<void>((resolve) => {
      close(this.#fd, () => resolve());
    });
    this.#lock.release();
  }

  /** All of `bytes`, which the host may do in several steps. */
  #transfer(step: Step, offset: number, bytes: Uint8Array): Promise<BlockResult> {
    this.#pendingCount++;
    return new Promise((resolve) => {
      const finish = (result: BlockResult): void => {
        this.#ended();
        resolve(result);
      };
      const from = (done: number): void => {
        step(this.#fd, bytes, done, bytes.length - done, offset + done, (error, count) => {
          if (error !== null) finish(this.#failed(error));
          else if (done + count === bytes.length) finish(BLOCK_OK);
          else if (count === 0) finish(this.#tooShort());
          else from(done + count);
        });
      };
      from(0);
    });
  }

  /** What the host does only in part, or not at all, is left to the way that says why. */
  #transferNow(step: StepNow, offset: number, pieces: readonly Uint8Array[]): BlockResult | undefined {
    const lengthBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.#assertRange(offset, lengthBytes);
    assert(pieces.length <= PIECES_NOW_MAX && lengthBytes <= BYTES_NOW_MAX, "requests at once are small");
    return this.#prompt.attempt(() => {
      try {
        return step(this.#fd, pieces, offset) === lengthBytes ? BLOCK_OK : undefined;
      } catch (thrown) {
        if (thrown instanceof Error && "code" in thrown) return undefined;
        throw thrown;
      }
    });
  }

  #ended(): void {
    this.#pendingCount--;
    if (this.#pendingCount === 0) this.#whenIdle?.();
  }

  #failed(error: NodeJS.ErrnoException): BlockResult {
    return blockError(codeOf(error), `${this.#name} failed: ${error.message}.`);
  }

  #tooShort(): BlockResult {
    return blockError("disk-io", `${this.#name} has become shorter than it was.`);
  }

  #closed(): BlockResult {
    return blockError("disk-io", `${this.#name} is closed.`);
  }

  #readOnly(): BlockResult {
    return blockError("disk-read-only", `${this.#name} is read-only.`);
  }

  #assertRange(offset: number, lengthBytes: number): void {
    const isWhole = offset >= 0 && offset % SECTOR_BYTES === 0 && lengthBytes % SECTOR_BYTES === 0;
    assert(isWhole, "disks are accessed by whole sectors");
    assert(offset + lengthBytes <= this.sizeBytes, "the range is on the disk");
  }
}

function blockError(code: BlockErrorCode, message: string): BlockResult {
  return { ok: false, error: { code, message } };
}

function codeOf({ code }: NodeJS.ErrnoException): BlockErrorCode {
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return "disk-full";
    case "EROFS":
    case "EACCES":
    case "EPERM":
    case "EBADF":
      return "disk-read-only";
    default:
      return "disk-io";
  }
}

function openFile(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, flags, (error, fd) => {
      if (error === null) resolve(fd);
      else reject(error);
    });
  });
}

/** One name for a file or block device, whatever path led to it. */
function lockId(found: Stats): string {
  return found.isBlockDevice() ? `block-${found.rdev}` : `${found.dev}-${found.ino}`;
}

/** The size of a block device in bytes, from sysfs (Documentation/ABI/stable/sysfs-block: 512-byte sectors, always). */
async function blockDeviceBytes({ rdev }: Stats): Promise<number> {
  // Linux' dev_t: major in bits 8–19, minor in bits 0–7 and 20–31.
  const major = Math.floor(rdev / 0x100) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev / 0x1000) & 0xfff00);
  return SECTOR_BYTES * Number(await readFile(`/sys/dev/block/${major}:${minor}/size`, "latin1"));
}

function sentenceOf(name: string, isReadOnly: boolean, thrown: unknown): Result<never> | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  const verb = isReadOnly ? "read" : "written";
  switch (thrown.code) {
    case "ENOENT":
    case "ENOTDIR":
      return err("no-file", `${name} does not exist.`);
    case "EACCES":
    case "EPERM":
      return err("no-permission", `${name} cannot be ${verb}: permission denied.`);
    case "EROFS":
      return err("no-permission", `${name} cannot be written: its file system is read-only.`);
    default:
      return err("unreadable", `${name} cannot be ${verb}: ${thrown.message}.`);
  }
}
