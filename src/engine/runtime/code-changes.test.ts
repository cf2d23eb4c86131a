/**
 * Code that changes under its translations, and code in unusual places: other mappings, DMA, page boundaries, devices.
 * SDM 3A 11.6 (self-modifying code), 4.10.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as L from "../layout.ts";
import type { EngineHost } from "./engine.ts";
import { CODE, RAM_SIZE_BYTES, STACK_TOP, TestMachine, type MachineOptions } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const tiers = ["interpreter", "regions"] as const;

const RAX = 0;
const RCX = 1;
const RDX = 2;
/** Two linear pages side by side that tests map, and pages of RAM for them. */
const FIRST = 0x4000_0000n;
const SECOND = FIRST + 0x1000n;
const PAGE_A = 0x60000;
const PAGE_B = 0x61000;
const PAGE_C = 0x62000;
const PRESENT_WRITABLE_USER = 7n;
const NX = 1n << 63n;
const HLT = 0xf4;
const RET = 0xc3;

function longMachine(tier: MachineOptions["tier"], more: Partial<MachineOptions> = {}): TestMachine {
  return new TestMachine({ core, tier, mode: "long", code: [], ...more });
}

/** Runs from `rip` to HLT with an empty stack. */
function runFrom(machine: TestMachine, rip: bigint): void {
  machine.engine.registers.setU64(L.RIP, rip);
  machine.engine.registers.setU32(L.HALTED, 0);
  machine.setGpr(4, STACK_TOP);
  assert.equal(machine.run(), "halt");
}

/** `mov eax, imm32` whose last two bytes lie on the second page, and RET there. */
function straddling(machine: TestMachine, first: number, second: number, high: number): void {
  machine.ram.set([0xb8, 0x11, 0x22], first + 0xffd);
  machine.ram.set([high, 0x44, RET], second);
}

