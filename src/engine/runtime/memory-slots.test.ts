/**
 * Slots of the guest-physical address space: ROM that is read and executed as memory, windows of devices over RAM, memory
 * seen in two places, and changes of all that while code runs.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import type { EngineHost } from "./engine.ts";
import { DATA, RAM_SIZE_BYTES, TestMachine, type MachineOptions } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const tiers = ["interpreter", "regions"] as const;

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSI = 6;
const RDI = 7;
const HLT = 0xf4;
const SLOT_BYTES = 0x1_0000;
const PAGE = 0x1000;
/** In the first megabyte, over RAM. */
const WINDOW = 0xa0000;
/** Below 4 GiB, where a processor finds its ROM. */
const TOP = 0xffff_0000;
const ROUNDS = 50;

const u32 = (value: number): number[] => [
  value & 0xff,
  (value >>> 8) & 0xff,
  (value >>> 16) & 0xff,
  value >>> 24,
];
/** mov eax, [address]. */
const load = (address: number): number[] => [0xa1, ...u32(address)];
/** mov [address], eax. */
const store = (address: number): number[] => [0xa3, ...u32(address)];
/** The body, then dec ecx; jnz to it; hlt. */
const looped = (body: readonly number[]): number[] => [
  ...body,
  0x49,
  0x0f,
  0x85,
  ...u32(-(body.length + 7)),
  HLT,
];

/** A bus on which every byte reads as C5h, with what has been written to it. */
function bus() {
  const written: [gpa: number, value: number][] = [];
  const host: Partial<EngineHost> = {
    readMmio: (_gpa, size) => (size === 4 ? 0xc5c5c5c5 : size === 2 ? 0xc5c5 : 0xc5),
    writeMmio: (gpa, _size, value) => written.push([gpa, value]),
  };
  return { written, host };
}

function machineOf(tier: MachineOptions["tier"], code: readonly number[], host: Partial<EngineHost> = {}) {
  const machine = new TestMachine({ core, tier, mode: "protected", code, host, slotMemoryBytes: SLOT_BYTES });
  machine.setGpr(RCX, ROUNDS);
  return machine;
}

const rom = { kind: "memory", offset: RAM_SIZE_BYTES, isWritable: false } as const;
const videoMemory = { ...rom, isWritable: true } as const;

