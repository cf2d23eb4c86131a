/**
 * Engine fuzz: random guests at CPL 0 in every processor mode and tier, with a host that answers at random, asks for
 * exits, moves the interrupt line and writes guest memory. Whatever they do, no exception or trap leaves run(), run()
 * comes back in time, and the engine touches nothing but its own structures and guest RAM. The code cache is as small as
 * it can be, so that blocks are evicted. A case depends on its seed and tier alone.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Engine, type EngineHost, type EngineOptions } from "../../src/engine/index.ts";
import { cpuModel } from "../../src/cpu/index.ts";
import { CODE_CACHE_SIZE_MIN } from "../../src/engine/runtime/code-cache.ts";
import * as L from "../../src/engine/layout.ts";
import { type CpuMode, Random } from "../oracle/index.ts";
import { EngineInvariants } from "./engine-invariants.ts";
import { RAM_SIZE_BYTES } from "./guest-layout.ts";
import { entryBytesOf, writeCode, writeGates, writeTables } from "./guest-memory.ts";
import { type GuestMode, guestModes, randomState } from "./guest-state.ts";
import { type Code, likelyAddress, randomCode } from "./instructions.ts";
import { assertBelowLimits } from "./memory-use.ts";

export type Tier = EngineOptions["tier"];
export const tiers: readonly Tier[] = ["interpreter", "auto", "regions"];

/** What one run() is asked for, how often, and how long it may take on a slow, busy machine. */
const INSTRUCTIONS_PER_RUN = 600;
const RUNS_PER_CASE = 60;
const RUN_MAX_MS = 4000;
/** Behind guest RAM, to see stores that miss it. */
const GUARD_BYTES = 1 << 20;
const POOL_SIZE = 6000;
/** Checking all guards takes as long as many cases. */
const CASES_PER_GUARD_CHECK = 50;

const core = new WebAssembly.Module(readFileSync(new URL("../../build/core.wasm", import.meta.url)));

const pools = new Map<CpuMode, readonly Code[]>();
function poolOf(mode: CpuMode): readonly Code[] {
  const known = pools.get(mode);
  if (known !== undefined) return known;
  const random = new Random(mode.length);
  const pool = Array.from({ length: POOL_SIZE }, () => randomCode(mode, random));
  pools.set(mode, pool);
  return pool;
}

/** One engine that runs one random guest after the other. */
export class EngineFuzzer {
  readonly engine: Engine;
  readonly #ram: Uint8Array;
  readonly #view: DataView;
  readonly #invariants: EngineInvariants;
  #random = new Random(0);
  #nowNs = 0;

  constructor(tier: Tier) {
    const pages = (L.RAM_BASE + RAM_SIZE_BYTES + GUARD_BYTES) / 65536;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.#ram = new Uint8Array(memory.buffer, L.RAM_BASE, RAM_SIZE_BYTES);
    this.#view = new DataView(memory.buffer, L.RAM_BASE, RAM_SIZE_BYTES);
    this.engine = new Engine({
      core,
      memory,
      ramSizeBytes: RAM_SIZE_BYTES,
      cpu: cpuModel(),
      hypervisorLeaves: [],
      tier,
      codeCacheSizeBytes: CODE_CACHE_SIZE_MIN,
      host: this.#host(),
    });
    this.#invariants = new EngineInvariants(memory, RAM_SIZE_BYTES);
  }

