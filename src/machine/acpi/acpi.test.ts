import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as aml from "./aml.ts";
import {
  buildAcpiTables,
  MAX_PROCESSORS,
  PC_FLOPPY_CONTROLLER,
  PC_PARALLEL_PORT,
  PC_PLATFORM,
  PC_SERIAL_PORTS,
} from "./index.ts";
import type { AcpiTables, PlatformDescription } from "./index.ts";

const BASE = 0xe0000;
const ALL_PARTS: PlatformDescription = {
  ...PC_PLATFORM,
  floppyController: PC_FLOPPY_CONTROLLER,
  serialPorts: PC_SERIAL_PORTS,
  parallelPort: PC_PARALLEL_PORT,
};
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0) & 0xff;

function tableOf(tables: AcpiTables, signature: string): DataView {
  const found = tables.tables.find((candidate) => candidate.signature === signature);
  assert.ok(found, signature);
  return new DataView(found.bytes.buffer, found.bytes.byteOffset, found.bytes.length);
}

/** Follows the pointers in the image, as a guest does. */
function signatureAt(tables: AcpiTables, gpa: number): string {
  return new TextDecoder().decode(tables.bytes.subarray(gpa - tables.gpa, gpa - tables.gpa + 4));
}

test("every checksum is zero and every pointer leads to the table it names", () => {
  const tables = buildAcpiTables(PC_PLATFORM, BASE);
  const view = new DataView(tables.bytes.buffer);
  assert.equal(new TextDecoder().decode(tables.bytes.subarray(0, 8)), "RSD PTR ");
  assert.equal(sum(tables.bytes.subarray(0, 20)), 0);
  assert.equal(sum(tables.bytes.subarray(0, 36)), 0);
  for (const { signature, bytes } of tables.tables) {
    if (signature !== "FACS") assert.equal(sum(bytes), 0, signature);
  }
  assert.equal(signatureAt(tables, view.getUint32(16, true)), "RSDT");
  assert.equal(signatureAt(tables, Number(view.getBigUint64(24, true))), "XSDT");
  const rsdt = tableOf(tables, "RSDT");
  const xsdt = tableOf(tables, "XSDT");
  const listed = [0, 1, 2].map((index) => rsdt.getUint32(36 + 4 * index, true));
  assert.deepEqual(
    listed.map((gpa) => signatureAt(tables, gpa)),
    ["FACP", "APIC", "HPET"],
  );
  assert.deepEqual(
    [0, 1, 2].map((index) => Number(xsdt.getBigUint64(36 + 8 * index, true))),
    listed,
  );
  const fadt = tableOf(tables, "FACP");
  assert.equal(signatureAt(tables, fadt.getUint32(36, true)), "FACS");
  assert.equal(fadt.getUint32(36, true) % 64, 0);
  assert.equal(signatureAt(tables, fadt.getUint32(40, true)), "DSDT");
});

test("the FADT names the PM block, the SCI and the reset register of the platform", () => {
  const fadt = tableOf(buildAcpiTables(PC_PLATFORM, BASE), "FACP");
  assert.equal(fadt.byteLength, 244);
  assert.equal(fadt.getUint16(46, true), 9);
  assert.deepEqual(
    [56, 64, 76, 80].map((at) => fadt.getUint32(at, true)),
    [0x600, 0x604, 0x608, 0x60c],
  );
  assert.deepEqual([fadt.getUint8(116), fadt.getUint32(120, true), fadt.getUint8(128)], [1, 0xcf9, 0x06]);
});

test("the MADT lists each processor, the I/O APIC and the overrides", () => {
  const madt = tableOf(buildAcpiTables({ ...PC_PLATFORM, apicIds: [0, 1] }, BASE), "APIC");
  const types: number[] = [];
  for (let at = 44; at < madt.byteLength; at += madt.getUint8(at + 1)) types.push(madt.getUint8(at));
  assert.deepEqual(types, [0, 0, 1, 2, 2, 2, 2, 2, 4]);
  assert.equal(madt.getUint32(36, true), 0xfee00000);
});

test("tables of the largest machine fit their area", () => {
  const apicIds = Array.from({ length: MAX_PROCESSORS }, (_, index) => index);
  const tables = buildAcpiTables({ ...PC_PLATFORM, apicIds }, BASE);
  assert.ok(tables.bytes.length < 0x10000, `${tables.bytes.length} bytes`);
});

