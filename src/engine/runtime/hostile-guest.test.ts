/** What a hostile guest may try against the engine itself: each test is an attack that once got through. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import type { SegmentState } from "../../hw/index.ts";
import * as L from "../layout.ts";
import { bareEngine } from "./bare-engine.ts";
import type { Engine, EngineOptions } from "./engine.ts";

const RAM_SIZE_BYTES = 2 << 20;
const CODE = 0x10000;
const KERNEL_CODE = 0x11000;
const PML4 = 0x1000;
const USER = 3;
/** No instruction in 64-bit mode. */
const INVALID = 0x06;

const tiers = ["interpreter", "regions"] as const;
const module = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));

const segment = (selector: number, attributes: number): SegmentState => ({
  selector,
  base: 0n,
  limit: 0xffffffff,
  attributes,
});
const NO_SEGMENT: SegmentState = { selector: 0, base: 0n, limit: 0, attributes: 0 };

/** 64-bit mode with 2 MiB of RAM mapped one to one, for everyone; no interrupt table: every fault is a shutdown. */
class LongModeMachine {
  readonly engine: Engine;
  readonly ram: Uint8Array;
  mmioWrites = 0;

  constructor(tier: EngineOptions["tier"]) {
    const { engine, ram, view } = bareEngine({
      ...{ core: module, tier, ramSizeBytes: RAM_SIZE_BYTES },
      host: { writeMmio: () => void this.mmioWrites++ },
    });
    this.engine = engine;
    this.ram = ram;
    ram.fill(INVALID, CODE);
    view.setBigUint64(PML4, 0x2007n, true);
    view.setBigUint64(0x2000, 0x3007n, true);
    view.setBigUint64(0x3000, 0x87n, true);
  }

  /** Starts at `rip` with `rax`; the translations made so far stay. */
  start(rip: number, rax: bigint, cpl: 0 | 3): void {
    const { registers } = this.engine;
    const data = segment(0x10 | cpl, cpl === USER ? 0xc0f3 : 0xc093);
    registers.writeKeepingCaches({
      gpr: Array.from({ length: 16 }, (_, i) => (i === 0 ? rax : 0x20000n)),
      rip: BigInt(rip),
      rflags: 2n,
      cs: segment(0x18 | cpl, cpl === USER ? 0xa0fb : 0xa09b),
      ss: data,
      ds: data,
      es: data,
      fs: data,
      gs: data,
      ldtr: NO_SEGMENT,
      tr: { selector: 0x28, base: 0n, limit: 0x67, attributes: 0x8b },
      gdtr: { base: 0n, limit: 0 },
      idtr: { base: 0n, limit: 0 },
      cr0: 0x80010011n,
      cr2: 0n,
      cr3: BigInt(PML4),
      cr4: 0x620n,
      cr8: 0n,
      efer: 0xd01n,
    });
  }
}

/** What a run may take on a heavily loaded machine; without bounds on costly instructions it would be minutes. */
const RUN_MS_MAX = 5000;

for (const tier of tiers) {
  test(`${tier}: a jump to the address that looks like an empty jump cache entry faults`, () => {
    for (const cpl of [0, 3] as const) {
      const machine = new LongModeMachine(tier);
      machine.ram.set([0xff, 0xe0], CODE); // jmp rax
      machine.start(CODE, 0n, cpl);
      const mode = BigInt(machine.engine.registers.u32(L.MODE));
      for (const target of [~(mode << 48n), ~mode, mode << 48n, -1n]) {
        machine.start(CODE, BigInt.asUintN(64, target), cpl);
        assert.equal(machine.engine.run(100), "shutdown");
        machine.engine.reset();
      }
    }
  });

  test(`${tier}: no jump of user code reaches a translation that the kernel made`, () => {
    const machine = new LongModeMachine(tier);
    machine.ram.set([0xb8, 1, 0, 0, 0, 0x0f, 0x0b], KERNEL_CODE); // mov eax, 1; ud2
    machine.ram.set([0xff, 0xe0], CODE); // jmp rax
    machine.start(KERNEL_CODE, 0n, 0);
    const kernelMode = machine.engine.registers.u32(L.MODE);
    machine.engine.run(1);
    machine.engine.registers.setU32(L.FAULT_VECTOR, L.FAULT_NONE);
    machine.start(CODE, 0n, USER);
    const difference = BigInt(machine.engine.registers.u32(L.MODE) ^ kernelMode);
    for (const target of [difference << 48n, difference]) {
      machine.start(CODE, BigInt(KERNEL_CODE) ^ target, USER);
      assert.equal(machine.engine.run(100), "shutdown");
      machine.engine.registers.setU32(L.FAULT_VECTOR, L.FAULT_NONE);
      assert.notEqual(machine.engine.registers.u64(L.GPR_RAX), 1n);
    }
  });

  test(`${tier}: a jump to what stands for a region's fault is a fault of the guest`, () => {
    const machine = new LongModeMachine(tier);
    machine.ram.set([0xff, 0xe0], CODE);
    machine.start(CODE, (BigInt(L.REGION_RESULT_HIGH) << 32n) | BigInt(L.REGION_FAULT_LOW), USER);
    assert.equal(machine.engine.run(100), "shutdown");
  });

  test(`${tier}: a run that costs much ends early`, () => {
    const machine = new LongModeMachine(tier);
    // again: mov cr3, rcx; jmp again
    machine.ram.set([0x0f, 0x22, 0xd9, 0xeb, 0xfb], CODE);
    machine.start(CODE, 0n, 0);
    machine.engine.registers.setU64(L.GPR_RCX, BigInt(PML4));
    // A flush of what little has been filled is cheap; the host must have its thread back soon however many there are.
    const startMs = performance.now();
    assert.equal(machine.engine.run(1_000_000), "slice");
    const elapsedMs = performance.now() - startMs;
    const { tlbFlushes } = machine.engine.statistics;
    assert.ok(tlbFlushes > 100n && tlbFlushes < 20_000n, String(tlbFlushes));
    assert.ok(elapsedMs < RUN_MS_MAX, String(elapsedMs));
    // again: invlpg [rcx]; jmp again. It lies in a large page, whose pieces are looked for in all TLBs.
    machine.ram.set([0x0f, 0x01, 0x39, 0xeb, 0xfb], CODE);
    machine.engine.reset();
    machine.start(CODE, 0n, 0);
    const before = machine.engine.statistics.instructionsRetired;
    assert.equal(machine.engine.run(1_000_000), "slice");
    const retired = machine.engine.statistics.instructionsRetired - before;
    assert.ok(retired > 20n && retired < 400n, String(retired));
    // rep stosb to where no memory is
    machine.ram.set([0xf3, 0xaa], CODE);
    machine.engine.reset();
    machine.start(CODE, 0n, 0);
    const { registers } = machine.engine;
    registers.setU64(L.CR0, 0x11n);
    registers.setU64(L.EFER, 0n);
    registers.write({ ...registers.read(), cs: segment(0x08, 0xc09b) });
    registers.setU64(L.GPR_RCX, 0xffffffffn);
    registers.setU64(L.GPR_RDI, 0x80000000n);
    assert.equal(machine.engine.run(1_000_000), "slice");
    assert.ok(machine.mmioWrites > 1000 && machine.mmioWrites < 100_000, String(machine.mmioWrites));
  });
}
