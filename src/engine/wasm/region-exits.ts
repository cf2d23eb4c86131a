/**
 * The ways out of a region's function. A block that leaves stores what is dirty and goes to a label behind all code,
 * where instructions are taken from the budget: `leave` returns to the dispatcher, `leaveByChain` goes on in the region
 * that enters at the next RIP if the jump cache (core/jump-cache.ts) knows one. Exits that are seldom taken, faults
 * among them, share the code that stores: they say in a word what is dirty (region-frame.ts).
 */
import * as L from "../layout.ts";
import { binaryOps, unaryOps } from "../ir/wasm-ops.ts";
import { gaveUp, regionAt, regionSignature } from "./core-calls.ts";
import type { ModuleEncoder } from "./encode.ts";
import type { Lowering } from "./lower.ts";
import { opcode } from "./opcodes.ts";
import {
  STACK_LEFT,
  type RegionFrame,
  WORD_FLAGS_IN_MEMORY,
  WORD_FLAGS_MIXED,
  WORD_FLAGS_SHIFT,
  WORD_NOT_RETIRED_MASK,
  WORD_NOT_RETIRED_SHIFT,
  WORD_PC_SHIFT,
} from "./region-frame.ts";
import { ALL_GPRS } from "./slots.ts";

const JUMP_CACHE_TAG = 0;
const JUMP_CACHE_REGION = 12;
/** No jump cache entry gives a region this table slot. */
export const NO_REGION = 0;

export class RegionExits {
  readonly #module: ModuleEncoder;
  readonly #frame: RegionFrame;
  readonly #lowering: Lowering;
  /** Where instructions are counted for the profile, if they are. */
  counter: number | undefined;
  /** What gaveUp() is called with. */
  id = 0;
  #doneLabel = 0;
  #chainLabel = 0;
  #coldLabel = 0;

  constructor(module: ModuleEncoder, frame: RegionFrame, lowering: Lowering) {
    this.#module = module;
    this.#frame = frame;
    this.#lowering = lowering;
  }

  /** Before all code that may leave. */
  open(): void {
    const { f } = this.#frame;
    this.#doneLabel = f.block("i64");
    this.#chainLabel = f.block("i64");
    this.#coldLabel = f.block();
    this.#frame.faultLabel = f.block();
    this.#frame.giveUpLabel = f.block();
  }

