import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { ManualClock, MiB, unwrap } from "../../base/index.ts";
import { RamDma } from "../../hw/index.ts";
import type { CpuState, MachineBus, SegmentState } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { WASM_ACCELERATOR_PREFIX_BYTES, WasmAccelerator } from "./index.ts";

const core = await WebAssembly.compile(await readFile(new URL("../../../build/core.wasm", import.meta.url)));
const CODE_GPA = 0x1000;
const PAGE_BYTES = 0x1000;

const code32: SegmentState = { selector: 8, base: 0n, limit: 0xffffffff, attributes: 0xc09b };
const data32: SegmentState = { selector: 16, base: 0n, limit: 0xffffffff, attributes: 0xc093 };

/** A vCPU in flat protected mode at CODE_GPA, and what it has done to its bus. */
function machine(...code: readonly number[]) {
  const ram = unwrap(
    createGuestRam({ sizeBytes: 2 * MiB, reservedPrefixBytes: WASM_ACCELERATOR_PREFIX_BYTES }),
  );
  ram.write(CODE_GPA, Uint8Array.from(code));
  const clock = new ManualClock();
  const accesses: string[] = [];
  const bus: MachineBus = {
    readPort: (port, size) => {
      accesses.push(`in ${port.toString(16)}/${size}`);
      return 0x5a;
    },
    writePort: (port, size, value) => {
      accesses.push(`out ${port.toString(16)}/${size} ${value.toString(16)}`);
      if (port === 0xf4) vcpu.requestExit();
    },
    readMmio: (gpa, size) => {
      accesses.push(`read ${gpa.toString(16)}/${size}`);
      return 0x1234_5678;
    },
    writeMmio: (gpa, size, value) => {
      accesses.push(`write ${gpa.toString(16)}/${size} ${value.toString(16)}`);
    },
    acknowledgeInterrupt: () => 0x20,
    readMsr: () => undefined,
    writeMsr: () => false,
    taskPriorityChanged: (priorityClass) => void accesses.push(`cr8 ${priorityClass}`),
    tscOffsetChanged: () => undefined,
  };
  const accelerator = new WasmAccelerator({
    core,
    ram,
    clock,
    monotonicNs: () => 0,
    tier: "auto",
    cpu: "v2",
    entropy: (byteCount) => Uint8Array.from({ length: byteCount }, (_, i) => i),
    hypervisorLeaves: [],
  });
  const vcpu = accelerator.createVcpu(bus);
  vcpu.reset();
  const powerOn = vcpu.getState();
  const entry: CpuState = {
    ...powerOn,
    rip: BigInt(CODE_GPA),
    rflags: 2n,
    cr0: 0x11n,
    cs: code32,
    ss: data32,
    ds: data32,
    es: data32,
  };
  vcpu.setState(entry);
  accesses.length = 0;
  return { vcpu, ram, accesses, powerOn };
}

const HLT = 0xf4;

test("the power-on state is real mode at F000:FFF0", () => {
  const { powerOn } = machine(HLT);
  assert.equal(powerOn.cs.selector, 0xf000);
  assert.equal(powerOn.rip, 0xfff0n);
  assert.equal(powerOn.cr0 & 1n, 0n);
});

test("a state that was set is the state that is read", () => {
  const { vcpu } = machine(HLT);
  const state = {
    ...vcpu.getState(),
    gpr: Array.from({ length: 16 }, (_, i) => BigInt(i) << 60n),
    cr2: 0x1234n,
  };
  vcpu.setState(state);
  assert.deepEqual(vcpu.getState(), state);
});

test("code runs to its halt, and its port and memory accesses reach the bus", () => {
  // mov al, 41h; out 80h, al; in al, 60h; mov eax, [C0000000h]; mov [C0000004h], ax; hlt
  const { vcpu, accesses } = machine(
    ...[0xb0, 0x41, 0xe6, 0x80, 0xe4, 0x60, 0xa1, 0, 0, 0, 0xc0, 0x66, 0xa3, 4, 0, 0, 0xc0, HLT],
  );
  assert.deepEqual(vcpu.run({ maxInstructions: 1000 }), { kind: "halt" });
  assert.deepEqual(accesses, ["out 80/1 41", "in 60/1", "read c0000000/4", "write c0000004/2 5678"]);
  assert.equal(vcpu.instructionsRetired, 6n);
  assert.equal(vcpu.getState().rip, BigInt(CODE_GPA + 18));
});

