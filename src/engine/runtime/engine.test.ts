import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import type { CpuState, SegmentState } from "../../hw/index.ts";
import * as L from "../layout.ts";
import { bareEngine } from "./bare-engine.ts";
import type { Engine, EngineHost, EngineOptions } from "./engine.ts";

const RAM_SIZE_BYTES = 2 << 20;
const CODE = 0x10000;
const STACK_TOP = 0x20000;
const IDT = 0x8000;
const HANDLER = 0x9000;
const GDT = 0x7000;
const CR0_PE = 1n;
const HLT = 0xf4;

const tiers = ["interpreter", "regions"] as const;
const module = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));

const segment = (selector: number, attributes: number): SegmentState => ({
  selector,
  base: 0n,
  limit: 0xffffffff,
  attributes,
});
const CODE_SEGMENT = segment(0x08, 0xc09b);
const DATA_SEGMENT = segment(0x10, 0xc093);
const NO_SEGMENT: SegmentState = { selector: 0, base: 0n, limit: 0, attributes: 0 };

/** 32-bit protected mode, flat, paging off, at CODE. */
function flatState(rflags = 2n): CpuState {
  return {
    gpr: Array.from({ length: 16 }, (_, i) => (i === 4 ? BigInt(STACK_TOP) : 0n)),
    rip: BigInt(CODE),
    rflags,
    cs: CODE_SEGMENT,
    ss: DATA_SEGMENT,
    ds: DATA_SEGMENT,
    es: DATA_SEGMENT,
    fs: DATA_SEGMENT,
    gs: DATA_SEGMENT,
    ldtr: NO_SEGMENT,
    tr: { selector: 0x18, base: 0n, limit: 0x67, attributes: 0x8b },
    gdtr: { base: BigInt(GDT), limit: 0x1f },
    idtr: { base: BigInt(IDT), limit: 0x7ff },
    cr0: CR0_PE,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
  };
}

class Machine {
  readonly engine: Engine;
  readonly ram: Uint8Array;
  readonly view: DataView;

  constructor(
    tier: EngineOptions["tier"],
    code: readonly number[],
    host: Partial<EngineHost> = {},
    cpu = "v2",
  ) {
    const bare = bareEngine({ core: module, tier, ramSizeBytes: RAM_SIZE_BYTES, cpu, host });
    this.engine = bare.engine;
    this.ram = bare.ram;
    this.view = bare.view;
    this.ram.set(code, CODE);
    this.view.setBigUint64(GDT + 8, 0x00cf9b000000ffffn, true);
    this.view.setBigUint64(GDT + 16, 0x00cf93000000ffffn, true);
    this.engine.registers.write(flatState());
  }

  /** An interrupt gate for `vector` to a handler that halts. */
  haltOn(vector: number): void {
    this.view.setUint32(IDT + vector * 8, (0x08 << 16) | (HANDLER & 0xffff), true);
    this.view.setUint32(IDT + vector * 8 + 4, (HANDLER & 0xffff0000) | 0x8e00, true);
    this.ram[HANDLER] = HLT;
  }

  eax(): number {
    return this.engine.registers.u32(L.GPR_RAX);
  }
}

