/**
 * Hardware task switches as instructions of translated code make them: whose fault it is that comes late, the T flag,
 * the flags of both tasks. SDM 3A 8.3 and table 8-2. The checks of a switch by itself are in core/transfers.test.ts.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as L from "../layout.ts";
import {
  CODE,
  CODE0,
  DATA0,
  GDT,
  HANDLERS,
  INNER_STACK_TOP,
  SPARE,
  TestMachine,
  TSS,
  descriptor,
} from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const tiers = ["interpreter", "regions"] as const;

const HLT = 0xf4;
/** The new task's TSS, its selector, and where it begins. */
const TSS2 = 0x7c00;
const TASK = SPARE;
const NOT_PRESENT = SPARE + 8;
const TASK_CODE = 0x18000;
const TASK_STACK = 0x28000;
const BT = 1 << 15;
const ZF = 0x40;

// Offsets in a 32-bit TSS.
const EIP = 0x20;
const EFLAGS = 0x24;
const ESP = 0x38;
const ES = 0x48;
const CS = 0x4c;
const SS = 0x50;
const DS = 0x54;
const T_FLAG = 0x64;

/** `jmp TASK:0`, `call TASK:0`. */
const JUMP = [0xea, 0, 0, 0, 0, TASK, 0];
const CALL = [0x9a, 0, 0, 0, 0, TASK, 0];

interface Setup {
  readonly tier: (typeof tiers)[number];
  readonly code: readonly number[];
  /** Words of the new TSS that are different, by offset. */
  readonly tss?: Readonly<Record<number, number>>;
}

function taskMachine({ tier, code, tss = {} }: Setup): TestMachine {
  const machine = new TestMachine({ core, tier, mode: "protected", code });
  const { view } = machine;
  view.setBigUint64(GDT + TASK, descriptor(TSS2, 0x67, 0x89, 0), true);
  view.setBigUint64(GDT + NOT_PRESENT, descriptor(0, 0xfffff, 0x13, 0xc), true);
  const words = {
    [EIP]: TASK_CODE,
    [EFLAGS]: 2,
    [ESP]: TASK_STACK,
    [ES]: DATA0,
    [CS]: CODE0,
    [SS]: DATA0,
    [DS]: DATA0,
    ...tss,
  };
  for (const [offset, value] of Object.entries(words)) view.setUint32(TSS2 + Number(offset), value, true);
  machine.ram[TASK_CODE] = HLT;
  return machine;
}