  /** Behind that code, at whose end control never comes out: ends the function. */
  close(): void {
    const { f, result } = this.#frame;
    f.op(opcode.unreachable);
    f.end();
    this.#giveUpExit();
    f.end();
    this.#faultExit();
    f.end();
    this.#sharedStores();
    this.#isFault();
    f.brIf(this.#doneLabel, "unlikely");
    f.br(this.#chainLabel);
    f.end();
    this.#chain();
    f.end();
    f.localSet(result);
    this.settle();
    f.localGet(result);
  }

  /** Goes on as with a fault, if there is none yet: the interpreter takes the instruction. */
  #giveUpExit(): void {
    const { f, word } = this.#frame;
    this.#frame.loadState32(L.FAULT_VECTOR);
    f.i32Const(L.FAULT_NONE);
    f.op(binaryOps["i32.eq"]);
    f.if();
    this.#frame.storeState32(L.FAULT_HAS_ERROR, 0);
    this.#frame.storeState32(L.FAULT_VECTOR, L.FAULT_GAVE_UP);
    f.i32Const(this.id);
    f.localGet(word);
    f.i64Const(WORD_PC_SHIFT, 0);
    f.op(binaryOps["i64.shr_s"]);
    f.op(unaryOps["i32.wrap_i64"]);
    f.call(this.#module.import(gaveUp));
    f.end();
  }

  /** Behind the fault label: RIP is the faulting instruction's, those behind it are not retired. */
  #faultExit(): void {
    const { f, stateBase, count, word, result } = this.#frame;
    f.i32Const(0);
    this.#frame.pushRip(0);
    f.localGet(word);
    f.i64Const(WORD_PC_SHIFT, 0);
    f.op(binaryOps["i64.shr_s"]);
    f.op(binaryOps["i64.add"]);
    f.access(opcode.i64Store, stateBase + L.RIP);
    f.localGet(count);
    this.#pushWordLow();
    f.i32Const(WORD_NOT_RETIRED_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.i32Const(WORD_NOT_RETIRED_MASK);
    f.op(binaryOps["i32.and"]);
    f.op(binaryOps["i32.sub"]);
    f.localSet(count);
    f.i64Const(L.REGION_FAULT_LOW, L.REGION_RESULT_HIGH);
    f.localSet(result);
  }

  #pushWordLow(): void {
    const { f, word } = this.#frame;
    f.localGet(word);
    f.op(unaryOps["i32.wrap_i64"]);
  }

  /** Behind the cold label: stores what the word calls dirty, then pushes the result. */
  #sharedStores(): void {
    const { f, written, slot, xmmWord, result } = this.#frame;
    const { slots, flags } = this.#lowering;
    this.#pushWordLow();
    if (xmmWord !== undefined) {
      f.i32Const(ALL_GPRS);
      f.op(binaryOps["i32.and"]);
      f.localGet(xmmWord);
      f.op(binaryOps["i32.or"]);
    }
    f.localSet(slot);
    slots.storeChosen(written, slot);
    // The operation number, or what stands in its place.
    this.#pushWordLow();
    f.i32Const(WORD_FLAGS_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.localTee(slot);
    f.i32Const(WORD_FLAGS_IN_MEMORY);
    f.op(binaryOps["i32.ne"]);
    f.if();
    f.localGet(slot);
    f.i32Const(WORD_FLAGS_MIXED);
    f.op(binaryOps["i32.ne"]);
    f.if();
    f.localGet(slot);
    f.localSet(flags.op);
    f.end();
    flags.storeMixed();
    f.end();
    f.localGet(result);
  }

  /** Pushes 1 if the result says that a fault is pending. */
  #isFault(): void {
    const { f, result } = this.#frame;
    f.localGet(result);
    f.i64Const(L.REGION_FAULT_LOW, L.REGION_RESULT_HIGH);
    f.op(binaryOps["i64.eq"]);
  }

  /**
   * Takes the instructions counted so far from the budget, and counts them for the profile. What is left of the budget is in
   * the local slot then.
   */
  settle(): void {
    const { f, stateBase, count, slot } = this.#frame;
    f.i32Const(0);
    this.#frame.loadState32(L.BUDGET);
    f.localGet(count);
    f.op(binaryOps["i32.sub"]);
    f.localTee(slot);
    f.access(opcode.i32Store, stateBase + L.BUDGET);
    if (this.counter === undefined) return;
    f.i32Const(0);
    f.i32Const(0);
    f.access(opcode.i64Load, this.counter);
    f.localGet(count);
    f.op(unaryOps["i64.extend_i32_u"]);
    f.op(binaryOps["i64.add"]);
    f.access(opcode.i64Store, this.counter);
  }

  storeDirty(): void {
    const { slots, flags } = this.#lowering;
    slots.storeAll(slots.dirty);
    flags.store();
  }

  /** Leaves the region; the next RIP (or a REGION_* result) is pushed by `push`. */
  leave(push: () => void): void {
    this.storeDirty();
    push();
    this.#frame.f.br(this.#doneLabel);
  }

  /** Leaves for the RIP that `push` pushes, straight into its region if it has one. */
  leaveByChain(push: () => void): void {
    this.storeDirty();
    push();
    this.#frame.f.br(this.#chainLabel);
  }

  /** Pops the RIP: goes on in the region that enters there, unless there is none or the budget is used up. */
  #chain(): void {
    const { f, slot, result } = this.#frame;
    f.localSet(result);
    this.settle();
    const miss = f.block();
    f.localGet(slot);
    f.i32Const(0);
    f.op(binaryOps["i32.lt_s"]);
    f.brIf(miss, "unlikely");
    this.lookUpRegion();
    f.localTee(slot);
    f.i32Const(NO_REGION);
    f.op(binaryOps["i32.eq"]);
    f.brIf(miss);
    f.localGet(STACK_LEFT);
    f.localGet(slot);
    f.returnCallIndirect(this.#module.type(regionSignature));
    f.end();
    f.localGet(result);
    f.op(opcode.return);
  }

