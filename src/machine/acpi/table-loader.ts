/**
 * ACPI tables for firmware that places them itself: files with the tables and the RSDP, whose pointers count from their
 * file's start, and a script of commands that say where files go, which pointers to correct and which checksums to make
 * anew ("QEMU linker/loader interface", as SeaBIOS and OVMF execute it from etc/table-loader).
 */

import { assert, concatBytes } from "../../base/index.ts";
import type { PlatformDescription } from "./platform.ts";
import {
  buildAcpiTables,
  CHECKSUM_AT,
  FACS_ALIGNMENT,
  RSDP_AT,
  RSDP_BYTES,
  RSDP_V1_BYTES,
} from "./tables.ts";

export interface AcpiLoaderFiles {
  readonly rsdp: Uint8Array;
  readonly tables: Uint8Array;
  readonly loader: Uint8Array;
}

/** The names by which firmware asks for them. */
export const ACPI_LOADER_FILES: Readonly<Record<keyof AcpiLoaderFiles, string>> = {
  rsdp: "etc/acpi/rsdp",
  tables: "etc/acpi/tables",
  loader: "etc/table-loader",
};

const TABLES_FILE = ACPI_LOADER_FILES.tables;
const RSDP_FILE = ACPI_LOADER_FILES.rsdp;

const COMMAND = { allocate: 1, addPointer: 2, addChecksum: 3 } as const;
const COMMAND_BYTES = 128;
const FILE_NAME_BYTES = 56;
/** Where a file may go: anywhere below 4 GiB, or between F0000 and FFFFF, where guests look for the RSDP. */
const ZONE = { high: 1, fSegment: 2 } as const;
const RSDP_ALIGNMENT = 16;

/** A number of the command, by its size. */
type Argument = string | readonly [value: number, sizeBytes: 1 | 4];

function command(kind: keyof typeof COMMAND, ...args: readonly Argument[]): Uint8Array {
  const bytes = new Uint8Array(COMMAND_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, COMMAND[kind], true);
  let at = 4;
  for (const arg of args) {
    if (typeof arg === "string") {
      const name = new TextEncoder().encode(arg);
      assert(name.length < FILE_NAME_BYTES, "a file's name fits, with its final zero");
      bytes.set(name, at);
      at += FILE_NAME_BYTES;
      continue;
    }
    const [value, sizeBytes] = arg;
    if (sizeBytes === 1) view.setUint8(at, value);
    else view.setUint32(at, value, true);
    at += sizeBytes;
  }
  return bytes;
}

const allocate = (file: string, alignment: number, zone: number): Uint8Array =>
  command("allocate", file, [alignment, 4], [zone, 1]);
/** The pointer at `at` in `file` counts from the start of the tables' file. */
const addPointer = (file: string, at: number, sizeBytes: 4 | 8): Uint8Array =>
  command("addPointer", file, TABLES_FILE, [at, 4], [sizeBytes, 1]);
const addChecksum = (file: string, at: number, start: number, lengthBytes: number): Uint8Array =>
  command("addChecksum", file, [at, 4], [start, 4], [lengthBytes, 4]);

/** The three files. Other addresses of the same parts change bytes of the tables, never the size or the script. */
export function acpiLoaderFiles(platform: PlatformDescription): AcpiLoaderFiles {
  // With address 0 for the first byte all addresses are offsets in the file.
  const { bytes, tables } = buildAcpiTables(platform, 0);
  const rsdp = bytes.slice(0, RSDP_BYTES);
  // The RSDP has a file of its own; what is left of it here would be found by guests that search memory.
  const tablesFile = bytes.slice().fill(0, 0, RSDP_BYTES);
  const corrected = tables.filter(({ pointers }) => pointers.length > 0);
  // OVMF counts the byte itself in, which has to be 0 for that.
  for (const { gpa } of corrected) tablesFile[gpa + CHECKSUM_AT] = 0;
  rsdp[RSDP_AT.checksum] = 0;
  rsdp[RSDP_AT.extendedChecksum] = 0;
  const corrections = corrected.flatMap(({ gpa, bytes: table, pointers }) => [
    ...pointers.map(({ at, sizeBytes }) => addPointer(TABLES_FILE, gpa + at, sizeBytes)),
    addChecksum(TABLES_FILE, gpa + CHECKSUM_AT, gpa, table.length),
  ]);
  const loader = concatBytes(
    allocate(TABLES_FILE, FACS_ALIGNMENT, ZONE.high),
    allocate(RSDP_FILE, RSDP_ALIGNMENT, ZONE.fSegment),
    ...corrections,
    addPointer(RSDP_FILE, RSDP_AT.rsdt, 4),
    addPointer(RSDP_FILE, RSDP_AT.xsdt, 8),
    addChecksum(RSDP_FILE, RSDP_AT.checksum, 0, RSDP_V1_BYTES),
    addChecksum(RSDP_FILE, RSDP_AT.extendedChecksum, 0, RSDP_BYTES),
  );
  return { rsdp, tables: tablesFile, loader };
}
