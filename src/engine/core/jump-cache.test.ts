/** What the jump cache may remember, seen from programs in both tiers: code that is somewhere else all of a sudden. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { defined } from "../../base/index.ts";
import type { CpuState, SegmentState } from "../../hw/index.ts";
import * as L from "../layout.ts";
import { bareEngine } from "../runtime/bare-engine.ts";
import type { Engine } from "../runtime/engine.ts";
import { regionLimits } from "../runtime/region-former.ts";
import { jumpCacheIndex } from "../wasm/region-exits.ts";

const RAM_SIZE_BYTES = 8 << 20;
const CODE = 0x10000;
const STACK_TOP = 0x9000;
const GDT = 0x7000;
const TURNS = 500;
/** Flushes are dear and end slices early. */
const SLICES_MAX = 100;
const HLT = 0xf4;

// Paging: two directories, each with 4 MiB at 0 mapped to itself and a table for the pages at WINDOW.
const DIRECTORIES = [0x1000, 0x2000] as const;
const TABLES = [0x3000, 0x4000] as const;
const WINDOW = 0x400000;
/** The same pages where no region of code outside takes them in. */
const FAR_WINDOW = 0x80000000;
/** What the window's pages show. */
const FIRST = 0x20000;
const SECOND = 0x30000;
const PRESENT_WRITABLE = 3;
const LARGE = 0x80;
const GLOBAL = 0x100;

const CR0_PE = 1n;
const CR0_PG = 0x8000_0000n;
const CR4_PSE = 0x10n;
const CR4_PGE = 0x80n;

const tiers = ["interpreter", "regions"] as const;
const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));

const segment = (selector: number, attributes: number, base = 0, limit = 0xffffffff): SegmentState => ({
  selector,
  base: BigInt(base),
  limit,
  attributes,
});
const NO_SEGMENT = segment(0, 0, 0, 0);
const FLAT_DATA = segment(0x10, 0xc093);

/** 32-bit protected mode, flat, paging off. */
const protectedState: CpuState = {
  gpr: Array.from({ length: 16 }, (_, i) => (i === 4 ? BigInt(STACK_TOP) : 0n)),
  rip: BigInt(CODE),
  rflags: 2n,
  cs: segment(0x08, 0xc09b),
  ss: FLAT_DATA,
  ds: FLAT_DATA,
  es: FLAT_DATA,
  fs: FLAT_DATA,
  gs: FLAT_DATA,
  ldtr: NO_SEGMENT,
  tr: segment(0x18, 0x8b, 0, 0x67),
  gdtr: { base: BigInt(GDT), limit: 0x2f },
  idtr: { base: 0n, limit: 0 },
  cr0: CR0_PE,
  cr2: 0n,
  cr3: 0n,
  cr4: 0n,
  cr8: 0n,
  efer: 0n,
};

const REAL_DATA = segment(0, 0x93, 0, 0xffff);
const realState: CpuState = {
  ...protectedState,
  rip: 0n,
  cs: segment(CODE >> 4, 0x9b, CODE, 0xffff),
  ss: REAL_DATA,
  ds: REAL_DATA,
  es: REAL_DATA,
  fs: REAL_DATA,
  gs: REAL_DATA,
  cr0: 0n,
};

const bytes32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

class Machine {
  readonly #engine: Engine;
  readonly #ram: Uint8Array;
  readonly #view: DataView;

  constructor(tier: (typeof tiers)[number], state: CpuState, compiledAtExecution = 1) {
    const ramSizeBytes = RAM_SIZE_BYTES;
    const { engine, ram, view } = bareEngine({ core, tier, ramSizeBytes, compiledAtExecution });
    this.#engine = engine;
    this.#ram = ram;
    this.#view = view;
    this.#engine.registers.write(state);
  }

  put(gpa: number, code: readonly number[]): void {
    this.#ram.set(code, gpa);
  }

  putWord(gpa: number, value: number): void {
    this.#view.setUint32(gpa, value, true);
  }

  /** The window's first page shows `gpas[n]` in directory n. */
  mapWindow(gpas: readonly [number, number], flags: number): void {
    for (const n of [0, 1] as const) {
      this.putWord(DIRECTORIES[n], PRESENT_WRITABLE | LARGE);
      for (const at of [WINDOW, FAR_WINDOW])
        this.putWord(DIRECTORIES[n] + (at >>> 22) * 4, TABLES[n] | PRESENT_WRITABLE);
      this.putWord(TABLES[n], gpas[n] | PRESENT_WRITABLE | flags);
    }
  }