for (const tier of tiers) {
  test(`${tier}: a jump to an instruction that straddles pages sees its second page mapped elsewhere`, () => {
    // main: three times call FIRST + 0xf00; map the second page elsewhere; call again; hlt. There: jmp to the straddler.
    const machine = longMachine(tier);
    machine.map(FIRST, PAGE_A);
    machine.map(SECOND, PAGE_B);
    straddling(machine, PAGE_A, PAGE_B, 0x33);
    straddling(machine, PAGE_A, PAGE_C, 0x77);
    machine.ram.set([0xe9, 0xf8, 0, 0, 0], PAGE_A + 0xf00);
    const entry = machine.entryOf(SECOND);
    machine.ram.set(
      [
        0xbb, 0, 0x0f, 0, 0x40, // mov ebx, FIRST + 0xf00
        0xff, 0xd3, 0xff, 0xd3, 0xff, 0xd3, // call rbx, three times
        0xc6, 0x04, 0x25, (entry + 1) & 0xff, (entry >> 8) & 0xff, entry >> 16, 0, 0x20, // mov byte [entry + 1], 0x20
        0x0f, 0x01, 0xbb, 0, 1, 0, 0, // invlpg [rbx + 0x100]
        0xff, 0xd3, // call rbx
        HLT,
      ],
      CODE,
    ); // prettier-ignore
    runFrom(machine, BigInt(CODE));
    assert.equal(machine.gpr(RAX), 0x44772211n);
  });

  test(`${tier}: a repeated string instruction in 64-bit code that overwrites what follows it is noticed`, () => {
    const machine = longMachine(tier, { compiledAtExecution: 3 });
    machine.ram.set(
      [
        0x31, 0xd2, // xor edx, edx
        0xbd, 20, 0, 0, 0, // mov ebp, 20
        0xb0, 0xb6, // mov al, the opcode of mov dh, imm8
        0x8b, 0x3c, 0xad, 0, 0x10, 1, 0, // again: mov edi, [destinations + rbp * 4]
        0xb9, 1, 0, 0, 0, // mov ecx, 1
        0xfc, // cld
        0xf3, 0xaa, // rep stosb
        0xb2, 1, // patched (CODE + 0x18): mov dl, 1
        0xff, 0xcd, // dec ebp
        0x75, 0xeb, // jnz again
        HLT,
      ],
      CODE,
    ); // prettier-ignore
    // The last time it is the code.
    for (let i = 1; i <= 20; i++)
      machine.view.setUint32(0x11000 + 4 * i, i === 1 ? CODE + 0x18 : 0x12000, true);
    runFrom(machine, BigInt(CODE));
    assert.equal(machine.gpr(RDX), 0x101n);
    assert.equal(machine.engine.statistics.regionsCompiled > 0, tier === "regions");
  });

  test(`${tier}: data beside code is stored often, and noticed once it has become code`, () => {
    const machine = longMachine(tier);
    machine.map(FIRST, PAGE_A);
    machine.map(SECOND, PAGE_A);
    const data = 0x10;
    const stores = (): void => {
      // mov [rbx], ecx; dec ecx; jnz; mov dword [rbx], 7; hlt
      machine.ram.set([0x89, 0x0b, 0xff, 0xc9, 0x75, 0xfa, 0xc7, 0x03, 7, 0, 0, 0, HLT], CODE);
      machine.setGpr(RCX, 50n);
      machine.setGpr(3, SECOND + BigInt(data) + 1n);
      runFrom(machine, BigInt(CODE));
    };
    machine.ram.set([0xb8, 1, 0, 0, 0, HLT], PAGE_A);
    runFrom(machine, FIRST);
    assert.equal(machine.gpr(RAX), 1n);
    stores();
    assert.equal(machine.view.getUint32(PAGE_A + data + 1, true), 7);

    machine.ram.set([0xb8, 2, 0, 0, 0, HLT], PAGE_A + data);
    runFrom(machine, FIRST + BigInt(data));
    assert.equal(machine.gpr(RAX), 2n);
    stores();
    runFrom(machine, FIRST + BigInt(data));
    assert.equal(machine.gpr(RAX), 7n);
    runFrom(machine, FIRST);
    assert.equal(machine.gpr(RAX), 1n);
  });

  test(`${tier}: a store through another mapping of a code page changes the code`, () => {
    // inc byte [rbx]; jmp to FIRST: mov al, 1 (whose operand the store changes); hlt
    const machine = longMachine(tier);
    machine.map(FIRST, PAGE_A);
    machine.map(SECOND, PAGE_A);
    machine.ram.set([0xb0, 1, HLT], PAGE_A);
    runFrom(machine, FIRST);
    assert.equal(machine.gpr(RAX), 1n);
    machine.setGpr(3, SECOND + 1n);
    machine.setGpr(RCX, FIRST);
    machine.ram.set([0xfe, 0x03, 0xff, 0xe1], CODE);
    runFrom(machine, BigInt(CODE));
    assert.equal(machine.gpr(RAX), 2n);
  });

  test(`${tier}: one page mapped twice side by side holds an instruction that straddles from its end to its start`, () => {
    const machine = longMachine(tier);
    machine.map(FIRST, PAGE_A);
    machine.map(SECOND, PAGE_A);
    machine.ram.set([0xb8, 0x11, 0x22], PAGE_A + 0xffd);
    machine.ram.set([0x33, 0x44, HLT], PAGE_A);
    runFrom(machine, FIRST + 0xffdn);
    assert.equal(machine.gpr(RAX), 0x44332211n);
    // Its second half, through the first mapping.
    machine.ram.set([0xc6, 0x04, 0x25, 0, 0, 0, 0x40, 0x55, 0xff, 0xe1], CODE);
    machine.setGpr(RCX, FIRST + 0xffdn);
    runFrom(machine, BigInt(CODE));
    assert.equal(machine.gpr(RAX), 0x44552211n);
  });

  test(`${tier}: what a device writes into a code page by DMA is executed`, () => {
    const machine = longMachine(tier);
    machine.ram.set([0xb8, 1, 0, 0, 0, HLT], CODE);
    runFrom(machine, BigInt(CODE));
    machine.engine.memoryWritten(CODE + 1, 1);
    machine.ram[CODE + 1] = 9;
    runFrom(machine, BigInt(CODE));
    assert.equal(machine.gpr(RAX), 9n);
  });

  test(`${tier}: DMA in the middle of a block, asked for by its port access, takes effect behind it`, () => {
    // out 0x80, al; mov eax, 1; hlt
    const host = {
      writePort: (): void => {
        machine.engine.memoryWritten(CODE + 3, 1);
        machine.ram[CODE + 3] = 9;
      },
    };
    const machine: TestMachine = longMachine(tier, { host, code: [0xe6, 0x80, 0xb8, 1, 0, 0, 0, HLT] });
    runFrom(machine, BigInt(CODE));
    assert.equal(machine.gpr(RAX), 9n);
  });

  for (const [what, bits, error] of [
    ["is not present", 0n, 0x14],
    ["is the supervisor's", 3n, 0x15],
    ["may not be executed", PRESENT_WRITABLE_USER | NX, 0x15],
  ] as const) {
    test(`${tier}: an instruction whose second page ${what} faults there, and the one before it does not`, () => {
      const machine = longMachine(tier, { cpl: 3 });
      machine.map(FIRST, PAGE_A);
      machine.map(SECOND, PAGE_B, bits);
      straddling(machine, PAGE_A, PAGE_B, 0x33);
      machine.ram.set([0xff, 0xc1], PAGE_A + 0xffb);
      machine.engine.registers.setU64(L.RIP, FIRST + 0xffbn);
      const event = machine.runToEvent();
      assert.deepEqual([event.vector, event.error, event.rip], [14, error, FIRST + 0xffdn]);
      assert.equal(machine.engine.registers.u64(L.CR2), SECOND);
      assert.deepEqual([machine.gpr(RCX), machine.gpr(RAX)], [1n, 0n]);
    });
  }

  test(`${tier}: an instruction that ends with its page does not care for the next`, () => {
    const machine = longMachine(tier, { cpl: 3 });
    machine.map(FIRST, PAGE_A);
    machine.map(SECOND, PAGE_B, 0n);
    machine.ram.set([0xb8, 0x11, 0x22, 0x33, 0x44], PAGE_A + 0xffb);
    machine.engine.registers.setU64(L.RIP, FIRST + 0xffbn);
    const event = machine.runToEvent();
    assert.deepEqual([event.vector, event.rip, machine.gpr(RAX)], [14, SECOND, 0x44332211n]);
  });
}

