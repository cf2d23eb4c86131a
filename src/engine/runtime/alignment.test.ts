/**
 * Alignment checking: CR0.AM, RFLAGS.AC and CPL 3. SDM 3A 6.15 (interrupt 17) and table 6-7. That #AC comes before page
 * faults, behind #GP for the address, and that 128 bits want 16 bytes, is what an AMD EPYC does.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as L from "../layout.ts";
import { CODE, DATA, STACK_TOP, TestMachine } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const tiers = ["interpreter", "regions"] as const;

const AC = 0x40000n;
const CR0_AM = 0x40000n;
const ALIGNMENT = 17;
const GENERAL_PROTECTION = 13;
const RBX = 3;
const RSP = 4;
const RSI = 6;
const RDI = 7;
const HLT_FAULT = GENERAL_PROTECTION;

/** Runs the instruction at CPL 3 with RBX, RSI and RDI at `address`; behind it is HLT, which is #GP there. */
function vectorOf(
  tier: (typeof tiers)[number],
  code: readonly number[],
  address: bigint | number,
  ac = true,
): number {
  const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code: [...code, 0xf4] });
  const { cr0, cr4 } = machine.engine.registers.read();
  // Without checking first, so that the TLBs know the page.
  machine.change({ cr0: cr0 | CR0_AM, cr4: cr4 | 0x600n, rflags: ac ? 2n | AC : 2n });
  for (const register of [RBX, RSI, RDI]) machine.setGpr(register, address);
  machine.setGpr(1, 1);
  const { vector, error, rip } = machine.runToEvent();
  assert.equal(
    rip,
    BigInt(vector === HLT_FAULT && error === 0 && rip !== BigInt(CODE) ? CODE + code.length : CODE),
  );
  return rip === BigInt(CODE) ? vector : 0;
}

/** Instruction, and the alignment it wants. */
const accesses: readonly (readonly [name: string, code: readonly number[], alignment: number])[] = [
  ["MOV of a byte", [0x8a, 0x03], 1],
  ["MOV of a word", [0x66, 0x8b, 0x03], 2],
  ["MOV of a doubleword", [0x8b, 0x03], 4],
  ["a store of a doubleword", [0x89, 0x03], 4],
  ["MOV of a quadword", [0x48, 0x8b, 0x03], 8],
  ["LOCK XADD", [0xf0, 0x0f, 0xc1, 0x03], 4],
  ["INC of a word", [0x66, 0xff, 0x03], 2],
  ["MOVUPS", [0x0f, 0x10, 0x03], 16],
  ["a store by MOVDQU", [0xf3, 0x0f, 0x7f, 0x03], 16],
  ["MOVSD", [0xf2, 0x0f, 0x10, 0x03], 8],
  ["FLD m32", [0xd9, 0x03], 4],
  ["FLD m64", [0xdd, 0x03], 8],
  ["FLD m80", [0xdb, 0x2b], 8],
  ["FNSTENV", [0xd9, 0x33], 4],
  ["FNSAVE", [0xdd, 0x33], 4],
  ["FNSTCW", [0xd9, 0x3b], 2],
  ["CMPXCHG8B", [0x0f, 0xc7, 0x0b], 8],
  ["BT with a register", [0x0f, 0xa3, 0x03], 4],
  ["STMXCSR", [0x0f, 0xae, 0x1b], 4],
  ["MOVSB", [0xa4], 1],
  ["MOVSQ", [0x48, 0xa5], 8],
  ["REP MOVSD", [0xf3, 0xa5], 4],
  ["REP STOSQ", [0xf3, 0x48, 0xab], 8],
];