  /** EAX once the program has halted. */
  result(): number {
    let exit = this.#engine.run(100_000);
    for (let slices = 1; exit === "slice" && slices < SLICES_MAX; slices++) exit = this.#engine.run(100_000);
    assert.equal(exit, "halt");
    return this.#engine.registers.u32(L.GPR_RAX);
  }
}

const pagingState: CpuState = {
  ...protectedState,
  cr0: CR0_PE | CR0_PG,
  cr3: BigInt(DIRECTORIES[0]),
  cr4: CR4_PSE | CR4_PGE,
};

const callWindow = (at: number, offset = 0): number[] => [0xe8, ...bytes32(WINDOW + offset - (at + 5))];
/** mov edx, value; mov cr3, edx */
const loadCr3 = (value: number): number[] => [0xba, ...bytes32(value), 0x0f, 0x22, 0xda];
/** mov dword [gpa], value */
const storeWord = (gpa: number, value: number): number[] => [0xc7, 0x05, ...bytes32(gpa), ...bytes32(value)];
const invlpg = (address: number): number[] => [0x0f, 0x01, 0x3d, ...bytes32(address)];
/** xor dword [gpa], bits */
const flipBits = (gpa: number, bits: number): number[] => [0x81, 0x35, ...bytes32(gpa), ...bytes32(bits)];
const loadCr4 = (value: number): number[] => [0xba, ...bytes32(value), 0x0f, 0x22, 0xe2];
/** ESI := the value; flip bits of ESI and load CR3 from it. */
const movEsi = (value: number): number[] => [0xbe, ...bytes32(value)];
const flipCr3 = (bits: number): number[] => [0x81, 0xf6, ...bytes32(bits), 0x0f, 0x22, 0xde];
/** What makes a processor forget the translation of a page, global or not. */
const flushes = [
  ["INVLPG", invlpg(WINDOW)],
  ["a change of CR4.PGE", [...loadCr4(Number(CR4_PSE)), ...loadCr4(Number(CR4_PSE | CR4_PGE))]],
] as const;
const addEax = (value: number): number[] => [0x05, ...bytes32(value)];
const RET = 0xc3;
/** Where code in the window's first page goes on to the second. */
const TAIL = L.PAGE_SIZE - 16;
/** From the window to the second page of the far one, and to the code before it. */
const FAR_SECOND = FAR_WINDOW - WINDOW + L.PAGE_SIZE;
const FAR_TAIL = FAR_WINDOW - WINDOW + TAIL;

/** In the window: at TAIL add 1 and go on, behind the page add 0x100, or 0x1000 where it shows SECOND. */
function intoSecondPage(machine: Machine, flags: number): void {
  machine.mapWindow([FIRST, FIRST], flags);
  machine.putWord(TABLES[0] + 4, (FIRST + L.PAGE_SIZE) | PRESENT_WRITABLE | flags);
  machine.put(FIRST + TAIL, [...addEax(1), 0xe9, ...bytes32(16 - 10)]);
  machine.put(FIRST + L.PAGE_SIZE, [...addEax(0x100), RET]);
  machine.put(SECOND, [...addEax(0x1000), RET]);
}

/** A loop of TURNS over calls of the window, with something done behind each. */
function loopOver(steps: readonly (readonly number[])[], offset = 0, at = CODE): number[] {
  const code = [0xb9, ...bytes32(TURNS)];
  const start = code.length;
  for (const step of steps) code.push(...callWindow(at + code.length, offset), ...step);
  // dec ecx; jnz start; hlt
  code.push(0x49, 0x0f, 0x85);
  return [...code, ...bytes32(start - (code.length + 4)), HLT];
}