test("code in pages that a device discards is not executed any more", () => {
  // nop; inc ecx; out F4h, al; jmp to the nop
  const { vcpu, ram } = machine(0x90, 0x41, 0xe6, 0xf4, 0xeb, 0xfa);
  // out F4h, al; jmp $
  ram.write(CODE_GPA + PAGE_BYTES, Uint8Array.of(0xe6, 0xf4, 0xeb, 0xfe));
  const entry = vcpu.getState();
  // Zeros are instructions that add AL, which is 0, to where EAX points, up to what leaves behind the page.
  vcpu.setState({ ...entry, gpr: entry.gpr.map((_, register) => (register === 0 ? 0x8000n : 0n)) });
  for (let turn = 0; turn < 3; turn++)
    assert.deepEqual(vcpu.run({ maxInstructions: 10_000 }), { kind: "requested" });
  assert.equal(vcpu.getState().gpr[1], 3n);
  const release = (gpa: number, lengthBytes: number): number => {
    ram.fill(gpa, lengthBytes, 0);
    return lengthBytes;
  };
  const dma = new RamDma(ram, (gpa, lengthBytes) => vcpu.memoryWritten(gpa, lengthBytes), release);
  assert.equal(dma.discard(CODE_GPA, PAGE_BYTES), true);
  assert.deepEqual(vcpu.run({ maxInstructions: 10_000 }), { kind: "requested" });
  const { gpr, rip } = vcpu.getState();
  assert.deepEqual([gpr[1], rip], [3n, BigInt(CODE_GPA + PAGE_BYTES + 2)]);
});

test("RDRAND gives the machine's entropy, in the order in which it came", () => {
  // rdrand eax; rdrand ebx; hlt
  const { vcpu } = machine(0x0f, 0xc7, 0xf0, 0x0f, 0xc7, 0xf3, HLT);
  assert.deepEqual(vcpu.run({ maxInstructions: 1000 }), { kind: "halt" });
  const { gpr } = vcpu.getState();
  assert.deepEqual([gpr[0], gpr[3]], [0x03020100n, 0x0b0a0908n]);
});

test("a budget ends a loop, and about as many instructions are counted", () => {
  // jmp $
  const { vcpu } = machine(0xeb, 0xfe);
  assert.deepEqual(vcpu.run({ maxInstructions: 10_000 }), { kind: "slice" });
  const retired = Number(vcpu.instructionsRetired);
  assert.ok(retired >= 9_000 && retired <= 11_000, `${retired} instructions`);
});

test("an exit that is requested from a bus callback, or between runs, comes at the next block end", () => {
  // out F4h, al; jmp $
  const { vcpu } = machine(0xe6, 0xf4, 0xeb, 0xfe);
  assert.deepEqual(vcpu.run({ maxInstructions: 1_000_000 }), { kind: "requested" });
  assert.ok(vcpu.instructionsRetired < 1000n);
  vcpu.requestExit();
  assert.deepEqual(vcpu.run({ maxInstructions: 1_000_000 }), { kind: "requested" });
});

test("an exception without an IDT is a triple fault", () => {
  // ud2
  const { vcpu } = machine(0x0f, 0x0b);
  assert.deepEqual(vcpu.run({ maxInstructions: 1000 }), { kind: "shutdown" });
});

test("INIT# gives the power-on state, but for what it leaves of CR0", () => {
  // hlt
  const { vcpu, powerOn } = machine(HLT);
  vcpu.run({ maxInstructions: 1000 });
  vcpu.init();
  assert.deepEqual(vcpu.getState(), { ...powerOn, cr0: 0x10n });
});

test("reset gives the power-on state again", () => {
  const { vcpu, powerOn } = machine(HLT);
  vcpu.run({ maxInstructions: 1000 });
  vcpu.reset();
  assert.deepEqual(vcpu.getState(), powerOn);
});