  /** Pushes the table slot of the region that enters at the RIP in the local result, or NO_REGION. */
  lookUpRegion(): void {
    const { f, mode, stateBase, slot, result } = this.#frame;
    // The offset of the entry: see JUMP_CACHE in layout.ts.
    f.localGet(result);
    f.op(unaryOps["i32.wrap_i64"]);
    f.localTee(slot);
    f.i32Const(L.JUMP_OFFSET_SHIFT);
    f.op(binaryOps["i32.shl"]);
    f.localGet(slot);
    f.i32Const(L.PAGE_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.i32Const(L.JUMP_PAGE_FACTOR);
    f.op(binaryOps["i32.mul"]);
    f.i32Const(L.JUMP_PAGE_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.op(binaryOps["i32.xor"]);
    f.i32Const(L.JUMP_INDEX_MASK);
    f.op(binaryOps["i32.and"]);
    f.localTee(slot);
    f.access(opcode.i64Load, stateBase + L.JUMP_CACHE + JUMP_CACHE_TAG);
    f.localGet(result);
    f.i64Const(mode & L.MODE_IN_JUMP_KEY, 0);
    f.op(binaryOps["i64.xor"]);
    f.op(binaryOps["i64.xor"]);
    f.op(unaryOps["i64.eqz"]);
    f.if("likely", "i32");
    f.localGet(slot);
    f.access(opcode.i32Load, stateBase + L.JUMP_CACHE + JUMP_CACHE_REGION);
    f.else();
    f.localGet(result);
    this.#askCore();
    f.end();
  }

  /** Pushes the table slot of the region that enters at an offset, or NO_REGION. */
  lookUpRegionAt(offset: number): void {
    const { f, mode, stateBase } = this.#frame;
    const low = this.#frame.ripLow(offset);
    const entry = stateBase + L.JUMP_CACHE + (jumpCacheIndexOfLow(low) << L.JUMP_CACHE_SHIFT);
    f.i32Const(0);
    f.access(opcode.i64Load, entry + JUMP_CACHE_TAG);
    f.i64Const(low ^ (mode & L.MODE_IN_JUMP_KEY), this.#frame.ripHigh(offset));
    // V8 would load the tag twice if it were only compared.
    f.op(binaryOps["i64.xor"]);
    f.op(unaryOps["i64.eqz"]);
    f.if("likely", "i32");
    f.i32Const(0);
    f.access(opcode.i32Load, entry + JUMP_CACHE_REGION);
    f.else();
    this.#frame.pushRip(offset);
    this.#askCore();
    f.end();
  }

  /** Pops a RIP that the jump cache does not know, pushes the table slot of its region or NO_REGION. */
  #askCore(): void {
    this.#frame.f.call(this.#module.import(regionAt));
  }

  /** Leaves for the code at an offset, seldom: through the exit that all such edges share. */
  leaveCold(offset: number): void {
    const { f, result } = this.#frame;
    this.#lowering.setExitWord(0, 0);
    this.#frame.pushRip(offset);
    f.localSet(result);
    f.br(this.#coldLabel);
  }
}

/** The index of an address's jump cache entry: see JUMP_CACHE in layout.ts. */
export const jumpCacheIndex = (rip: bigint): number => jumpCacheIndexOfLow(Number(BigInt.asIntN(32, rip)));

function jumpCacheIndexOfLow(low: number): number {
  const page = Math.imul(low >>> L.PAGE_SHIFT, L.JUMP_PAGE_FACTOR) >>> L.JUMP_PAGE_SHIFT;
  return (((low << L.JUMP_OFFSET_SHIFT) ^ page) & L.JUMP_INDEX_MASK) >>> L.JUMP_CACHE_SHIFT;
}
