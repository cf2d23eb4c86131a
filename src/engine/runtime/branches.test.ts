/** Near branches whose target is not canonical or lies beyond the limit of CS: #GP(0) of the branch itself. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as L from "../layout.ts";
import { CODE, CODE0, DATA, STACK_TOP, TestMachine } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const tiers = ["interpreter", "regions"] as const;

const RAX = 0;
const RCX = 1;
const RSP = 4;
/** The last page of the lower half, and where tests put code in it. */
const LAST_PAGE = 0x7fff_ffff_f000n;
const HIGH_CODE = LAST_PAGE + 0xf00n;
const HIGH_CODE_GPA = 0x50000;
const NOT_CANONICAL = 0x8000_0000_0000n;
/** What stands below the stack pointer before a CALL. */
const SENTINEL = 0x1122_3344_5566_7788n;

interface Branch {
  readonly name: string;
  readonly code: readonly number[];
}

const indirect: readonly Branch[] = [
  { name: "JMP rax", code: [0xff, 0xe0] },
  { name: "CALL rax", code: [0xff, 0xd0] },
  { name: "JMP m64", code: [0xff, 0x24, 0x25, 0, 0, 4, 0] },
  { name: "CALL m64", code: [0xff, 0x14, 0x25, 0, 0, 4, 0] },
];

const direct: readonly Branch[] = [
  { name: "JMP", code: [0xe9, 0, 0x10, 0, 0] },
  { name: "CALL", code: [0xe8, 0, 0x10, 0, 0] },
  { name: "JE", code: [0x0f, 0x84, 0, 0x10, 0, 0] },
  { name: "LOOP", code: [0xe2, 0x70] },
  { name: "LOOPE", code: [0xe1, 0x70] },
  { name: "JRCXZ", code: [0xe3, 0x70] },
];

for (const tier of tiers) {
  for (const { name, code } of indirect) {
    test(`${tier}: ${name} to an address that is not canonical faults at the instruction, nothing pushed`, () => {
      const machine = new TestMachine({ core, tier, mode: "long", code: [0x90, ...code] });
      machine.setGpr(RAX, NOT_CANONICAL);
      machine.view.setBigUint64(DATA, NOT_CANONICAL, true);
      machine.view.setBigUint64(STACK_TOP - 0x108, SENTINEL, true);
      machine.setGpr(RSP, STACK_TOP - 0x100);
      const { vector, error, rip, rsp } = machine.runToEvent();
      assert.deepEqual([vector, error, rip, rsp], [13, 0, BigInt(CODE + 1), BigInt(STACK_TOP - 0x100)]);
    });
  }

  test(`${tier}: a CALL that faults leaves memory below the stack pointer alone`, () => {
    const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code: [0xff, 0xd0] });
    machine.setGpr(RAX, NOT_CANONICAL);
    machine.view.setBigUint64(STACK_TOP - 8, SENTINEL, true);
    assert.equal(machine.runToEvent().vector, 13);
    assert.equal(machine.view.getBigUint64(STACK_TOP - 8, true), SENTINEL);
  });

  for (const [name, code] of [
    ["RET", [0xc3]],
    ["RET imm16", [0xc2, 0x20, 0]],
  ] as const) {
    test(`${tier}: ${name} to an address that is not canonical is #GP with the stack pointer as it was`, () => {
      const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code });
      machine.view.setBigUint64(STACK_TOP - 64, NOT_CANONICAL, true);
      machine.setGpr(RSP, STACK_TOP - 64);
      const { vector, error, rip, rsp } = machine.runToEvent();
      assert.deepEqual([vector, error, rip, rsp], [13, 0, BigInt(CODE), BigInt(STACK_TOP - 64)]);
    });
  }

  for (const { name, code } of direct) {
    test(`${tier}: ${name} across the end of the lower half faults at the instruction, RCX and RSP as they were`, () => {
      // Short ones from the page's last bytes, which are filled with it.
      const at = code.length === 2 ? LAST_PAGE + 0xff0n : HIGH_CODE;
      const count = name === "JRCXZ" ? 0n : 5n;
      const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code: [] });
      machine.map(LAST_PAGE, HIGH_CODE_GPA);
      machine.ram.set(code, HIGH_CODE_GPA + Number(at & 0xfffn));
      machine.change({ rip: at, rflags: 0x42n });
      machine.setGpr(RCX, count);
      const { vector, error, rip, rsp } = machine.runToEvent();
      assert.deepEqual([vector, error, rip, rsp], [13, 0, at, BigInt(STACK_TOP)]);
      assert.equal(machine.gpr(RCX), count);
    });
  }

  test(`${tier}: a conditional branch that is not taken may name any target, and LOOP counts`, () => {
    // jne beyond; loop beyond (RCX = 1); hlt
    const machine = new TestMachine({ core, tier, mode: "long", cpl: 0, code: [] });
    machine.map(LAST_PAGE, HIGH_CODE_GPA);
    machine.ram.set([0x75, 0x70, 0xe2, 0x70, 0xf4], HIGH_CODE_GPA + 0xff0);
    machine.change({ rip: LAST_PAGE + 0xff0n, rflags: 0x42n });
    machine.setGpr(RCX, 1);
    assert.equal(machine.run(), "halt");
    assert.equal(machine.gpr(RCX), 0n);
    assert.equal(machine.engine.registers.u64(L.RIP), LAST_PAGE + 0xff5n);
  });

  test(`${tier}: running on behind the last canonical byte faults at the address behind it`, () => {
    const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code: [] });
    machine.map(LAST_PAGE, HIGH_CODE_GPA);
    machine.ram.fill(0x90, HIGH_CODE_GPA, HIGH_CODE_GPA + 0x1000);
    machine.change({ rip: LAST_PAGE + 0xff0n });
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip], [13, NOT_CANONICAL]);
  });
}

