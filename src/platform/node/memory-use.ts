/**
 * How much memory a VM's process takes, and what of it is the guest's. Guest RAM lies in one anonymous mapping whose
 * size is known exactly (the engine's prefix and guest RAM for us, guest RAM alone for QEMU). A page of it is resident
 * once somebody has written it. Pages in our prefix are counted apart by /proc/PID/pagemap and belong to the overhead.
 * That file also shows pages that were only read, which take no memory: the overhead errs towards too much.
 */

import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { mappingSizeBytes, parseSmaps } from "./smaps.ts";
import type { Mapping } from "./smaps.ts";

export interface GuestMemory {
  /** Bytes before guest RAM in its mapping that belong to the emulator. */
  readonly prefixBytes: number;
  readonly ramBytes: number;
  /** Bytes that may lie behind guest RAM in its mapping: video memory, ROM. They count as the guest's. */
  readonly behindMaxBytes: number;
}

/** Of one process, in bytes; the parts of the overhead add up to it. */
export interface MemoryUse {
  readonly resident: number;
  readonly touchedGuestRam: number;
  readonly overhead: number;
  readonly parts: MemoryParts;
}

export interface MemoryParts {
  /** Unchanged pages of the program and its libraries: one copy for all processes that run it. */
  readonly programFiles: number;
  /** What lies before guest RAM in its mapping: state, TLBs, translated code. */
  readonly enginePrefix: number;
  /** Anonymous executable memory: compiled code. */
  readonly compiledCode: number;
  /** The C heap and, for Node, V8's heaps and everything else. */
  readonly anonymousRest: number;
}

const PAGE_BYTES = 4096;
const PAGEMAP_ENTRY_BYTES = 8;
/** Bit 63 of a little-endian entry: the page is present. */
const PRESENT = 0x80;

/** Of a process of Linux's, or of this one; throws if /proc does not tell. */
export function memoryUse(pid: number | "self", guest: GuestMemory): MemoryUse {
  const mappings = parseSmaps(readFileSync(`/proc/${pid}/smaps`, "utf8"));
  const ram = guestMapping(mappings, guest);
  const enginePrefix = presentBytes(pid, ram.start, guest.prefixBytes);
  const touchedGuestRam = ram.residentBytes - enginePrefix;
  const resident = sum(mappings, (mapping) => mapping.residentBytes);
  const programFiles = sum(mappings, (mapping) => mapping.residentBytes - mapping.anonymousBytes);
  const compiledCode = sum(mappings, (mapping) =>
    mapping.permissions.includes("x") ? mapping.anonymousBytes : 0,
  );
  const overhead = resident - touchedGuestRam;
  return {
    resident,
    touchedGuestRam,
    overhead,
    parts: {
      programFiles,
      enginePrefix,
      compiledCode,
      anonymousRest: overhead - programFiles - enginePrefix - compiledCode,
    },
  };
}

/** Of this process; undefined where the host does not tell: no Linux, or no access to /proc. */
export function ownMemoryUse(guest: GuestMemory): MemoryUse | undefined {
  try {
    return memoryUse("self", guest);
  } catch {
    return undefined;
  }
}

function guestMapping(mappings: readonly Mapping[], guest: GuestMemory): Mapping {
  const sizeBytes = guest.prefixBytes + guest.ramBytes;
  const isGuests = (bytes: number): boolean =>
    bytes >= sizeBytes && bytes <= sizeBytes + guest.behindMaxBytes;
  const candidates = mappings.filter(
    (mapping) => mapping.path === "" && mapping.permissions === "rw-p" && isGuests(mappingSizeBytes(mapping)),
  );
  const [ram] = candidates;
  if (ram === undefined || candidates.length > 1) {
    throw new Error(`${candidates.length} mappings of ${sizeBytes} bytes may be guest RAM, not one`);
  }
  return ram;
}

function presentBytes(pid: number | "self", start: bigint, lengthBytes: number): number {
  const pages = lengthBytes / PAGE_BYTES;
  if (pages === 0) return 0;
  const entries = Buffer.alloc(pages * PAGEMAP_ENTRY_BYTES);
  const file = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    const at = (start / BigInt(PAGE_BYTES)) * BigInt(PAGEMAP_ENTRY_BYTES);
    const readBytes = readSync(file, entries, 0, entries.length, at);
    if (readBytes !== entries.length) throw new Error(`/proc/${pid}/pagemap ended early`);
  } finally {
    closeSync(file);
  }
  let present = 0;
  for (let at = PAGEMAP_ENTRY_BYTES - 1; at < entries.length; at += PAGEMAP_ENTRY_BYTES) {
    if (((entries[at] ?? 0) & PRESENT) !== 0) present++;
  }
  return present * PAGE_BYTES;
}

function sum(mappings: readonly Mapping[], bytesOf: (mapping: Mapping) => number): number {
  return mappings.reduce((total, mapping) => total + bytesOf(mapping), 0);
}