test("AML integers, names and packages take their shortest encoding", () => {
  assert.deepEqual([...aml.integer(1)], [1]);
  assert.deepEqual([...aml.integer(0xff)], [0x0a, 0xff]);
  assert.deepEqual([...aml.integer(0x100)], [0x0b, 0, 1]);
  assert.deepEqual([...aml.integer(0x10000)], [0x0c, 0, 0, 1, 0]);
  assert.deepEqual([...aml.integer(2 ** 32)], [0x0e, 0, 0, 0, 0, 1, 0, 0, 0]);
  assert.deepEqual([...aml.eisaId("PNP0A03")], [0x0c, 0x41, 0xd0, 0x0a, 0x03]);
  assert.deepEqual([...aml.path("\\_SB.PCI0")], [0x5c, 0x2e, ...new TextEncoder().encode("_SB_PCI0")]);
  // 62 bytes of content are the most that a one-byte length can hold; 63 need two.
  assert.deepEqual([...aml.buffer(new Uint8Array(60)).subarray(0, 2)], [0x11, 63]);
  assert.deepEqual([...aml.buffer(new Uint8Array(61)).subarray(0, 3)], [0x11, 0x41, 0x04]);
});

const hasIasl = spawnSync("iasl", ["-v"]).status === 0;
const skip = hasIasl ? false : "iasl (Debian package acpica-tools) is not installed";

/** Runs iasl over every table: disassembles it, recompiles the result, and returns the bytes that come out. */
function roundTrip(platform: PlatformDescription): Map<string, { recompiled: Uint8Array; source: string }> {
  const folder = mkdtempSync(join(tmpdir(), "typevisor-acpi-"));
  try {
    const results = new Map<string, { recompiled: Uint8Array; source: string }>();
    for (const { signature, bytes } of buildAcpiTables(platform, BASE).tables) {
      // iasl has no compiler for these three.
      if (["RSDT", "XSDT", "FACS"].includes(signature)) continue;
      const file = join(folder, signature);
      writeFileSync(`${file}.dat`, bytes);
      execFileSync("iasl", ["-p", file, "-d", `${file}.dat`], { stdio: "pipe" });
      const output = execFileSync("iasl", ["-oa", "-p", `${file}-new`, `${file}.dsl`], {
        stdio: "pipe",
      }).toString();
      assert.match(output, / 0 Errors, 0 Warnings/, `${signature}: ${output}`);
      results.set(signature, {
        recompiled: readFileSync(`${file}-new.aml`),
        source: readFileSync(`${file}.dsl`, "utf8"),
      });
    }
    return results;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("iasl disassembles and recompiles every table without a difference in its body", { skip }, () => {
  const results = roundTrip({ ...ALL_PARTS, apicIds: [0, 1] });
  assert.deepEqual([...results.keys()].toSorted(), ["APIC", "DSDT", "FACP", "HPET"]);
  for (const { signature, bytes } of buildAcpiTables({ ...ALL_PARTS, apicIds: [0, 1] }, BASE).tables) {
    const result = results.get(signature);
    // The compiler signs the header; everything behind it must be what we assembled.
    if (result !== undefined)
      assert.deepEqual([...result.recompiled.subarray(36)], [...bytes.subarray(36)], signature);
  }
});

test("the DSDT reads as intended when iasl disassembles it", { skip }, () => {
  const source = roundTrip(ALL_PARTS).get("DSDT")?.source ?? "";
  for (const expected of [
    /Name \(\\_S5, Package \(0x04\)/,
    /Device \(PCI0\)[\s\S]*EisaId \("PNP0A03"\)/,
    /Device \(COM1\)[\s\S]*EisaId \("PNP0501"\)[\s\S]*IO \(Decode16,\s*0x03F8,/,
    /Device \(RTC\)/,
    /Device \(DMAC\)[\s\S]*EisaId \("PNP0200"\)[\s\S]*DMA \(Compatibility, BusMaster, Transfer8, \)\s*\{4\}/,
    /Device \(FDC0\)[\s\S]*EisaId \("PNP0700"\)[\s\S]*IO \(Decode16,\s*0x03F0,[\s\S]*IRQNoFlags \(\)\s*\{6\}\s*DMA \(Compatibility, NotBusMaster, Transfer8, \)\s*\{2\}/,
    /Device \(KBD\)/,
    /Device \(LNKD\)/,
    /Device \(HPET\)[\s\S]*Memory32Fixed \(ReadWrite,\s*0xFED00000,/,
  ]) {
    assert.match(source, expected);
  }
});
