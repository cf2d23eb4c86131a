/**
 * What a steady guest executes again and again: a timer's tick, a server's requests. Such code may run 250 times a second
 * and would be interpreted for a minute until it has run as often as a hot block (code-cache.ts), a number that is high
 * because what programs do as they start is soon over. So while a guest does nothing new, the blocks' counters are read at
 * two moments, and those that have moved enough in between are made hot: the next execution asks for their region,
 * as ever, and in the order in which they are executed. Regions are then formed at most so often.
 *
 * Nothing is timed: run time is estimated from instructions, so that runs can be repeated, an idle guest's does not pass,
 * and a VM that shares its core is treated like one that does not. No step is long: notes are taken of one part of the code
 * cache between two slices, and of so many blocks at most. A guest in which nothing is found is looked at more and more
 * seldom.
 */
import { opNumber } from "../ir/ops.ts";
import * as L from "../layout.ts";
import { type CodeCache, HEAT_OF_A_HOT_BLOCK } from "./code-cache.ts";

/** What run time is estimated with: usual speeds. */
const NS_PER_INTERPRETED_INSTRUCTION = 10;
const NS_PER_COMPILED_INSTRUCTION = 0.5;

const MS = 1_000_000;
export const steadyLimits = {
  /** Run time between the two readings, and in which what was chosen may be compiled. */
  periodNs: 1000 * MS,
  /** From one look to the next while nothing is found: at first, and at last. */
  restNs: 1000 * MS,
  restMaxNs: 64_000 * MS,
  /** In a period of a steady guest: blocks that become hot by themselves, and that are translated. */
  hotBlocks: 6,
  translatedBlocks: 500,
  /** In a period: below it there is no more than a tenth of a percent to gain. */
  interpretedInstructions: 100_000,
  /** Of a block in a period, for it to be chosen. */
  executions: 50,
  /** Whose counters are noted, and that are chosen at a time. */
  notedBlocks: 1 << 15,
  chosenBlocks: 1024,
  /** From one region to the next. */
  turnNs: 15 * MS,
} as const;

/** Executions until a chosen block asks again that came when it was not time for another region. */
export const HEAT_WHILE_WAITING = 2;
const ENTER = opNumber("enter");

type Phase = "resting" | "noting" | "watching" | "compiling";

/** A block whose counter has moved, and how much interpreting it cost. */
interface Busy {
  readonly block: number;
  readonly heat: number;
  readonly instructions: number;
}

export class SteadyCode {
  readonly #view: DataView;
  readonly #stateBase: number;
  readonly #codeCache: CodeCache;
  #phase: Phase = "resting";
  /** Estimated run time at which the phase ends. */
  #untilNs: number = steadyLimits.restNs;
  #restNs: number = steadyLimits.restNs;
  #part = 0;
  readonly #notedBlocks = new Uint32Array(steadyLimits.notedBlocks);
  readonly #notedHeats = new Int32Array(steadyLimits.notedBlocks);
  #notedCount = 0;
  /** Chosen blocks that have not been compiled, with what their counters were. */
  readonly #chosen = new Map<number, number>();
  #turnNs = 0;
  // What tells whether the guest is steady, since the phase began.
  #hotBlocks = 0;
  #translatedBlocks = 0;
  #interpretedBefore = 0;

  constructor(memory: WebAssembly.Memory, stateBase: number, codeCache: CodeCache) {
    this.#view = new DataView(memory.buffer);
    this.#stateBase = stateBase;
    this.#codeCache = codeCache;
  }

