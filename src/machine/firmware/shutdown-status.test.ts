import assert from "node:assert/strict";
import { test } from "node:test";

import { FirmwareBench } from "./testing.ts";

const SHUTDOWN_STATUS = 0x0f;
const ADDRESS_GPA = 0x467;

/** After a program has noted how to go on. Test guests (test/system) show what becomes of the rest of the machine. */
async function noted(status: number, address = 0): Promise<FirmwareBench> {
  const bench = await FirmwareBench.start();
  note(bench, status);
  bench.ram.writeU32(ADDRESS_GPA, address);
  return bench;
}

function note(bench: FirmwareBench, status: number): void {
  bench.board.ports.writePort(0x70, 1, SHUTDOWN_STATUS);
  bench.board.ports.writePort(0x71, 1, status);
}

function statusOf(bench: FirmwareBench): number {
  bench.board.ports.writePort(0x70, 1, SHUTDOWN_STATUS);
  return bench.board.ports.readPort(0x71, 1);
}

test("it goes on only by the ways that mean something to programs", async () => {
  const bench = await FirmwareBench.start();
  const resuming = [];
  for (let status = 0; status < 0x100; status++) {
    note(bench, status);
    if (bench.bios.resumesAfterReset) resuming.push(status);
  }
  assert.deepEqual(resuming, [0x04, 0x05, 0x09, 0x0a, 0x0b, 0x0c]);
});

test("the status is for one reset, and a self-test forgets it", async () => {
  const bench = await noted(0x0a, 0x1234_5678);
  const { cs, rip, ss, ds, gpr } = bench.bios.resume(bench.processor);
  assert.deepEqual([cs.selector, cs.base, rip], [0x1234, 0x12340n, 0x5678n]);
  assert.deepEqual([ds.selector, ss.selector, gpr[4]], [0x40, 0x30, 0x100n]);
  assert.deepEqual([statusOf(bench), bench.bios.resumesAfterReset], [0, false]);
  const tested = await noted(0x0a);
  tested.bios.reset();
  assert.equal(statusOf(tested), 0);
});

test("04h boots: the processor goes on at the ROM's INT 19h", async () => {
  const bench = await noted(0x04);
  const { cs, rip } = bench.bios.resume(bench.processor);
  const gpa = Number(cs.base + rip);
  assert.deepEqual([bench.ram.readU8(gpa), bench.ram.readU8(gpa + 1)], [0xcd, 0x19]);
});

test("a stack that ends at the end of its segment goes on at its beginning", async () => {
  const bench = await noted(0x0c, 0x2000_fffe);
  bench.ram.writeU16(0x2fffe, 0x1111);
  bench.ram.writeU16(0x20000, 0x2222);
  const { cs, rip, gpr } = bench.bios.resume(bench.processor);
  assert.deepEqual([rip, cs.selector, gpr[4]], [0x1111n, 0x2222, 2n]);
});