// ---- The limit of CS --------------------------------------------------------------------------------------------
const LIMIT = 0x10fff;
const segmented: readonly Branch[] = [
  { name: "JMP", code: [0xe9, 0, 0x20, 0, 0] },
  { name: "JMP eax", code: [0xff, 0xe0] },
  { name: "JE", code: [0x0f, 0x84, 0, 0x20, 0, 0] },
  { name: "JECXZ", code: [0xe3, 0x70] },
  { name: "CALL", code: [0xe8, 0, 0x20, 0, 0] },
  { name: "CALL eax", code: [0xff, 0xd0] },
  { name: "RET", code: [0xc3] },
  { name: "RET imm16", code: [0xc2, 8, 0] },
  { name: "LOOP", code: [0xe2, 0x70] },
  { name: "LOOPE", code: [0xe1, 0x70] },
];

/** 32-bit code in a segment of CS that ends at LIMIT. */
function segmentedMachine(tier: (typeof tiers)[number], code: readonly number[], at: number): TestMachine {
  const machine = new TestMachine({ core, tier, mode: "protected", code: [] });
  machine.ram.set(code, at);
  machine.change({
    rip: BigInt(at),
    rflags: 0x42n,
    cs: { selector: CODE0, base: 0n, limit: LIMIT, attributes: 0x409b },
  });
  machine.setGpr(RAX, LIMIT + 1);
  machine.view.setUint32(STACK_TOP - 64, LIMIT + 1, true);
  machine.setGpr(RSP, STACK_TOP - 64);
  return machine;
}

for (const tier of tiers) {
  for (const { name, code } of segmented) {
    test(`${tier}: ${name} beyond the limit of CS faults at the instruction, registers as they were`, () => {
      const at = LIMIT - 0x20;
      const machine = segmentedMachine(tier, code, at);
      const count = name === "JECXZ" ? 0n : 5n;
      machine.setGpr(RCX, count);
      const { vector, error, rip, rsp } = machine.runToEvent();
      assert.deepEqual([vector, error, rip, rsp], [13, 0, BigInt(at), BigInt(STACK_TOP - 64)]);
      assert.equal(machine.gpr(RCX), count);
    });
  }

  test(`${tier}: execution that reaches the limit of CS faults behind it`, () => {
    const machine = segmentedMachine(tier, [0x40, 0x40, 0x40], LIMIT - 2);
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip, machine.gpr(RAX)], [13, BigInt(LIMIT + 1), BigInt(LIMIT + 4)]);
  });

  test(`${tier}: an instruction that reaches over the limit of CS faults, those before it do not`, () => {
    const machine = segmentedMachine(tier, [0x40, 0xb8, 1, 2, 3, 4], LIMIT - 4);
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip, machine.gpr(RAX)], [13, BigInt(LIMIT - 3), BigInt(LIMIT + 2)]);
  });

  test(`${tier}: branches within the limit of CS go where they lead`, () => {
    // mov ecx, 3; again: call f; loop again; hlt; f: inc ebx; ret
    const code = [0xb9, 3, 0, 0, 0, 0xe8, 3, 0, 0, 0, 0xe2, 0xf9, 0xf4, 0x43, 0xc3];
    const machine = segmentedMachine(tier, code, CODE);
    assert.equal(machine.run(), "halt");
    assert.deepEqual([machine.gpr(RCX), machine.gpr(3), machine.gpr(RSP)], [0n, 3n, BigInt(STACK_TOP - 64)]);
  });
}

for (const tier of tiers) {
  test(`${tier}: a compare that faults in front of its branch faults as itself, whatever was translated before`, () => {
    // NOP; NOP; JMP: three instructions with one op. CMP [rax], ecx; JLE: two with one branch op.
    const code = [0x90, 0x90, 0xeb, 0, 0x39, 0x08, 0x7e, 0, 0xf4];
    const machine = new TestMachine({ core, tier, mode: "long", code });
    machine.setGpr(RAX, NOT_CANONICAL);
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip], [13, BigInt(CODE + 4)]);
  });
}
