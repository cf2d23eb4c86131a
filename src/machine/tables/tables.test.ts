import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB } from "../../base/index.ts";
import { PC_PLATFORM } from "../acpi/index.ts";
import { buildInterruptRouting, buildMpTable, buildSmbios, INTERRUPT_ROUTING_BYTES_MAX } from "./index.ts";

const GPA = 0xf0000;
const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0) & 0xff;
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** Types and lengths of structures, as software walks them: formatted area, then strings up to two zeros. */
function structures(table: Uint8Array): { readonly type: number; readonly strings: readonly string[] }[] {
  const found = [];
  for (let at = 0; at < table.length;) {
    const type = table[at] ?? 0;
    const start = at + (table[at + 1] ?? 0);
    let end = start;
    while (table[end] !== 0 || table[end + 1] !== 0) end++;
    found.push({
      type,
      strings: text(table.subarray(start, end))
        .split("\0")
        .filter((string) => string !== ""),
    });
    at = end + 2;
  }
  return found;
}

function smbios(ramBytes = 512 * MiB) {
  const description = { ramBytes, processorCount: 1, firmwareVersion: "7", biosSegment: 0xe000 };
  const bytes = buildSmbios(description, GPA);
  const view = viewOf(bytes);
  const start = view.getUint32(0x18, true) - GPA;
  return { bytes, view, table: bytes.subarray(start, start + view.getUint16(0x16, true)) };
}

test("the SMBIOS entry point is valid in both its parts", () => {
  const { bytes, view } = smbios();
  assert.equal(text(bytes.subarray(0, 4)), "_SM_");
  assert.equal(text(bytes.subarray(16, 21)), "_DMI_");
  assert.deepEqual([sum(bytes.subarray(0, 0x1f)), sum(bytes.subarray(16, 0x1f))], [0, 0]);
  assert.equal(view.getUint32(0x18, true), GPA + 0x20);
});

test("its structures can be walked to the end, and say what the machine is", () => {
  const { view, table } = smbios();
  const found = structures(table);
  assert.equal(found.length, view.getUint16(0x1c, true));
  assert.deepEqual(
    found.map(({ type }) => type),
    [0, 1, 3, 4, 16, 17, 19, 32, 127],
  );
  assert.deepEqual(found[0]?.strings, ["Typevisor", "7", "11/22/2026"]);
  assert.deepEqual(found[1]?.strings, ["Typevisor", "Typevisor PC", "7"]);
});

test("the MP table is valid, and its interrupts lead where the platform routes them", () => {
  const bytes = buildMpTable(PC_PLATFORM, GPA);
  assert.equal(text(bytes.subarray(0, 4)), "_MP_");
  assert.equal(sum(bytes.subarray(0, 16)), 0);
  assert.equal(viewOf(bytes).getUint32(4, true), GPA + 16);
  const table = bytes.subarray(16);
  assert.equal(text(table.subarray(0, 4)), "PCMP");
  assert.equal(viewOf(table).getUint16(4, true), table.length);
  assert.equal(sum(table), 0);
  const entries: Uint8Array[] = [];
  for (let at = 44; at < table.length;) {
    const lengthBytes = table[at] === 0 ? 20 : 8;
    entries.push(table.subarray(at, at + lengthBytes));
    at += lengthBytes;
  }
  assert.equal(entries.length, viewOf(table).getUint16(34, true));
  const route = (bus: number, irq: number): number[] => [
    ...(entries.find((entry) => entry[0] === 3 && entry[4] === bus && entry[5] === irq) ?? []),
  ];
  // The timer is at input 2; INTA# of device 4 is PIRQD, on IRQ 11, level-triggered.
  assert.deepEqual(route(1, 0), [3, 0, 0, 0, 1, 0, 1, 2]);
  assert.deepEqual(route(0, 4 << 2), [3, 0, 0x0d, 0, 0, 16, 1, 11]);
});

test("the table of interrupt routing is valid, and says what each slot's pins are wired to", () => {
  const table = buildInterruptRouting([5, 10, 11]);
  const view = viewOf(table);
  assert.equal(text(table.subarray(0, 4)), "$PIR");
  assert.deepEqual([sum(table), view.getUint16(6, true)], [0, table.length]);
  assert.ok(table.length <= INTERRUPT_ROUTING_BYTES_MAX);
  assert.equal(view.getUint32(12, true), 0x7000_8086);
  // The chipset's own pins begin with PIRQA, those of device 4 with PIRQD.
  const entry = (number: number): number[] => [...table.subarray(32 + 16 * (number - 1), 32 + 16 * number)];
  const irqs = [0x20, 0x0c];
  const wired = (...links: number[]): number[] => links.flatMap((link) => [link, ...irqs]);
  assert.deepEqual(entry(1), [0, 1 << 3, ...wired(0x60, 0x61, 0x62, 0x63), 0, 0]);
  assert.deepEqual(entry(4), [0, 4 << 3, ...wired(0x63, 0x60, 0x61, 0x62), 2, 0]);
});
