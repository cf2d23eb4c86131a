import { concatBytes } from "../../base/index.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ACPI_LOADER_FILES, acpiLoaderFiles, buildAcpiTables, PC_PLATFORM } from "./index.ts";
import type { AcpiLoaderFiles } from "./index.ts";

const TABLES_GPA = 0x7fe_0000;
const NAME_BYTES = 56;
const COMMAND_BYTES = 128;

const nameAt = (bytes: Uint8Array, at: number): string =>
  new TextDecoder().decode(bytes.subarray(at, at + NAME_BYTES)).replace(/\0.*$/s, "");

/** Executes the script as firmware does that puts each file at the place that is given for it. */
function load(files: AcpiLoaderFiles, places: ReadonlyMap<string, number>) {
  const memory = new Map([
    [ACPI_LOADER_FILES.rsdp, files.rsdp.slice()],
    [ACPI_LOADER_FILES.tables, files.tables.slice()],
  ]);
  const script = files.loader;
  const view = new DataView(script.buffer);
  const allocations: unknown[] = [];
  const commands: Readonly<Record<number, (at: number, file: Uint8Array, name: string) => void>> = {
    1: (at, _file, name) => allocations.push([name, view.getUint32(at + 60, true), view.getUint8(at + 64)]),
    2: (at, file) => {
      const base = BigInt(places.get(nameAt(script, at + 60)) ?? 0);
      const pointerAt = view.getUint32(at + 116, true);
      const bits = 8 * view.getUint8(at + 120);
      const target = new DataView(file.buffer);
      const low = BigInt(target.getUint32(pointerAt, true)) + base;
      target.setUint32(pointerAt, Number(BigInt.asUintN(Math.min(bits, 32), low)), true);
    },
    3: (at, file) => {
      const [where = 0, start = 0, length = 0] = [60, 64, 68].map((each) => view.getUint32(at + each, true));
      const sum = file.subarray(start, start + length).reduce((total, byte) => total + byte, 0);
      // As OVMF has it; SeaBIOS leaves out what stands there, which comes to the same if that is 0.
      file[where] = -sum & 0xff;
    },
  };
  for (let at = 0; at < script.length; at += COMMAND_BYTES) {
    const name = nameAt(script, at + 4);
    commands[view.getUint32(at, true)]?.(at, memory.get(name) ?? new Uint8Array(0), name);
  }
  return { memory, allocations, commandCount: script.length / COMMAND_BYTES };
}

test("what the loader leaves are the tables as they would have been made for that place", () => {
  const files = acpiLoaderFiles(PC_PLATFORM);
  const { memory, allocations, commandCount } = load(files, new Map([["etc/acpi/tables", TABLES_GPA]]));
  assert.deepEqual(allocations, [
    ["etc/acpi/tables", 64, 1],
    ["etc/acpi/rsdp", 16, 2],
  ]);
  assert.ok(commandCount > 10);
  const direct = buildAcpiTables(PC_PLATFORM, TABLES_GPA).bytes;
  const rsdp = memory.get("etc/acpi/rsdp") ?? new Uint8Array(0);
  const tables = memory.get("etc/acpi/tables") ?? new Uint8Array(0);
  assert.deepEqual(concatBytes(rsdp, tables.subarray(rsdp.length)), direct);
  assert.deepEqual([files.rsdp[8], files.rsdp[32]], [0, 0]);
});

test("memory that the tables' file is copied to has no second root pointer", () => {
  const { tables } = acpiLoaderFiles(PC_PLATFORM);
  assert.doesNotMatch(new TextDecoder("latin1").decode(tables), /RSD PTR/);
});

test("ports that firmware has put elsewhere are in the tables, which keep their size and script", () => {
  const pm = { ...PC_PLATFORM.pm, ioBase: 0xb000, smbusIoBase: 0xb100 };
  const usual = acpiLoaderFiles(PC_PLATFORM);
  const moved = acpiLoaderFiles({ ...PC_PLATFORM, pm });
  assert.deepEqual([moved.rsdp, moved.loader], [usual.rsdp, usual.loader]);
  assert.equal(moved.tables.length, usual.tables.length);
  const { memory } = load(moved, new Map([[ACPI_LOADER_FILES.tables, TABLES_GPA]]));
  const direct = buildAcpiTables({ ...PC_PLATFORM, pm }, TABLES_GPA).bytes;
  const tables = memory.get(ACPI_LOADER_FILES.tables);
  assert.deepEqual(tables?.subarray(moved.rsdp.length), direct.subarray(moved.rsdp.length));
});