for (const tier of tiers) {
  for (const [name, code, alignment] of accesses) {
    test(`${tier}: ${name} at CPL 3 with AC wants ${alignment} bytes of alignment`, () => {
      for (const offset of [1, 2, 4, 8, 16]) {
        const expected = offset % alignment === 0 ? 0 : ALIGNMENT;
        assert.equal(vectorOf(tier, code, DATA + 0x100 + offset), expected, `at offset ${offset}`);
        assert.equal(vectorOf(tier, code, DATA + 0x100 + offset, false), 0, `unchecked at offset ${offset}`);
      }
    });
  }

  test(`${tier}: PUSH and CALL check the stack`, () => {
    for (const code of [[0x50], [0xe8, 0, 0, 0, 0], [0xc8, 0, 0, 0]]) {
      const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code });
      machine.change({ cr0: machine.engine.registers.read().cr0 | CR0_AM, rflags: 2n | AC });
      machine.setGpr(RSP, STACK_TOP - 0x104);
      const { vector, error, rip, rsp } = machine.runToEvent();
      assert.deepEqual([vector, error, rip, rsp], [ALIGNMENT, 0, BigInt(CODE), BigInt(STACK_TOP - 0x104)]);
    }
  });

  test(`${tier}: MOVAPS and FXSAVE answer with #GP, as does an address that is not canonical`, () => {
    assert.equal(vectorOf(tier, [0x0f, 0x28, 0x03], DATA + 4), GENERAL_PROTECTION);
    assert.equal(vectorOf(tier, [0x0f, 0xae, 0x03], DATA + 8), GENERAL_PROTECTION);
    assert.equal(vectorOf(tier, [0x8b, 0x03], 0x8000_0000_0001n), GENERAL_PROTECTION);
  });

  test(`${tier}: it comes before a page fault`, () => {
    assert.equal(vectorOf(tier, [0x8b, 0x03], 0x5000_0001), ALIGNMENT);
    assert.equal(vectorOf(tier, [0x8b, 0x03], 0x5000_0000), 14);
  });

  test(`${tier}: nothing is checked in ring 0, or without CR0.AM`, () => {
    for (const cpl of [0, 3] as const) {
      const machine = new TestMachine({ core, tier, mode: "long", cpl, code: [0x8b, 0x03, 0xcd, 0x40] });
      const { cr0 } = machine.engine.registers.read();
      machine.change({ cr0: cpl === 0 ? cr0 | CR0_AM : cr0, rflags: 2n | AC });
      machine.setGpr(RBX, DATA + 1);
      assert.equal(machine.runToEvent().vector, 0x40);
    }
  });

  test(`${tier}: POPF switches checking on for accesses that the TLBs and translations know, and off again`, () => {
    // again: mov eax, [rbx]; push rcx; popf; mov eax, [rbx]; int 0x40
    const code = [0x8b, 0x03, 0x51, 0x9d, 0x8b, 0x03, 0xcd, 0x40];
    const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code });
    machine.change({ cr0: machine.engine.registers.read().cr0 | CR0_AM });
    machine.setGpr(RBX, DATA + 1);
    machine.setGpr(1, 2n | AC);
    const event = machine.runToEvent();
    assert.deepEqual([event.vector, event.rip], [ALIGNMENT, BigInt(CODE + 4)]);
    machine.change({ rflags: 2n, rip: BigInt(CODE), cs: { ...machine.engine.registers.read().cs } });
    assert.equal(machine.engine.registers.u32(L.ALIGNMENT_CHECKED), 0);
  });

  test(`${tier}: a handler runs unchecked, and its program checked again behind IRET`, () => {
    // int 0x40; mov eax, [rbx]
    const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code: [0xcd, 0x40, 0x8b, 0x03] });
    machine.change({ cr0: machine.engine.registers.read().cr0 | CR0_AM, rflags: 2n | AC });
    machine.setGpr(RBX, DATA + 1);
    // The handler: mov ecx, [rbx]; iretq
    machine.ram.set([0x8b, 0x0b, 0x48, 0xcf], 0xa000 + 0x40 * 16);
    machine.view.setUint32(DATA + 1, 77, true);
    const event = machine.runToEvent();
    assert.deepEqual([event.vector, event.rip, machine.gpr(1)], [ALIGNMENT, BigInt(CODE + 2), 77n]);
  });
}
