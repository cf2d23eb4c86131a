/**
 * Builds cpio archives in the "newc" format (magic 070701), the only one Linux takes as an initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Nodes are data here, so no root is needed to put
 * /dev/console into one. The same entries always give the same bytes: times are 0 unless given, owners are root.
 *
 * Missing on purpose: reading, hard links, checksums (070702), files of 4 GiB and more.
 */
import { alignUp, assert } from "../../base/index.ts";

interface CpioEntryBase {
  /** Path without a leading slash; its parent directory must come earlier in the list. */
  readonly path: string;
  /** When it was last changed, in seconds since 1970, 32 bits; 0 unless given. */
  readonly modifiedSeconds?: number;
}

export type CpioEntry =
  | (CpioEntryBase & { readonly kind: "directory"; readonly mode?: number })
  | (CpioEntryBase & { readonly kind: "file"; readonly mode?: number; readonly data: Uint8Array })
  | (CpioEntryBase & { readonly kind: "symlink"; readonly target: string })
  | (CpioEntryBase & {
      readonly kind: "character-device";
      readonly mode?: number;
      readonly major: number;
      readonly minor: number;
    });

const MAGIC = "070701";
const TRAILER = "TRAILER!!!";
const HEADER_SIZE_BYTES = 110;
const ALIGNMENT_BYTES = 4;
/** The kernel's own bound on a name in an initramfs (PATH_MAX, init/initramfs.c), its NUL included. */
export const MAX_CPIO_PATH_BYTES = 4096;

// File type bits of st_mode (inode(7)).
const S_IFCHR = 0o020000;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

interface Member {
  readonly path: Uint8Array;
  readonly mode: number;
  readonly linkCount: number;
  readonly modifiedSeconds: number;
  readonly data: Uint8Array;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** The archive with its trailer, ready to be handed to a kernel as its initrd. */
export function buildCpio(entries: readonly CpioEntry[]): Uint8Array<ArrayBuffer> {
  const directories = new Set([""]);
  const seen = new Set<string>();
  const members = entries.map((entry) => {
    checkPath(entry.path, directories, seen);
    if (entry.kind === "directory") directories.add(entry.path);
    return memberOf(entry);
  });
  members.push(memberOf({ kind: "file", path: TRAILER, data: new Uint8Array(0), mode: 0 }));

  const archive = new Uint8Array(members.reduce((sum, member) => sum + sizeOf(member), 0));
  let offset = 0;
  members.forEach((member, index) => {
    const isTrailer = index === members.length - 1;
    archive.set(headerOf(member, isTrailer ? 0 : index + 1), offset);
    archive.set(member.path, offset + HEADER_SIZE_BYTES);
    archive.set(member.data, offset + dataOffsetOf(member));
    offset += sizeOf(member);
  });
  return archive;
}

/** The kernel silently drops an entry whose directory is missing, and a caller with such a list has a bug. */
function checkPath(path: string, directories: ReadonlySet<string>, seen: Set<string>): void {
  assert(path !== "" && !path.startsWith("/") && !path.endsWith("/"), `cpio path "${path}" is not relative`);
  assert(path !== TRAILER && !seen.has(path), `cpio path "${path}" is taken`);
  assert(
    directories.has(path.slice(0, Math.max(0, path.lastIndexOf("/")))),
    `cpio path "${path}" has no parent`,
  );
  seen.add(path);
}

function memberOf(entry: CpioEntry): Member {
  const encoder = new TextEncoder();
  const path = encoder.encode(`${entry.path}\0`);
  assert(path.length <= MAX_CPIO_PATH_BYTES, `cpio path of ${path.length} bytes is too long`);
  const modifiedSeconds = entry.modifiedSeconds ?? 0;
  assert(modifiedSeconds >>> 0 === modifiedSeconds, `cpio time ${modifiedSeconds} is no 32-bit number`);
  const plain = {
    ...{ path, modifiedSeconds, linkCount: 1, data: new Uint8Array(0) },
    ...{ deviceMajor: 0, deviceMinor: 0 },
  };
  switch (entry.kind) {
    case "directory":
      return { ...plain, mode: S_IFDIR | (entry.mode ?? 0o755), linkCount: 2 };
    case "file":
      return { ...plain, mode: S_IFREG | (entry.mode ?? 0o644), data: entry.data };
    case "symlink":
      return { ...plain, mode: S_IFLNK | 0o777, data: encoder.encode(entry.target) };
    case "character-device":
      return {
        ...plain,
        mode: S_IFCHR | (entry.mode ?? 0o600),
        deviceMajor: entry.major,
        deviceMinor: entry.minor,
      };
  }
}

function dataOffsetOf(member: Member): number {
  return alignUp(HEADER_SIZE_BYTES + member.path.length, ALIGNMENT_BYTES);
}

function sizeOf(member: Member): number {
  return alignUp(dataOffsetOf(member) + member.data.length, ALIGNMENT_BYTES);
}

/** Thirteen fields of eight hexadecimal digits after the magic, in the order of the kernel's document. */
function headerOf(member: Member, inode: number): Uint8Array {
  const fields = [
    inode,
    member.mode,
    0, // uid
    0, // gid
    member.linkCount,
    member.modifiedSeconds,
    member.data.length,
    0, // device holding the file: major
    0, // and minor
    member.deviceMajor,
    member.deviceMinor,
    member.path.length,
    0, // checksum, used by 070702 only
  ];
  const text = MAGIC + fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join("");
  return new TextEncoder().encode(text);
}