// ---- Code that is not in RAM ------------------------------------------------------------------------------------
/** Where the device's bytes lie in guest-physical memory. */
const DEVICE = RAM_SIZE_BYTES;

/** A device that answers reads with these bytes from DEVICE + offset on, and counts the reads of each. */
function romHost(bytes: readonly number[], offset: number, reads: Map<number, number>): Partial<EngineHost> {
  return {
    readMmio: (gpa, size) => {
      let value = 0;
      for (let i = 0; i < size; i++) {
        const at = gpa + i - DEVICE - offset;
        reads.set(at, (reads.get(at) ?? 0) + 1);
        value |= (bytes[at] ?? 0xff) << (8 * i);
      }
      return value;
    },
  };
}

for (const tier of tiers) {
  test(`${tier}: code in a device is fetched from it each time`, () => {
    // mov ecx, 3; again: inc eax; loop again; jmp rbx
    const reads = new Map<number, number>();
    const bytes = [0xb9, 3, 0, 0, 0, 0xff, 0xc0, 0xe2, 0xfc, 0xff, 0xe3];
    const machine = longMachine(tier, { host: romHost(bytes, 0, reads), code: [HLT] });
    machine.map(FIRST, DEVICE);
    machine.setGpr(3, CODE);
    runFrom(machine, FIRST);
    assert.equal(machine.gpr(RAX), 3n);
    assert.ok((reads.get(5) ?? 0) >= 3);
  });

  test(`${tier}: a device may answer with other code the next time`, () => {
    const bytes = [0xb0, 1, 0xff, 0xe3];
    const machine = longMachine(tier, { host: romHost(bytes, 0, new Map()), code: [HLT] });
    machine.map(FIRST, DEVICE);
    machine.setGpr(3, CODE);
    runFrom(machine, FIRST);
    bytes[1] = 2;
    runFrom(machine, FIRST);
    assert.equal(machine.gpr(RAX), 2n);
  });

  test(`${tier}: an instruction straddles from RAM into a device, and from a device into RAM`, () => {
    const bytes = Array.from({ length: 0x1000 }, () => 0x90);
    bytes.splice(0, 2, 0x33, 0x44);
    bytes.splice(0xffe, 2, 0xb9, 0x55);
    const machine = longMachine(tier, { host: romHost(bytes, 0, new Map()) });
    machine.map(FIRST, PAGE_A);
    machine.map(SECOND, DEVICE);
    machine.map(SECOND + 0x1000n, PAGE_B);
    machine.ram.set([0xb8, 0x11, 0x22], PAGE_A + 0xffd);
    machine.ram.set([0x66, 0x77, 0x88, HLT], PAGE_B);
    runFrom(machine, FIRST + 0xffdn);
    assert.deepEqual([machine.gpr(RAX), machine.gpr(RCX)], [0x44332211n, 0x88776655n]);
  });

  test(`${tier}: a fault of code in a device names its address, as does one at its end`, () => {
    // mov eax, [0x123456789] (not mapped)
    const bytes = [0xff, 0xc1, 0x8b, 0x03];
    const machine = longMachine(tier, { cpl: 3, host: romHost(bytes, 0, new Map()) });
    machine.map(FIRST, DEVICE);
    machine.setGpr(3, 0x1_2345_6789);
    machine.engine.registers.setU64(L.RIP, FIRST);
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip, machine.gpr(RCX)], [14, FIRST + 2n, 1n]);
  });

  test(`${tier}: where nothing answers, what is fetched is an invalid instruction`, () => {
    const machine = longMachine(tier, { cpl: 3 });
    machine.map(FIRST, DEVICE);
    machine.engine.registers.setU64(L.RIP, FIRST);
    const { vector, rip } = machine.runToEvent();
    assert.deepEqual([vector, rip], [6, FIRST]);
  });
}
