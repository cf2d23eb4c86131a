/**
 * Accesses while paging is off (MODE_DIRECT): where RAM ends, where code lies, and what ends them on the way. Compiled
 * regions make them without a TLB, so that each program goes many times round the same instructions.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as L from "../layout.ts";
import type { EngineHost } from "./engine.ts";
import { CODE, DATA, RAM_SIZE_BYTES, STACK_TOP, TestMachine, type MachineOptions } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const tiers = ["interpreter", "regions"] as const;

const RCX = 1;
const RDX = 2;
const HLT = 0xf4;
const DEBUG = 1;
const ALIGNMENT = 17;
const AC = 0x40000;
const PE = 1;
const PG_PE = 0x80000001;
/** Tables of what a program takes in each round, and of what it has found; both are gone through from their ends. */
const FIRST_TABLE = 0x41000;
const SECOND_TABLE = 0x42000;
const FOUND = 0x43000;
/** Rounds before those that matter: the code is compiled by then. */
const ROUNDS_BEFORE = 8;
const END = RAM_SIZE_BYTES;

const u32 = (value: number): number[] => [
  value & 0xff,
  (value >>> 8) & 0xff,
  (value >>> 16) & 0xff,
  value >>> 24,
];
/** mov reg, [table + ecx * 4 - 4]. */
const take = (register: number, table: number): number[] => [
  0x8b,
  0x04 | (register << 3),
  0x8d,
  ...u32(table - 4),
];
/** mov [FOUND + ecx * 4 - 4], reg. */
const keep = (register: number): number[] => [0x89, 0x04 | (register << 3), 0x8d, ...u32(FOUND - 4)];
const EAX = 0;
const EDX = 2;
const ESI = 6;
/** The body, then dec ecx; jnz to it; hlt. */
const looped = (body: readonly number[]): number[] => [
  ...body,
  ...[0x49, 0x0f, 0x85, ...u32(-(body.length + 7))],
  HLT,
];

/** A device behind RAM whose bytes say where they are, and what has been written to it. */
class Device {
  readonly written: (readonly [gpa: number, value: number])[] = [];
  readonly host: Partial<EngineHost> = {
    readMmio: (gpa, size) => {
      let value = 0;
      for (let i = 0; i < size; i++) value += (0xa0 | ((gpa + i) & 0xf)) * 2 ** (8 * i);
      return value;
    },
    writeMmio: (gpa, size, value) => {
      for (let i = 0; i < size; i++) this.written.push([gpa + i, (value >>> (8 * i)) & 0xff]);
    },
  };
}

function machineOf(
  tier: MachineOptions["tier"],
  body: readonly number[],
  more: Partial<MachineOptions> = {},
) {
  return new TestMachine({ core, tier, mode: "protected", code: looped(body), ...more });
}

/** Gives the rounds of a program their values, the last ones first, and many rounds with the first of them before. */
function fill(machine: TestMachine, table: number, values: readonly number[]): void {
  const all = [...values.toReversed(), ...Array<number>(ROUNDS_BEFORE).fill(values[0] ?? 0)];
  for (const [i, value] of all.entries()) machine.view.setUint32(table + 4 * i, value, true);
  machine.setGpr(RCX, all.length);
}

/** What the rounds with values have kept, in the order in which they ran. */
const found = (machine: TestMachine, count: number): number[] =>
  Array.from({ length: count }, (_, i) => machine.view.getUint32(FOUND + 4 * (count - 1 - i), true));

function assertCompiled(machine: TestMachine, tier: MachineOptions["tier"]): void {
  assert.equal(machine.engine.statistics.regionsCompiled > 0, tier === "regions");
}