for (const tier of tiers) {
  test(`${tier}: ROM is read as memory, and writes to it go to the bus`, () => {
    const { host, written } = bus();
    // mov ebx, [ROM + 8]; mov [ROM + 8], ecx; add dword [ROM + 4], 1; mov eax, [ROM + 4]
    const body = [
      0x8b,
      0x1d,
      ...u32(WINDOW + 8),
      0x89,
      0x0d,
      ...u32(WINDOW + 8),
      0x83,
      0x05,
      ...u32(WINDOW + 4),
      1,
    ];
    const machine = machineOf(tier, looped([...body, ...load(WINDOW + 4)]), host);
    machine.slotMemory.set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    machine.ram.fill(0xee, WINDOW, WINDOW + 16);
    machine.engine.setMemorySlot(WINDOW, PAGE, rom);
    assert.equal(machine.run(), "halt");
    assert.equal(machine.gpr(RBX), 0x0c0b0a09n);
    assert.equal(machine.gpr(RAX), 0x08070605n);
    assert.equal(written.length, 2 * ROUNDS);
    assert.deepEqual(written.slice(0, 2), [
      [WINDOW + 8, ROUNDS],
      [WINDOW + 4, 0x08070606],
    ]);
    assert.deepEqual([...machine.ram.subarray(WINDOW, WINDOW + 12)], Array(12).fill(0xee));
    assert.deepEqual([...machine.slotMemory.subarray(4, 8)], [5, 6, 7, 8]);
  });

  test(`${tier}: memory above RAM is written and read, the page behind it is a device's`, () => {
    const { host, written } = bus();
    // mov eax, ecx; mov [end - 4], eax; mov [end], eax; mov eax, [end - 4]; mov edx, [end - 2]
    const end = 0xe000_0000 + PAGE;
    const body = [
      0x89,
      0xc8,
      ...store(end - 4),
      ...store(end),
      ...load(end - 4),
      0x8b,
      0x15,
      ...u32(end - 2),
    ];
    const machine = machineOf(tier, looped(body), host);
    machine.engine.setMemorySlot(0xe000_0000, PAGE, videoMemory);
    assert.equal(machine.run(), "halt");
    assert.equal(machine.gpr(RAX), 1n);
    assert.equal(machine.gpr(RDX), 0xc5c50000n);
    assert.deepEqual([...machine.slotMemory.subarray(PAGE - 4, PAGE)], [1, 0, 0, 0]);
    assert.equal(written.length, ROUNDS);
    assert.deepEqual(written[0], [end, ROUNDS]);
  });

  for (const [what, slot, seen] of [
    ["a device's window hides RAM", { kind: "device" }, 0xc5],
    ["ROM hides RAM", rom, 0x77],
  ] as const) {
    test(`${tier}: ${what} from one port access to another, while a loop looks at it`, () => {
      const { host } = bus();
      // movzx eax, byte [window]; add ebx, eax; out 80h, al
      const body = [0x0f, 0xb6, 0x05, ...u32(WINDOW), 0x01, 0xc3, 0xe6, 0x80];
      let rounds = 0;
      const machine: TestMachine = machineOf(tier, looped(body), {
        ...host,
        writePort: () => {
          rounds++;
          if (rounds === 20) machine.engine.setMemorySlot(WINDOW, PAGE, slot);
          if (rounds === 40) machine.engine.setMemorySlot(WINDOW, PAGE, { kind: "none" });
        },
      });
      machine.ram[WINDOW] = 1;
      machine.slotMemory[0] = 0x77;
      assert.equal(machine.run(), "halt");
      assert.equal(machine.gpr(RBX), BigInt(20 + 20 * seen + 10));
    });
  }

  test(`${tier}: code is executed in ROM below 4 GiB, and compiled`, () => {
    // add eax, 3 in the loop
    const machine = machineOf(tier, [HLT]);
    machine.slotMemory.set(looped([0x83, 0xc0, 3]), SLOT_BYTES - 0x100);
    machine.engine.setMemorySlot(TOP, SLOT_BYTES, rom);
    machine.change({ rip: BigInt(0xffff_ff00) });
    assert.equal(machine.run(), "halt");
    assert.equal(machine.gpr(RAX), BigInt(3 * ROUNDS));
    assert.equal(machine.engine.statistics.regionsCompiled > 0, tier === "regions");
  });

  test(`${tier}: code that is changed by its other address is executed as it is then`, () => {
    // At the alias: mov eax, imm32 in a loop; each round adds 1 to the operand through the writable slot.
    const machine = machineOf(tier, [HLT]);
    const at = 0xe000_0000;
    machine.slotMemory.set(looped([0xb8, ...u32(7), 0xff, 0x05, ...u32(at + 1)]), 0);
    machine.engine.setMemorySlot(at, PAGE, videoMemory);
    machine.engine.setMemorySlot(WINDOW, PAGE, videoMemory);
    machine.change({ rip: BigInt(WINDOW) });
    assert.equal(machine.run(), "halt");
    assert.equal(machine.gpr(RAX), BigInt(7 + ROUNDS - 1));
  });

  test(`${tier}: page tables may lie in ROM, whose accessed bits stay as they are`, () => {
    const machine = machineOf(tier, looped(load(DATA)));
    machine.view.setUint32(DATA, 0x5a5a5a5a, true);
    const tables = new DataView(machine.slotMemory.buffer, machine.slotMemory.byteOffset, SLOT_BYTES);
    // One directory entry, one table of identical mappings, both present and writable, nothing accessed.
    tables.setUint32(0, 0xe000_1003, true);
    for (let page = 0; page < 512; page++) tables.setUint32(PAGE + 4 * page, (page * PAGE) | 3, true);
    machine.engine.setMemorySlot(0xe000_0000, 2 * PAGE, rom);
    const state = machine.engine.registers.read();
    machine.engine.registers.write({ ...state, cr3: 0xe000_0000n, cr0: state.cr0 | 0x8000_0000n });
    assert.equal(machine.run(), "halt");
    assert.equal(machine.gpr(RAX), 0x5a5a5a5an);
    assert.equal(tables.getUint32(0, true), 0xe000_1003);
  });

  test(`${tier}: a store to a chip may change what the loads around it read`, () => {
    // mov eax, [rdi]; mov edx, [rdi + 8]; mov [rsi], ecx; mov ebx, [rdi + 4]; mov [rsi], ecx; mov ebp, [rdi + 4];
    // add r9, rbx; add r10, rbp; dec ecx; jnz; hlt
    const body = [0x8b, 0x07, 0x8b, 0x57, 0x08, 0x89, 0x0e, 0x8b, 0x5f, 0x04, 0x89, 0x0e, 0x8b, 0x6f, 0x04];
    body.push(0x49, 0x01, 0xd9, 0x49, 0x01, 0xea, 0xff, 0xc9);
    const code = [...body, 0x0f, 0x85, ...u32(-(body.length + 6)), HLT];
    let showsArray = true;
    const { host } = bus();
    const machine: TestMachine = new TestMachine({
      ...{ core, tier, mode: "long", code, slotMemoryBytes: SLOT_BYTES, compiledAtExecution: 10 },
      host: {
        ...host,
        writeMmio: () => {
          showsArray = !showsArray;
          machine.engine.setMemorySlot(TOP, PAGE, showsArray ? rom : { kind: "device" });
        },
      },
    });
    machine.slotMemory[4] = 7;
    machine.setGpr(RCX, ROUNDS);
    machine.setGpr(RSI, TOP);
    machine.setGpr(RDI, TOP);
    machine.map(BigInt(TOP), TOP);
    machine.engine.setMemorySlot(TOP, PAGE, rom);
    // Each access of a device counts as many instructions.
    while (machine.run() === "slice");
    assert.equal(machine.gpr(9), BigInt(0xc5c5c5c5) * BigInt(ROUNDS));
    assert.equal(machine.gpr(10), BigInt(7 * ROUNDS));
    assert.equal(machine.engine.statistics.regionsCompiled > 0, tier === "regions");
  });
}