  /** Between two slices. */
  look(): void {
    const nowNs = this.#runNs();
    if (nowNs < this.#untilNs) return;
    switch (this.#phase) {
      case "resting":
        if (!this.#isSteady() || !this.#interpretsMuch()) return this.#rest(nowNs, steadyLimits.restNs);
        return this.#beginNoting(nowNs);
      case "noting":
        this.#part = this.#codeCache.forEachBlock(this.#part, this.#note);
        if (this.#part < this.#codeCache.partCount) return;
        return this.#enter("watching", nowNs + steadyLimits.periodNs);
      case "watching":
        if (!this.#isSteady()) return this.#rest(nowNs, steadyLimits.restNs);
        this.#choose();
        if (this.#chosen.size > 0) return this.#enter("compiling", nowNs + steadyLimits.periodNs);
        return this.#rest(nowNs, Math.min(2 * this.#restNs, steadyLimits.restMaxNs));
      case "compiling":
        this.#release();
        // Where there was one, there may be more: what had less to do with it, or found no turn.
        if (this.#isSteady()) return this.#beginNoting(nowNs);
        return this.#rest(nowNs, steadyLimits.restNs);
    }
  }

  /** A block has been translated. */
  blockTranslated(): void {
    this.#translatedBlocks++;
  }

  /** Blocks will lie elsewhere, or nowhere: a guest that needs room for new ones is not steady. */
  beforeEviction(): void {
    this.#release();
    this.#rest(this.#runNs(), steadyLimits.restNs);
  }

  /** All blocks have been forgotten: their addresses mean nothing any more. */
  reset(): void {
    this.#chosen.clear();
    this.#rest(this.#runNs(), steadyLimits.restNs);
  }

  /** Is a block that asks for its region one of those chosen here? */
  isChosen(block: number): boolean {
    return this.#chosen.has(block);
  }

  /** Is it time for another region? */
  isTurn(): boolean {
    return this.#runNs() >= this.#turnNs;
  }

  /** A region was formed for a block, or cannot be. */
  answered(block: number): void {
    if (this.#chosen.delete(block)) this.#turnNs = this.#runNs() + steadyLimits.turnNs;
    else this.#hotBlocks++;
  }

  #runNs(): number {
    const compiled = this.#counter(L.STAT_IN_REGIONS);
    return this.#interpreted() * NS_PER_INTERPRETED_INSTRUCTION + compiled * NS_PER_COMPILED_INSTRUCTION;
  }

  #interpreted(): number {
    return this.#counter(L.INSTRUCTION_COUNT) - this.#counter(L.STAT_IN_REGIONS);
  }

  #counter(offset: number): number {
    return Number(this.#view.getBigUint64(this.#stateBase + offset, true));
  }

  #isSteady(): boolean {
    return (
      this.#hotBlocks <= steadyLimits.hotBlocks && this.#translatedBlocks <= steadyLimits.translatedBlocks
    );
  }

  #interpretsMuch(): boolean {
    return this.#interpreted() - this.#interpretedBefore >= steadyLimits.interpretedInstructions;
  }

  #beginNoting(nowNs: number): void {
    this.#restNs = steadyLimits.restNs;
    this.#part = 0;
    this.#notedCount = 0;
    this.#enter("noting", nowNs);
  }

  #rest(nowNs: number, restNs: number): void {
    this.#restNs = restNs;
    this.#enter("resting", nowNs + restNs);
  }

  #enter(phase: Phase, untilNs: number): void {
    this.#phase = phase;
    this.#untilNs = untilNs;
    this.#hotBlocks = 0;
    this.#translatedBlocks = 0;
    this.#interpretedBefore = this.#interpreted();
  }

  /** Notes the counter of a block that is interpreted. */
  readonly #note = (block: number): void => {
    if (this.#notedCount === steadyLimits.notedBlocks) return;
    if (this.#view.getUint16(block + L.BLOCK_OPS, true) !== ENTER) return;
    const heat = this.#view.getInt32(block + L.BLOCK_HEAT, true);
    if (HEAT_OF_A_HOT_BLOCK - heat < steadyLimits.executions) return;
    this.#notedBlocks[this.#notedCount] = block;
    this.#notedHeats[this.#notedCount++] = heat;
  };

  /** Makes those hot that took the interpreter longest since they were noted. */
  #choose(): void {
    const busy: Busy[] = [];
    for (let i = 0; i < this.#notedCount; i++) {
      const block = this.#notedBlocks[i] ?? 0;
      if (this.#view.getUint16(block + L.BLOCK_OPS, true) !== ENTER) continue;
      const heat = this.#view.getInt32(block + L.BLOCK_HEAT, true);
      const executions = (this.#notedHeats[i] ?? 0) - heat;
      if (executions < steadyLimits.executions) continue;
      const instructions = executions * this.#view.getUint16(block + L.BLOCK_INSTRUCTION_COUNT, true);
      busy.push({ block, heat, instructions });
    }
    busy.sort((a, b) => b.instructions - a.instructions);
    for (const { block, heat } of busy.slice(0, steadyLimits.chosenBlocks)) {
      this.#chosen.set(block, heat);
      this.#view.setInt32(block + L.BLOCK_HEAT, 1, true);
    }
  }

  /** What was not executed any more, or is part of another block's region by now, goes on counting where it was. */
  #release(): void {
    for (const [block, heat] of this.#chosen) {
      if (this.#view.getUint16(block + L.BLOCK_OPS, true) === ENTER)
        this.#view.setInt32(block + L.BLOCK_HEAT, heat, true);
    }
    this.#chosen.clear();
  }
}
