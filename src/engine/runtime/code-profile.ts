/**
 * The profile of a guest's code (hw/code-profile.ts): CodeProfiler learns it while regions count their instructions,
 * KnownCode uses what an earlier run has learnt.
 *
 * A fingerprint is of a block's code, its mode and where it lies: kernel code at its RIP, user code at its offset in a
 * page, since programs are loaded elsewhere each time. Code that differs has another fingerprint; two blocks that share
 * one, by chance or because somebody made it up, are compiled sooner or later than they should be.
 */
import { CODE_PROFILE_BLOCKS_MAX, type CodeProfile } from "../../hw/index.ts";
import * as L from "../layout.ts";

/** What the interpreter would have taken longer for an instruction than a region does. */
const NS_SAVED_PER_INSTRUCTION = 5;
/** How often a lukewarm block must become hot again until it is compiled all the same. */
const TIMES_PUT_OFF = 3;

/** A block as the translator knows it, before it is written to the code cache. */
export interface BlockPlace {
  readonly ripLow: number;
  readonly ripHigh: number;
  readonly gpa: number;
  readonly mode: number;
  readonly guestSizeBytes: number;
}

/** 32 bits of hash (FNV-1a, its high bits folded in) of a block's code up to the end of its page, its mode and its place. */
export function fingerprint(memory: Uint8Array, block: BlockPlace): number {
  const { gpa, mode, ripLow, ripHigh, guestSizeBytes } = block;
  const isUser = (mode & L.MODE_USER) !== 0;
  let hash = mix(FNV_OFFSET_BASIS, mode);
  hash = mix(hash, isUser ? ripLow & (L.PAGE_SIZE - 1) : ripLow);
  hash = mix(hash, isUser ? 0 : ripHigh);
  const start = L.RAM_BASE + gpa;
  const end = start + Math.min(guestSizeBytes, L.PAGE_SIZE - (gpa & (L.PAGE_SIZE - 1)));
  for (let at = start; at < end; at++) hash = mix(hash, memory[at] ?? 0);
  return hash >>> 0;
}

/** The same of a block in the code cache, whose code is still what was translated. */
export function fingerprintOf(view: DataView, memory: Uint8Array, block: number): number {
  return fingerprint(memory, {
    ripLow: view.getUint32(block + L.BLOCK_RIP, true),
    ripHigh: view.getUint32(block + L.BLOCK_RIP + 4, true),
    gpa: view.getUint32(block + L.BLOCK_GPA, true),
    mode: view.getUint32(block + L.BLOCK_MODE, true),
    guestSizeBytes: view.getUint16(block + L.BLOCK_GUEST_SIZE, true),
  });
}

const FNV_OFFSET_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const mix = (hash: number, value: number): number => {
  const next = Math.imul(hash ^ value, FNV_PRIME);
  return next ^ (next >>> 15);
};

/** What an earlier run has learnt, as the one that uses it asks. */
export class KnownCode {
  /** Times that a lukewarm block was not compiled. */
  putOffCount = 0;
  readonly blockCount: number;
  readonly #hot: Set<number>;
  readonly #met = new Set<number>();
  /** By lukewarm block, how often it may still be put off. */
  readonly #putOffs: Map<number, number>;

  constructor({ hot, lukewarm }: CodeProfile) {
    this.#hot = new Set(hot.subarray(0, CODE_PROFILE_BLOCKS_MAX));
    this.#putOffs = new Map();
    for (const block of lukewarm.subarray(0, CODE_PROFILE_BLOCKS_MAX))
      this.#putOffs.set(block, TIMES_PUT_OFF);
    this.blockCount = this.#hot.size;
  }

  /** Hot blocks that were translated. */
  get metCount(): number {
    return this.#met.size;
  }

  /** Has most of it not been met so far? It may be that of another guest. */
  get isUnfit(): boolean {
    return 2 * this.metCount < this.blockCount;
  }

  /** A block is translated: is it one of those that were worth compiling? */
  isHot(block: number): boolean {
    if (!this.#hot.has(block)) return false;
    this.#met.add(block);
    return true;
  }

  /** A block has run often: shall it run as often again before it is asked for the next time? */
  putsOff(block: number): boolean {
    const left = this.#putOffs.get(block) ?? 0;
    if (left === 0) return false;
    this.#putOffs.set(block, left - 1);
    this.putOffCount++;
    return true;
  }
}

/** A region that has been compiled. */
export interface FormedRegion {
  /** Fingerprints; the first is the entry's. */
  readonly blocks: readonly number[];
  /** What compiling it is taken to have cost. */
  readonly costNs: number;
}

/** Learns which regions are worth compiling, from the instructions that they count in REGION_INSTRUCTIONS. */
export class CodeProfiler {
  readonly #view: DataView;
  readonly #counters: number;
  readonly #regions: FormedRegion[] = [];
  #isDone = false;

  constructor(view: DataView, stateBase: number) {
    this.#view = view;
    this.#counters = stateBase + L.REGION_INSTRUCTIONS;
  }

  /** Where the next region counts its instructions; undefined when no more are learnt about. */
  get nextCounter(): number | undefined {
    const next = this.#regions.length;
    return !this.#isDone && next < L.REGION_INSTRUCTIONS_COUNT ? this.#counters + 8 * next : undefined;
  }

  /** A region that counts at what was the next counter. */
  regionFormed(region: FormedRegion): void {
    this.#regions.push(region);
  }

  /** What has been learnt; later regions need not count any more. */
  profile(): CodeProfile {
    this.#isDone = true;
    const hot = new Set<number>();
    const inHotRegions = new Set<number>();
    const lukewarm = new Set<number>();
    for (const [i, { blocks, costNs }] of this.#regions.entries()) {
      const instructions = Number(this.#view.getBigUint64(this.#counters + 8 * i, true));
      const isWorthIt = instructions * NS_SAVED_PER_INSTRUCTION > costNs;
      if (isWorthIt) for (const entry of blocks.slice(0, 1)) hot.add(entry);
      for (const block of blocks) (isWorthIt ? inHotRegions : lukewarm).add(block);
    }
    for (const block of inHotRegions) lukewarm.delete(block);
    const first = (found: Iterable<number>): Uint32Array =>
      Uint32Array.from([...found].slice(0, CODE_PROFILE_BLOCKS_MAX));
    return { hot: first(hot), lukewarm: first(lukewarm) };
  }
}