for (const tier of tiers) {
  for (const [name, code] of [
    ["JMP", JUMP],
    ["CALL", CALL],
  ] as const) {
    test(`${tier}: ${name} saves the old task behind it, with its flags, and enters the new one`, () => {
      // cmp eax, eax; then the switch
      const machine = taskMachine({ tier, code: [0x39, 0xc0, ...code] });
      assert.equal(machine.run(), "halt");
      assert.equal(machine.engine.registers.u64(L.RIP), BigInt(TASK_CODE + 1));
      assert.equal(machine.view.getUint32(TSS + EIP, true), CODE + 2 + code.length);
      assert.equal(machine.view.getUint32(TSS + EFLAGS, true) & ZF, ZF);
      assert.equal(Number(machine.engine.registers.rflags) & ZF, 0);
    });

    test(`${tier}: a data segment that is not present is #NP at the first instruction of the new task, by ${name}`, () => {
      const machine = taskMachine({ tier, code, tss: { [DS]: NOT_PRESENT } });
      const { vector, error, rip, rsp } = machine.runToEvent();
      assert.deepEqual([vector, error, rip, rsp], [11, NOT_PRESENT, BigInt(TASK_CODE), BigInt(TASK_STACK)]);
      assert.equal(machine.view.getUint32(TSS + EIP, true), CODE + code.length);
      assert.equal(machine.engine.registers.read().tr.selector, TASK);
    });
  }

  test(`${tier}: a selector that is bad for the new task is #TS there, through INT n and a task gate too`, () => {
    const machine = taskMachine({ tier, code: [0xcd, 0x40], tss: { [ES]: 0x7f8 } });
    machine.view.setUint32(0x8000 + 0x40 * 8, TASK << 16, true);
    machine.view.setUint32(0x8000 + 0x40 * 8 + 4, 0x8500, true);
    const { vector, error, rip } = machine.runToEvent();
    assert.deepEqual([vector, error, rip], [10, 0x7f8, BigInt(TASK_CODE)]);
    assert.equal(machine.view.getUint32(TSS + EIP, true), CODE + 2);
  });

  test(`${tier}: a fault before the switch is the instruction's, in the old task`, () => {
    const machine = taskMachine({ tier, code: [0x90, ...JUMP] });
    machine.view.setBigUint64(GDT + TASK, descriptor(TSS2, 0x66, 0x89, 0), true);
    const { vector, error, rip } = machine.runToEvent();
    assert.deepEqual([vector, error, rip], [10, TASK, BigInt(CODE + 1)]);
  });

  test(`${tier}: an EIP beyond the new code segment is #GP there`, () => {
    const machine = taskMachine({ tier, code: JUMP, tss: { [CS]: SPARE + 16, [EIP]: 0x30000 } });
    machine.view.setBigUint64(GDT + SPARE + 16, descriptor(0, 0x2ffff, 0x9b, 4), true);
    const { vector, error, rip } = machine.runToEvent();
    assert.deepEqual([vector, error, rip], [13, 0, 0x30000n]);
  });

  test(`${tier}: the T flag of the new TSS traps before its first instruction`, () => {
    const machine = taskMachine({ tier, code: JUMP, tss: { [T_FLAG]: 1 } });
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip], [1, BigInt(TASK_CODE)]);
    assert.equal(machine.engine.registers.u32(L.DR + 48) & BT, BT);
  });

  test(`${tier}: TF of the new task's flags traps behind its first instruction, RF lets it pass a breakpoint`, () => {
    const machine = taskMachine({ tier, code: JUMP, tss: { [EFLAGS]: 0x1_0102 } });
    machine.ram.set([0x40, 0x40, HLT], TASK_CODE);
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip], [1, BigInt(TASK_CODE + 1)]);
  });

  test(`${tier}: a switch clears the local enables of DR7`, () => {
    const machine = taskMachine({ tier, code: JUMP });
    machine.engine.registers.setU64(L.DR + 56, 0x7ffn);
    assert.equal(machine.run(), "halt");
    assert.equal(machine.engine.registers.u64(L.DR + 56), 0x6aan);
  });

  test(`${tier}: IRET from a nested task gives the caller its flags back`, () => {
    // call the task, which compares and returns; hlt
    const machine = taskMachine({ tier, code: [0x83, 0xf8, 1, ...CALL, HLT] });
    machine.ram.set([0x39, 0xc0, 0xcf], TASK_CODE);
    machine.setGpr(0, 5);
    assert.equal(machine.run(), "halt");
    assert.equal(machine.engine.registers.u64(L.RIP), BigInt(CODE + 3 + CALL.length + 1));
    assert.equal(Number(machine.engine.registers.rflags) & ZF, 0);
    assert.equal(machine.view.getUint32(TSS2 + EIP, true), TASK_CODE + 3);
    assert.equal(machine.view.getUint32(TSS2 + EFLAGS, true) & ZF, ZF);
  });

  test(`${tier}: an NMI is blocked until IRET, even one that faults`, () => {
    const machine = new TestMachine({ core, tier, mode: "protected", cpl: 3, code: [0xeb, 0xfe] });
    machine.engine.raiseNmi();
    assert.equal(machine.runToEvent().vector, 2);
    // The handler returns to a null selector, behind a second NMI.
    machine.engine.raiseNmi();
    machine.engine.registers.setU32(L.HALTED, 0);
    const handler = Number(machine.engine.registers.u64(L.RIP));
    machine.ram.set([0xcf], handler);
    machine.view.setUint32(Number(machine.gpr(4)) + 4, 0, true);
    // #GP's handler is what the NMI interrupts.
    machine.ram.set([0x90, HLT], HANDLERS + 13 * 16);
    const event = machine.runToEvent();
    assert.deepEqual([event.vector, event.rip], [2, BigInt(HANDLERS + 13 * 16)]);
    assert.ok(machine.gpr(4) < BigInt(INNER_STACK_TOP));
  });
}