for (const tier of tiers) {
  test(`${tier}: a load of CR3 changes what a call reaches`, () => {
    const machine = new Machine(tier, pagingState);
    machine.mapWindow([FIRST, SECOND], 0);
    machine.put(FIRST, [...addEax(1), RET]);
    machine.put(SECOND, [...addEax(0x1000), RET]);
    machine.put(CODE, loopOver([loadCr3(DIRECTORIES[1]), loadCr3(DIRECTORIES[0])]));
    assert.equal(machine.result(), TURNS * 0x1001);
  });

  test(`${tier}: one call reaches what each load of CR3 shows`, () => {
    const machine = new Machine(tier, pagingState);
    machine.mapWindow([FIRST, SECOND], 0);
    machine.put(FIRST, [...addEax(1), RET]);
    machine.put(SECOND, [...addEax(0x1000), RET]);
    const before = movEsi(DIRECTORIES[0]);
    const flip = flipCr3(DIRECTORIES[0] ^ DIRECTORIES[1]);
    machine.put(CODE, [...before, ...loopOver([flip], 0, CODE + before.length)]);
    assert.equal(machine.result(), (TURNS / 2) * 0x1001);
  });

  for (const flags of [0, GLOBAL]) {
    const kind = flags === GLOBAL ? "a global" : "an ordinary";
    test(`${tier}: INVLPG changes what a call of ${kind} page reaches`, () => {
      const machine = new Machine(tier, pagingState);
      machine.mapWindow([FIRST, SECOND], flags);
      machine.put(FIRST, [...addEax(1), RET]);
      machine.put(SECOND, [...addEax(0x1000), RET]);
      const show = (gpa: number): number[] => [
        ...storeWord(TABLES[0], gpa | PRESENT_WRITABLE | flags),
        ...invlpg(WINDOW + 0x123),
      ];
      machine.put(CODE, loopOver([show(SECOND), show(FIRST)]));
      assert.equal(machine.result(), TURNS * 0x1001);
    });
  }

  for (const flags of [0, GLOBAL]) {
    const kind = flags === GLOBAL ? "a global" : "an ordinary";
    for (const [name, forget] of flushes) {
      test(`${tier}: one call of ${kind} page sees each change of it behind ${name}`, () => {
        const machine = new Machine(tier, pagingState);
        machine.mapWindow([FIRST, FIRST], flags);
        machine.put(FIRST, [...addEax(1), RET]);
        machine.put(SECOND, [...addEax(0x1000), RET]);
        machine.put(CODE, loopOver([[...flipBits(TABLES[0], FIRST ^ SECOND), ...forget]]));
        assert.equal(machine.result(), (TURNS / 2) * 0x1001);
      });
    }
  }

  test(`${tier}: one call of a global page that keeps its translation keeps what it reaches`, () => {
    const machine = new Machine(tier, pagingState);
    machine.mapWindow([FIRST, SECOND], GLOBAL);
    machine.put(FIRST, [...addEax(1), RET]);
    machine.put(SECOND, [...addEax(0x1000), RET]);
    machine.put(CODE, loopOver([loadCr3(DIRECTORIES[1])]));
    assert.equal(machine.result(), TURNS);
  });

  test(`${tier}: INVLPG of the page a block straddles into changes the block`, () => {
    const machine = new Machine(tier, pagingState);
    machine.mapWindow([FIRST, FIRST], GLOBAL);
    const word = TABLES[0] + 4;
    machine.putWord(word, SECOND | PRESENT_WRITABLE | GLOBAL);
    const entry = L.PAGE_SIZE - 3;
    machine.put(FIRST + entry, addEax(1));
    machine.put(SECOND, [0, 0, RET]);
    machine.put(SECOND + L.PAGE_SIZE, [1, 0, RET]);
    const show = (gpa: number): number[] => [
      ...storeWord(word, gpa | PRESENT_WRITABLE | GLOBAL),
      ...invlpg(WINDOW + L.PAGE_SIZE),
    ];
    machine.put(CODE, loopOver([show(SECOND + L.PAGE_SIZE), show(SECOND)], entry));
    assert.equal(machine.result(), TURNS * 0x10002);
  });

  for (const flags of [0, GLOBAL]) {
    const kind = flags === GLOBAL ? "global" : "ordinary";
    test(`${tier}: INVLPG changes what code goes on to in a second ${kind} page`, () => {
      const machine = new Machine(tier, pagingState);
      intoSecondPage(machine, flags);
      const show = (gpa: number): number[] => [
        ...storeWord(TABLES[0] + 4, gpa | PRESENT_WRITABLE | flags),
        ...invlpg(FAR_WINDOW + L.PAGE_SIZE),
      ];
      const known = callWindow(CODE, FAR_SECOND);
      const loop = loopOver([show(SECOND), show(FIRST + L.PAGE_SIZE)], FAR_TAIL, CODE + known.length);
      machine.put(CODE, [...known, ...loop]);
      assert.equal(machine.result(), 0x100 + TURNS * 0x1102);
    });
  }

  test(`${tier}: code in a second page that is no longer global follows CR3`, () => {
    const machine = new Machine(tier, pagingState);
    intoSecondPage(machine, GLOBAL);
    machine.putWord(TABLES[1] + 4, SECOND | PRESENT_WRITABLE);
    const known = callWindow(CODE, FAR_SECOND);
    const asGlobal = loopOver([[]], FAR_TAIL, CODE + known.length).slice(0, -1);
    const before = [
      ...known,
      ...asGlobal,
      ...storeWord(TABLES[0] + 4, (FIRST + L.PAGE_SIZE) | PRESENT_WRITABLE),
      ...invlpg(FAR_WINDOW + L.PAGE_SIZE),
    ];
    const loop = loopOver([loadCr3(DIRECTORIES[1]), loadCr3(DIRECTORIES[0])], FAR_TAIL, CODE + before.length);
    machine.put(CODE, [...before, ...loop]);
    assert.equal(machine.result(), 0x100 + TURNS * 0x101 + TURNS * 0x1102);
  });

  test(`${tier}: far jumps between segments of real mode tell equal offsets apart`, () => {
    const machine = new Machine(tier, realState);
    // add ax, imm16; jmp segment:0
    machine.put(CODE, [0x05, 1, 0, 0xea, 0, 0, 0, 0x20]);
    // add ax, 0x0100; cmp ax, 0x0c0c; je over; jmp segment:0; hlt
    machine.put(0x20000, [0x05, 0, 1, 0x3d, 0x0c, 0x0c, 0x74, 5, 0xea, 0, 0, 0, 0x10, HLT]);
    assert.equal(machine.result(), 0x0c0c);
  });

  test(`${tier}: far jumps between 32-bit segments with bases tell equal offsets apart`, () => {
    const machine = new Machine(tier, {
      ...protectedState,
      rip: 0n,
      cs: segment(0x20, 0xc09b, CODE),
    });
    for (const [selector, base] of [
      [0x20, CODE],
      [0x28, 0x20000],
    ] as const) {
      machine.putWord(GDT + selector, ((base & 0xffff) << 16) | 0xffff);
      machine.putWord(GDT + selector + 4, 0x00cf9b00 | (base >>> 16));
    }
    machine.put(CODE, [...addEax(1), 0xea, 0, 0, 0, 0, 0x28, 0]);
    machine.put(0x20000, [
      ...addEax(0x100),
      0x3d,
      ...bytes32(0x0c0c),
      0x74,
      7,
      0xea,
      0,
      0,
      0,
      0,
      0x20,
      0,
      HLT,
    ]);
    assert.equal(machine.result(), 0x0c0c);
  });

  test(`${tier}: functions whose entries are one are called in turn`, () => {
    const machine = new Machine(tier, protectedState);
    const one = 0x40000;
    const others = Array.from({ length: 0x300000 }, (_, i) => one + 1 + i).filter(
      (address) => jumpCacheIndex(BigInt(address)) === jumpCacheIndex(BigInt(one)),
    );
    const chosen = [one, ...others.slice(0, 3)];
    assert.equal(chosen.length, 4);
    const code = [0xb9, ...bytes32(TURNS)];
    const start = code.length;
    for (const [i, address] of chosen.entries()) {
      machine.put(address, [...addEax(1 << (8 * i)), RET]);
      code.push(0xe8, ...bytes32(address - (CODE + code.length + 5)));
    }
    code.push(0x49, 0x0f, 0x85);
    machine.put(CODE, [...code, ...bytes32(start - (code.length + 4)), HLT]);
    assert.equal(machine.result(), Math.imul(TURNS, 0x01010101) >>> 0);
  });

  test(`${tier}: a function that lost its region while another had its entry is called without it`, () => {
    const machine = new Machine(tier, protectedState, 4);
    const one = 0x40000;
    const entry = jumpCacheIndex(BigInt(one));
    const withEntry = (index: number): number => {
      const found = Array.from({ length: 0x300000 }, (_, i) => one + 0x1000 + i).find(
        (address) => jumpCacheIndex(BigInt(address)) === index,
      );
      return defined(found, "addresses share entries");
    };
    // Too many blocks to be inlined. The last one is written, which takes the region but not the block at its entry.
    const jumps = Array.from({ length: regionLimits.inlinedBlocks + 1 }, () => [0xeb, 0]).flat();
    const callees = [one, withEntry(entry), withEntry(entry ^ 1)] as const;
    for (const [i, address] of callees.entries())
      machine.put(address, [...jumps, ...addEax(1 << (8 * i)), RET]);
    const [, displacing, restoring] = callees;
    const code = [0xb9, ...bytes32(TURNS)];
    const start = code.length;
    const call = (address: number): number[] => [0xe8, ...bytes32(address - (CODE + code.length + 5))];
    code.push(...call(one));
    code.push(...call(displacing));
    const write = flipBits(one + jumps.length + 1, 1 ^ 3);
    // cmp ecx, 100; jne over
    code.push(0x83, 0xf9, 100, 0x75, write.length, ...write);
    code.push(...call(restoring));
    code.push(0x49, 0x0f, 0x85);
    machine.put(CODE, [...code, ...bytes32(start - (code.length + 4)), HLT]);
    assert.equal(machine.result(), TURNS * 0x10101 + 99 * 2);
  });
}