  /** Runs the guest of `seed`; throws what went wrong. */
  run(seed: number): void {
    const guest = this.#prepare(seed);
    for (let i = 0; i < RUNS_PER_CASE; i++) {
      const start = performance.now();
      const exit = this.engine.run(INSTRUCTIONS_PER_RUN);
      const tookMs = performance.now() - start;
      assert.equal(tookMs < RUN_MAX_MS, true, `run() took ${tookMs.toFixed(0)} ms`);
      // In the middle of a failed task switch nothing need fit together.
      if (exit !== "shutdown") this.#invariants.check(this.engine.registers);
      this.#disturb();
      // Most random code soon ends in a loop of exceptions: it starts again elsewhere, in what memory has become.
      if (exit === "shutdown" || exit === "halt" || this.#random.below(3) > 0) this.#start(guest);
    }
    assertBelowLimits("the engine");
  }

  checkGuards(): void {
    this.#invariants.checkGuards();
  }

  #prepare(seed: number): GuestMode {
    const random = new Random(seed);
    this.#random = random;
    this.#nowNs = 0;
    const guest = random.pick(guestModes);
    this.#ram.fill(0);
    writeCode(this.#ram, poolOf(guest.code), random);
    writeTables(this.#view, random);
    writeGates(this.#view, entryBytesOf(guest.code, guest.real), random);
    this.engine.reset();
    this.#start(guest);
    return guest;
  }

  #start(guest: GuestMode): void {
    this.engine.registers.setU32(L.HALTED, 0);
    const { registers } = this.engine;
    const state = randomState(guest, this.#random);
    // Translations that stay fill the code cache until some have to go.
    if (this.#random.below(4) === 0) registers.write(state);
    else registers.writeKeepingCaches(state);
  }

  /** What a machine does between slices and in its callbacks. */
  #disturb(): void {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        this.engine.requestExit();
        break;
      case 1:
        this.engine.setInterruptLine(true);
        break;
      case 2:
        this.engine.setInterruptLine(false);
        break;
      case 3:
        this.engine.raiseNmi();
        break;
      case 4: {
        const gpa = likelyAddress(random) % (RAM_SIZE_BYTES - 64);
        this.engine.memoryWritten(gpa, 64);
        for (let i = 0; i < 64; i++) this.#ram[gpa + i] = random.below(256);
        break;
      }
      default:
        break;
    }
  }

  #host(): EngineHost {
    const answer = (): number => {
      if (this.#random.below(4) === 0) this.#disturb();
      return Number(this.#random.next64() & 0xffffffffn);
    };
    return {
      readPort: answer,
      writePort: () => void answer(),
      readMmio: answer,
      writeMmio: () => void answer(),
      acknowledgeInterrupt: () => {
        if (this.#random.below(2) === 0) this.engine.setInterruptLine(false);
        return this.#random.below(256);
      },
      readMsr: () => (this.#random.below(2) === 0 ? undefined : this.#random.next64()),
      writeMsr: () => this.#random.below(2) === 0,
      entropyU32: () => 0x12345678,
      nowNs: () => (this.#nowNs += 100),
      monotonicNs: () => 0,
    };
  }
}

export interface Failure {
  readonly tier: Tier;
  readonly seed: number;
  readonly error: unknown;
}

/**
 * Runs the guests of seeds from `seed` on until `isOver`, in all tiers by turns. Returns how many ran, or the first
 * failure; one of the guards is looked for again in the last guests, one by one.
 */
export function fuzzEngine(seed: number, isOver: (cases: number) => boolean): number | Failure {
  const fuzzers = new Map(tiers.map((tier) => [tier, new EngineFuzzer(tier)]));
  let cases = 0;
  for (let next = seed; !isOver(cases); next++) {
    for (const [tier, fuzzer] of fuzzers) {
      const first = Math.max(seed, next - CASES_PER_GUARD_CHECK);
      try {
        fuzzer.run(next);
      } catch (error) {
        return { tier, seed: next, error };
      }
      cases++;
      if ((next - seed) % CASES_PER_GUARD_CHECK !== 0) continue;
      try {
        fuzzer.checkGuards();
      } catch (error) {
        return findGuardBreaker(tier, first, next) ?? { tier, seed: next, error };
      }
    }
  }
  return cases;
}

function findGuardBreaker(tier: Tier, first: number, last: number): Failure | undefined {
  for (let seed = first; seed <= last; seed++) {
    const fuzzer = new EngineFuzzer(tier);
    try {
      fuzzer.run(seed);
      fuzzer.checkGuards();
    } catch (error) {
      return { tier, seed, error };
    }
  }
  return undefined;
}