for (const tier of tiers) {
  test(`${tier}: a loop runs to HLT and every instruction is counted`, () => {
    // mov ecx, 1000; again: add eax, 3; dec ecx; jnz again; hlt
    const machine = new Machine(tier, [0xb9, 0xe8, 3, 0, 0, 0x83, 0xc0, 3, 0x49, 0x75, 0xfa, HLT]);
    assert.equal(machine.engine.run(100_000), "halt");
    assert.equal(machine.eax(), 3000);
    const { instructionsRetired, instructionsInRegions } = machine.engine.statistics;
    assert.equal(instructionsRetired, 3002n);
    assert.equal(instructionsInRegions > 2900n, tier === "regions");
  });

  test(`${tier}: every translation and every compilation is a stop of the guest, by the host's clock`, () => {
    let hostNs = 0;
    // mov ecx, 1000; again: dec ecx; jnz again; hlt
    const code = [0xb9, 0xe8, 3, 0, 0, 0x49, 0x75, 0xfd, HLT];
    const machine = new Machine(tier, code, { monotonicNs: () => (hostNs += 2000) });
    assert.equal(machine.engine.run(100_000), "halt");
    const { translationStops, compilationStops, blocksTranslated, regionsCompiled } =
      machine.engine.statistics;
    assert.ok(blocksTranslated >= 3);
    assert.equal(translationStops.count, blocksTranslated);
    assert.equal(translationStops.totalNs, 2000 * blocksTranslated);
    assert.equal(compilationStops.count, regionsCompiled);
    assert.equal(regionsCompiled > 0, tier === "regions");
    assert.equal(hostNs, 4000 * (blocksTranslated + regionsCompiled));
  });

  test(`${tier}: RDRAND and RDSEED give the host's entropy in each width, and CF alone`, () => {
    let next = 0x11111111;
    // stc; std; cmp eax, 1; rdrand eax; rdseed bx; pushf; pop ecx; hlt
    const code = [0xf9, 0x83, 0xf8, 1, 0x0f, 0xc7, 0xf0, 0x66, 0x0f, 0xc7, 0xfb, 0x9c, 0x59, HLT];
    const machine = new Machine(tier, code, { entropyU32: () => (next += 0x11111111) });
    machine.engine.registers.setU64(L.GPR_RBX, 0xaaaaaaaan);
    assert.equal(machine.engine.run(1000), "halt");
    assert.equal(machine.eax(), 0x22222222);
    assert.equal(machine.engine.registers.u32(L.GPR_RBX), 0xaaaa4444);
    assert.equal(machine.engine.registers.u32(L.GPR_RCX) & 0x8d5, 1);
  });

  test(`${tier}: RDPID and RDTSCP read IA32_TSC_AUX`, () => {
    // mov ecx, C0000103h; mov eax, 77; xor edx, edx; wrmsr; rdpid ebx; rdtscp; hlt
    const code = [
      0xb9, 3, 1, 0, 0xc0, 0xb8, 77, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x30, 0xf3, 0x0f, 0xc7, 0xfb, 0x0f, 1, 0xf9, HLT,
    ]; // prettier-ignore
    const machine = new Machine(tier, code);
    assert.equal(machine.engine.run(1000), "halt");
    assert.deepEqual(
      [machine.engine.registers.u32(L.GPR_RBX), machine.engine.registers.u32(L.GPR_RCX)],
      [77, 77],
    );
  });

  test(`${tier}: IA32_TSC_AUX does not exist without RDTSCP and RDPID`, () => {
    // mov ecx, C0000103h; rdmsr; hlt
    const code = [0xb9, 3, 1, 0, 0xc0, 0x0f, 0x32, HLT];
    const machine = new Machine(tier, code, {}, "v2,-rdtscp,-rdpid");
    machine.haltOn(13);
    assert.equal(machine.engine.run(1000), "halt");
    assert.equal(machine.engine.registers.u32(L.RIP), HANDLER + 1);
  });

  test(`${tier}: a store into the block that runs changes its next instruction at once`, () => {
    // mov byte [CODE + 8], 7; mov eax, 1 (whose immediate becomes 7); hlt
    const machine = new Machine(tier, [0xc6, 0x05, 8, 0, 1, 0, 7, 0xb8, 1, 0, 0, 0, HLT]);
    assert.equal(machine.engine.run(1000), "halt");
    assert.equal(machine.eax(), 7);
    assert.ok(machine.engine.statistics.codeWrites > 0n);
  });

  test(`${tier}: code that a loop rewrites is translated anew each time`, () => {
    // mov ecx, 50; again: inc byte [CODE + 18]; add eax, imm8 at CODE + 18 …
    const code = [
      0xb9, 50, 0, 0, 0, // mov ecx, 50
      0xfe, 0x05, 0x16, 0, 1, 0, // again: inc byte [0x10016]
      0xe9, 5, 0, 0, 0, // jmp patched
      0x90, 0x90, 0x90, 0x90, 0x90,
      0x04, 0, // patched (0x10015): add al, imm8
      0x49, // dec ecx
      0x75, 0xeb, // jnz again
      HLT,
    ]; // prettier-ignore
    const machine = new Machine(tier, code);
    assert.equal(machine.engine.run(100_000), "halt");
    assert.equal(machine.eax(), ((50 * 51) / 2) & 0xff);
  });

  test(`${tier}: a repeated string instruction that overwrites what follows it is noticed`, () => {
    const code = [
      0x31, 0xd2, // xor edx, edx
      0xbd, 20, 0, 0, 0, // mov ebp, 20
      0xb0, 0x42, // mov al, the opcode of inc edx
      0x8b, 0x3c, 0xad, 0, 0x10, 1, 0, // again: mov edi, [destinations + ebp * 4]
      0xb9, 3, 0, 0, 0, // mov ecx, 3
      0xfc, // cld
      0xf3, 0xaa, // rep stosb
      0x90, 0x90, 0x90, // patched (0x10018)
      0x4d, // dec ebp
      0x75, 0xeb, // jnz again
      HLT,
    ]; // prettier-ignore
    const { engine, view } = new Machine(tier, code);
    // The last time it is the code.
    for (let i = 1; i <= 20; i++) view.setUint32(0x11000 + 4 * i, i === 1 ? 0x10018 : 0x12000, true);
    assert.equal(engine.run(100_000), "halt");
    assert.equal(engine.registers.u32(L.GPR_RDX), 3);
  });

  test(`${tier}: an interrupt that waits behind STI comes after exactly one more instruction`, () => {
    // sti; inc eax; cli; inc eax; hlt
    const machine = new Machine(tier, [0xfb, 0x40, 0xfa, 0x40, HLT]);
    machine.haltOn(0x20);
    machine.engine.setInterruptLine(true);
    assert.equal(machine.engine.run(1000), "halt");
    assert.equal(machine.eax(), 1);
    const returnAddress = machine.view.getUint32(STACK_TOP - 12, true);
    assert.equal(returnAddress, CODE + 2);
  });

  test(`${tier}: an interrupt ends HLT, with the return address behind it`, () => {
    const machine = new Machine(tier, [0xfb, HLT, 0x40, HLT]);
    machine.haltOn(0x20);
    assert.equal(machine.engine.run(1000), "halt");
    machine.engine.setInterruptLine(true);
    assert.equal(machine.engine.run(1000), "halt");
    assert.equal(machine.view.getUint32(STACK_TOP - 12, true), CODE + 2);
  });

  test(`${tier}: exceptions without a way to deliver them end in shutdown`, () => {
    const machine = new Machine(tier, [0x0f, 0x0b]);
    machine.engine.registers.setU32(L.IDTR_LIMIT, 0);
    assert.equal(machine.engine.run(1000), "shutdown");
  });

  test(`${tier}: an exit asked for in a port callback comes behind the instruction`, () => {
    // out 0x80, al; inc eax; hlt
    const host: Partial<EngineHost> = { writePort: () => machine.engine.requestExit() };
    const machine: Machine = new Machine(tier, [0xe6, 0x80, 0x40, HLT], host);
    assert.equal(machine.engine.run(1000), "requested");
    assert.equal(machine.engine.registers.u64(L.RIP), BigInt(CODE + 2));
    assert.equal(machine.engine.run(1000), "halt");
    assert.equal(machine.eax(), 1);
  });

  test(`${tier}: an endless loop gives its slice back`, () => {
    const machine = new Machine(tier, [0x40, 0xeb, 0xfd]);
    assert.equal(machine.engine.run(10_000), "slice");
    const { instructionsRetired } = machine.engine.statistics;
    assert.ok(instructionsRetired >= 10_000n && instructionsRetired < 10_200n);
  });
}