for (const tier of tiers) {
  test(`${tier}: loads in front of RAM's end, across it, behind it and around 4 GiB`, () => {
    const addresses = [DATA, END - 5, END - 4, END - 3, END - 1, END, 0xffff_fffe, DATA];
    // mov esi, [next]; mov eax, [esi]; keep it
    const { host } = new Device();
    const machine = machineOf(tier, [...take(ESI, FIRST_TABLE), 0x8b, 0x06, ...keep(EAX)], { host });
    machine.ram.set([0x55, 0x66], 0);
    machine.ram.set([1, 2, 3, 4, 5, 6, 7, 8], END - 8);
    machine.view.setUint32(DATA, 0x12345678, true);
    fill(machine, FIRST_TABLE, addresses);
    assert.equal(machine.run(), "halt");
    assert.deepEqual(found(machine, addresses.length), [
      ...[0x12345678, 0x07060504, 0x08070605, 0xa0080706, 0xa2a1a008, 0xa3a2a1a0, 0x6655afae],
      0x12345678,
    ]);
    assertCompiled(machine, tier);
  });

  test(`${tier}: stores in front of RAM's end, across it, behind it and around 4 GiB`, () => {
    const addresses = [DATA, END - 8, END - 2, END, 0xffff_ffff, DATA + 2];
    // mov esi, [next]; mov [esi], 44332211h
    const device = new Device();
    const store = [0xc7, 0x06, ...u32(0x44332211)];
    const machine = machineOf(tier, [...take(ESI, FIRST_TABLE), ...store], { host: device.host });
    fill(machine, FIRST_TABLE, addresses);
    assert.equal(machine.run(), "halt");
    assert.deepEqual([...machine.ram.subarray(END - 8)], [0x11, 0x22, 0x33, 0x44, 0, 0, 0x11, 0x22]);
    assert.deepEqual([...machine.ram.subarray(DATA, DATA + 6)], [0x11, 0x22, 0x11, 0x22, 0x33, 0x44]);
    assert.deepEqual([...machine.ram.subarray(0, 4)], [0x22, 0x33, 0x44, 0]);
    assert.deepEqual(device.written, [
      ...[END, END + 1].map((gpa, i) => [gpa, [0x33, 0x44][i]]),
      ...[END, END + 1, END + 2, END + 3].map((gpa, i) => [gpa, [0x11, 0x22, 0x33, 0x44][i]]),
      [0xffff_ffff, 0x11],
    ]);
    assertCompiled(machine, tier);
  });

  test(`${tier}: accesses that share a check, some of them in front of RAM's end and some behind it`, () => {
    // mov esi, [next]; mov eax, [esi]; inc dword [esi + 4]; mov [esi + 8], cx; add eax, [esi + 12]; keep it
    const body = [
      ...[...take(ESI, FIRST_TABLE), 0x8b, 0x06, 0xff, 0x46, 0x04, 0x66, 0x89, 0x4e, 0x08],
      ...[0x03, 0x46, 0x0c, ...keep(EAX)],
    ];
    const addresses = [DATA, ...Array.from({ length: 24 }, (_, i) => END - 20 + i)];
    const results = [tier, "interpreter" as const].map((each) => {
      const device = new Device();
      const machine = machineOf(each, body, { host: device.host });
      for (let i = 1; i <= 32; i++) machine.ram[END - i] = 3 * i;
      fill(machine, FIRST_TABLE, addresses);
      assert.equal(machine.run(), "halt");
      assertCompiled(machine, each);
      return [found(machine, addresses.length), [...machine.ram.subarray(END - 32)], device.written];
    });
    assert.deepEqual(results[0], results[1]);
  });

  test(`${tier}: locked instructions around RAM's end and in front of code`, () => {
    // mov esi, [next]; lock inc dword [esi]; mov eax, [esi]; keep it
    const body = [...take(ESI, FIRST_TABLE), 0xf0, 0xff, 0x06, 0x8b, 0x06, ...keep(EAX)];
    const addresses = [DATA, DATA + 1, CODE - 4, CODE + 0x800, END - 8, END - 4, END - 2, END];
    const device = new Device();
    const machine = machineOf(tier, body, { host: device.host });
    fill(machine, FIRST_TABLE, addresses);
    assert.equal(machine.run(), "halt");
    assert.deepEqual(found(machine, addresses.length), [
      ...[ROUNDS_BEFORE + 1, 1, 1, 1, 1, 1],
      ...[0xa1a0_0001, 0xa3a2_a1a0],
    ]);
    assert.deepEqual(
      device.written.map(([gpa]) => gpa),
      [END, END + 1, END, END + 1, END + 2, END + 3],
    );
    assertCompiled(machine, tier);
  });

  test(`${tier}: stores into code, across its page's border and beside it`, () => {
    // There: mov al, n; ret. Here: mov esi, [next]; mov edx, [value]; mov [esi], edx; call there; movzx eax, al; keep it
    const there = 0x50000;
    const stored: readonly (readonly [address: number, value: number])[] = [
      [DATA, 0],
      [there - 2, 0x02b0_0000],
      [there - 4, 0xffff_ffff],
      [there, 0x90c3_03b0],
      [there + 1, 0x9090_c304],
      [there + 0x800, 0xffff_ffff],
      [there + 0x1000, 0xffff_ffff],
      [there - 3, 0xb0ff_ffff],
      [there - 2, 0x05b0_ffff],
    ];
    const head = [...take(ESI, FIRST_TABLE), ...take(EDX, SECOND_TABLE), 0x89, 0x16];
    const call = [0xe8, ...u32(there - (CODE + head.length + 5))];
    const machine = machineOf(tier, [...head, ...call, 0x0f, 0xb6, 0xc0, ...keep(EAX)]);
    machine.ram.set([0xb0, 1, 0xc3], there);
    fill(machine, FIRST_TABLE, stored.map(([address]) => address)); // prettier-ignore
    fill(machine, SECOND_TABLE, stored.map(([, value]) => value)); // prettier-ignore
    assert.equal(machine.run(), "halt");
    assert.deepEqual(found(machine, stored.length), [1, 2, 2, 3, 4, 4, 4, 4, 5]);
    assertCompiled(machine, tier);
  });

  test(`${tier}: a page takes stores while neither it nor the next one holds code`, () => {
    const machine = machineOf(tier, [0x90]);
    const page = CODE / L.PAGE_SIZE;
    const last = END / L.PAGE_SIZE - 1;
    const pages = [page - 2, page - 1, page, page + 1, last - 1, last, last + 1, 0xfffff];
    const storable = (): number[] =>
      pages.map((each) => new Uint8Array(machine.ram.buffer)[L.STORABLE_PAGES + each] ?? -1);
    assert.deepEqual(storable(), [1, 1, 1, 1, 1, 0, 0, 0]);
    machine.setGpr(RCX, 3);
    assert.equal(machine.run(), "halt");
    assert.deepEqual(storable(), [1, 0, 0, 1, 1, 0, 0, 0]);
    machine.engine.memoryWritten(CODE, 1);
    assert.deepEqual(storable(), [1, 1, 1, 1, 1, 0, 0, 0]);
  });

  test(`${tier}: the A20 gate moved by a repeated string instruction in the middle of a loop`, () => {
    // mov ebp, ecx; mov esi, FIRST_TABLE - 4 + 4 ecx; mov ecx, 1; mov dx, 92h; rep outsb; mov ecx, ebp
    const head = [
      ...[0x89, 0xcd, 0x8d, 0x34, 0x8d, ...u32(FIRST_TABLE - 4), 0xb9, 1, 0, 0, 0, 0x66, 0xba, 0x92, 0],
      ...[0xf3, 0x6e, 0x89, 0xe9],
    ];
    // mov eax, [104000h]; mov [104004h], ecx; keep eax
    const accesses = [0xa1, ...u32(0x10_4000), 0x89, 0x0d, ...u32(0x10_4004), ...keep(EAX)];
    const host: Partial<EngineHost> = {
      writePort: (_port, _size, value) => machine.engine.setA20((value & 2) !== 0),
    };
    const machine: TestMachine = machineOf(tier, [...head, ...accesses], { host });
    machine.view.setUint32(0x4000, 0x1111, true);
    machine.view.setUint32(0x10_4000, 0x2222, true);
    fill(machine, FIRST_TABLE, [2, 0, 0, 2, 0, 2]);
    assert.equal(machine.run(), "halt");
    assert.deepEqual(found(machine, 6), [0x2222, 0x1111, 0x1111, 0x2222, 0x1111, 0x2222]);
    assert.deepEqual([0x4004, 0x10_4004].map((at) => machine.view.getUint32(at, true)), [2, 1]); // prettier-ignore
    assertCompiled(machine, tier);
  });

  test(`${tier}: the A20 gate in real mode, a segment reaching over 1 MiB`, () => {
    // again: mov al, [si]; inc si; out 92h, al; mov ax, [4010h]; stosw; loop again
    const code = [0x8a, 0x04, 0x46, 0xe6, 0x92, 0xa1, 0x10, 0x40, 0xab, 0xe2, 0xf5, HLT];
    const host: Partial<EngineHost> = {
      writePort: (_port, _size, value) => machine.engine.setA20((value & 2) !== 0),
    };
    const machine: TestMachine = new TestMachine({ core, tier, mode: "protected", code, host });
    const real = (selector: number) => ({
      ...{ selector, base: BigInt(selector) << 4n },
      ...{ limit: 0xffff, attributes: 0x93 },
    });
    const gates = [2, 2, 2, 2, 0, 2, 0, 0, 2];
    // At ffff0h + 5000h, and where that is while the gate is closed.
    machine.ram.set(gates, 0x10_4ff0);
    machine.ram.set(gates, 0x4ff0);
    machine.view.setUint16(0x10_4000, 0x2222, true);
    machine.view.setUint16(0x4000, 0x1111, true);
    machine.change({
      ...{ cs: real(CODE >> 4), ds: real(0xffff), es: real(DATA >> 4), ss: real(STACK_TOP >> 4) },
      ...{ rip: 0n, cr0: 0n, idtr: { base: 0n, limit: 0x3ff } },
    });
    machine.setGpr(RCX, gates.length);
    machine.setGpr(ESI, 0x5000);
    assert.equal(machine.run(), "halt");
    assert.deepEqual(
      gates.map((_, i) => machine.view.getUint16(DATA + 2 * i, true)),
      [0x2222, 0x2222, 0x2222, 0x2222, 0x1111, 0x2222, 0x1111, 0x1111, 0x2222],
    );
    assertCompiled(machine, tier);
  });

  test(`${tier}: a data breakpoint armed in the middle of a loop`, () => {
    // mov eax, [next]; mov dr7, eax; mov edx, [DATA]; nop
    const load = [0x8b, 0x15, ...u32(DATA)];
    const head = [...take(EAX, FIRST_TABLE), 0x0f, 0x23, 0xf8];
    const machine = machineOf(tier, [...head, ...load, 0x90]);
    const watchesReads = 0x000f_0402;
    fill(machine, FIRST_TABLE, [0x400, 0x400, watchesReads, 0x400]);
    machine.engine.registers.setU64(L.DR, BigInt(DATA));
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip], [DEBUG, BigInt(CODE + head.length + load.length)]);
    assert.equal(machine.gpr(RCX), 2n);
    assertCompiled(machine, tier);
  });

  test(`${tier}: alignment that is checked from the middle of a loop on`, () => {
    // push dword [next]; popf; mov edx, [DATA + 1]
    const head = [0xff, 0x34, 0x8d, ...u32(FIRST_TABLE - 4), 0x9d];
    const machine = machineOf(tier, [...head, 0x8b, 0x15, ...u32(DATA + 1)], { cpl: 3 });
    const { cr0 } = machine.engine.registers.read();
    machine.change({ cr0: cr0 | 0x40000n });
    fill(machine, FIRST_TABLE, [2, 2, AC | 2, 2]);
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip], [ALIGNMENT, BigInt(CODE + head.length)]);
    assert.equal(machine.gpr(RCX), 2n);
    assertCompiled(machine, tier);
  });

  test(`${tier}: paging that begins and ends in the middle of a loop`, () => {
    // mov eax, [next]; mov cr0, eax; mov edx, [400000h + DATA]; mov [400000h + DATA + 4], ecx; keep edx
    const mapped = 0x40_0000 + DATA;
    const body = [
      ...[...take(EAX, FIRST_TABLE), 0x0f, 0x22, 0xc0, 0x8b, 0x15, ...u32(mapped), 0x89, 0x0d],
      ...[...u32(mapped + 4), ...keep(EDX)],
    ];
    const device = new Device();
    const machine = machineOf(tier, body, { host: device.host });
    // Pages of 4 MiB: the first is itself, the second the first.
    const directory = 0x10_0000;
    machine.view.setUint32(directory, 0x83, true);
    machine.view.setUint32(directory + 4, 0x83, true);
    machine.change({ cr3: BigInt(directory), cr4: 0x210n });
    machine.view.setUint32(DATA, 0x1234, true);
    fill(machine, FIRST_TABLE, [PE, PG_PE, PG_PE, PE, PG_PE, PE]);
    assert.equal(machine.run(), "halt");
    const device32 = 0xa3a2a1a0;
    assert.deepEqual(found(machine, 6), [device32, 0x1234, 0x1234, device32, 0x1234, device32]);
    assert.equal(machine.view.getUint32(DATA + 4, true), 2);
    assert.deepEqual(device.written.slice(-4), [[mapped + 4, 1], [mapped + 5, 0], [mapped + 6, 0], [mapped + 7, 0]]); // prettier-ignore
    assertCompiled(machine, tier);
  });

  test(`${tier}: programs at CPL 3 access what lies under their addresses, too`, () => {
    const machine = machineOf(tier, [...take(EAX, FIRST_TABLE), ...keep(EAX)], { cpl: 3 });
    machine.ram[CODE + looped([...take(EAX, FIRST_TABLE), ...keep(EAX)]).length - 1] = 0xcc;
    fill(machine, FIRST_TABLE, [7, 8, 9]);
    machine.setGpr(RDX, 0);
    assert.equal(machine.runToEvent().vector, 3);
    assert.deepEqual(found(machine, 3), [7, 8, 9]);
    assertCompiled(machine, tier);
  });
}

test("compiled code asks no TLB while paging is off", () => {
  const machine = machineOf("regions", [...take(EAX, FIRST_TABLE), ...keep(EAX)]);
  fill(machine, FIRST_TABLE, [1, 2, 3]);
  assert.equal(machine.run(), "halt");
  const { tlbFills } = machine.engine.statistics;
  // Pages that the interpreter has not seen.
  machine.engine.registers.setU64(L.RIP, BigInt(CODE));
  machine.engine.registers.setU32(L.HALTED, 0);
  machine.setGpr(RCX, 0x4000);
  assert.equal(machine.run(), "halt");
  assert.equal(machine.engine.statistics.tlbFills, tlbFills);
});