for (const tier of tiers) {
  test(`${tier}: the A20 gate holds from the OUT that moves it, for data and for the code that runs`, () => {
    // mov dword [4000h], 1111h; mov dword [104000h], 2222h; xor eax, eax; out 92h, al; mov ebx, [104000h]
    const closed = [
      ...[0xc7, 0x05, 0x00, 0x40, 0, 0, 0x11, 0x11, 0, 0, 0xc7, 0x05, 0x00, 0x40, 0x10, 0, 0x22, 0x22, 0, 0],
      ...[0x31, 0xc0, 0xe6, 0x92, 0x8b, 0x1d, 0x00, 0x40, 0x10, 0],
    ];
    // jmp 110000h + the code's size + 5: the code that follows, in the megabyte above
    const up = [0xe9, 0, 0, 0x10, 0];
    // mov al, 2; out 92h, al; then here inc edx; hlt, and a megabyte above mov ecx, [104000h]; hlt
    const opens = [0xb0, 0x02, 0xe6, 0x92];
    const below = [0x42, HLT];
    const above = [0x8b, 0x0d, 0x00, 0x40, 0x10, 0, HLT];
    const { engine, ram } = new Machine(tier, [...closed, ...up, ...opens, ...below], {
      writePort: (_port, _size, value) => engine.setA20((value & 2) !== 0),
    });
    ram.set(above, CODE + 0x10_0000 + closed.length + up.length + opens.length);
    assert.equal(engine.run(1000), "halt");
    assert.deepEqual(
      [L.GPR_RBX, L.GPR_RCX, L.GPR_RDX].map((register) => engine.registers.u32(register)),
      [0x1111, 0x2222, 0],
    );
  });
}
