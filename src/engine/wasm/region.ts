/**
 * Compiles a region, the hot blocks around one entry, to a WebAssembly function (depth: i32) -> i64 that returns the
 * next RIP or one of layout.ts' REGION_* results. Control flow is structured from the dominator tree, after Ramsey,
 * "Beyond Relooper" (ICFP 2022): loops are wasm loops, merges are the ends of blocks, an edge out of the region
 * returns.
 *
 * A guest call is a wasm call: registers and flags go to the state block, the callee's region is called through the
 * jump cache, and if it comes back with the return address this region goes on; with anything else it returns that,
 * which is always correct. A callee without a region is left to the dispatcher. Where runtime/regions.ts has chosen
 * to inline a callee, its blocks are ordinary nodes and its return is a comparison.
 *
 * Instructions are counted in a local and taken from the budget at exits and calls; loops leave when it is used up,
 * so that run() ends in time and the engine below can replace a loop's code by better code.
 */
import { defined, fail } from "../../base/index.ts";
import * as L from "../layout.ts";
import { binaryOps, unaryOps } from "../ir/wasm-ops.ts";
import {
  CORE_MODULE,
  ENGINE_MODULE,
  raiseCallSignature,
  raiseSignature,
  regionAtSignature,
  regionSignature,
  remapSignature,
  translateSignature,
} from "./core-calls.ts";
import { DataFlow, GUARDED_CALL_BACK, isCall, isGuardedCall } from "./dataflow.ts";
import { ModuleEncoder } from "./encode.ts";
import { FunctionEncoder } from "./function.ts";
import { OUTSIDE, type RegionEdge, type RegionNode } from "./graph.ts";
import { type JumpHash, jumpHash } from "./jump-hash.ts";
import { FLAGS_IN_MEMORY, FLAGS_MIXED } from "./lazy-flags.ts";
import {
  Lowering,
  WORD_FLAGS_IN_MEMORY,
  WORD_FLAGS_MIXED,
  WORD_FLAGS_SHIFT,
  WORD_NOT_RETIRED_MASK,
  WORD_NOT_RETIRED_SHIFT,
  WORD_PC_SHIFT,
} from "./lower.ts";
import { factsOfOp } from "./op-facts.ts";
import { opcode } from "./opcodes.ts";
import type { RegionOps } from "./region-ops.ts";
import { SharedChecks } from "./shared-checks.ts";
import { ALL_GPRS, ALL_XMMS } from "./slots.ts";

/** A linear page of code, and where it was in guest-physical memory. */
export interface MappedPage {
  readonly linear: bigint;
  readonly gpa: number;
}

/** What is compiled. */
export interface RegionPlan {
  /** What remap() is called with. */
  readonly id: number;
  /** RIP of the entry, from which all offsets count, and the translation mode of all blocks. */
  readonly baseRip: bigint;
  readonly mode: number;
  /** The pages of its blocks; with more than one, their mapping is looked at again after it may have changed. */
  readonly pages: readonly MappedPage[];
  readonly nodes: readonly RegionNode[];
  readonly ops: RegionOps;
  /** Is the code at an offset outside the region unlikely to be reached? */
  isCold(offset: number): boolean;
}

/** The name under which a region's module exports its function. */
export const REGION_EXPORT = "region";

const DEPTH = 0;
const LIMIT_OF_CODE = L.SEG + L.SEG_CS * L.SEG_STRIDE + L.SEG_LIMIT;
const ACCESS_EXECUTE = 2;
const JUMP_CACHE_TAG = 0;
const JUMP_CACHE_REGION = 12;
/** No jump cache entry gives a region this table slot. */
const NO_REGION = 0;

export class RegionCompiler {
  readonly #stateBase: number;
  readonly #module: ModuleEncoder;
  readonly #lowering: Lowering;
  readonly #flow = new DataFlow();
  readonly #checks = new SharedChecks();
  #f = new FunctionEncoder();
  #plan: RegionPlan | undefined;
  #nodes: readonly RegionNode[] = [];
  #ops: RegionOps;
  #base = 0n;
  #mode = 0;
  /** Labels of the loops and merges that are open, by node. */
  #loopLabels: number[] = [];
  #mergeLabels: number[] = [];
  #doneLabel = 0;
  #chainLabel = 0;
  #coldLabel = 0;
  #count = 0;
  #word = 0;
  #xmmWord: number | undefined;
  #result = 0;
  #slot = 0;

  constructor(stateBase: number, memoryMaximumPages: number, ops: RegionOps) {
    this.#stateBase = stateBase;
    this.#module = new ModuleEncoder(
      { module: ENGINE_MODULE, name: "memory", maximumPages: memoryMaximumPages },
      { module: ENGINE_MODULE, name: "table" },
    );
    this.#lowering = new Lowering(stateBase, this.#module, this.#f);
    this.#ops = ops;
  }

  /** The module of a region; the view is invalid after the next call. */
  compile(plan: RegionPlan): Uint8Array<ArrayBuffer> {
    this.#module.reset();
    const f = this.#module.function(REGION_EXPORT, regionSignature);
    this.#f = f;
    this.#plan = plan;
    this.#nodes = plan.nodes;
    this.#ops = plan.ops;
    this.#base = plan.baseRip;
    this.#mode = plan.mode;
    this.#loopLabels = [];
    this.#mergeLabels = [];
    this.#flow.analyze(plan.nodes, plan.ops);
    this.#checks.analyze(plan.nodes, plan.ops);
    this.#lowering.begin(f, plan.ops);
    this.#count = f.local("i32");
    this.#slot = f.local("i32");
    this.#word = f.local("i64");
    this.#result = f.local("i64");
    this.#xmmWord = (DataFlow.written(plan.ops) & ALL_XMMS) === 0 ? undefined : f.local("i32");

    if (plan.pages.length > 1) this.#checkMapping(plan);
    this.#lowering.slots.loadAll(this.#flow.liveIn[0] ?? 0);
    if (this.#flow.flagsIn[0] === FLAGS_MIXED) this.#lowering.flags.mix();
    this.#doneLabel = f.block("i64");
    this.#chainLabel = f.block("i64");
    this.#coldLabel = f.block();
    const faultLabel = f.block();
    this.#lowering.enterFrame({
      faultLabel,
      wordLocal: this.#word,
      xmmWordLocal: this.#xmmWord,
      mode: plan.mode,
    });
    this.#tree(0);
    f.op(opcode.unreachable);
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
    f.localSet(this.#result);
    this.#settle();
    f.localGet(this.#result);
    return this.#module.finish();
  }

  // ---- Entry and exits --------------------------------------------------------------------------------------------
  /** Leaves at once for the dispatcher if the pages of the region are no longer mapped as they were. */
  #checkMapping({ id, pages, mode }: RegionPlan): void {
    const f = this.#f;
    const epoch = this.#module.global();
    f.globalGet(epoch);
    this.#loadState32(L.MAPPING_EPOCH);
    f.op(binaryOps["i32.ne"]);
    f.if("unlikely");
    const translate = this.#module.import(`${CORE_MODULE}.translate`, translateSignature);
    for (const [i, { linear, gpa }] of pages.entries()) {
      f.i64ConstBig(linear);
      f.i32Const(ACCESS_EXECUTE);
      f.i32Const((mode & L.MODE_USER) !== 0 ? 1 : 0);
      f.call(translate);
      f.i32Const(gpa);
      f.op(binaryOps["i32.ne"]);
      if (i > 0) f.op(binaryOps["i32.or"]);
    }
    f.if("unlikely");
    f.i32Const(id);
    f.call(this.#module.import(`${ENGINE_MODULE}.remap`, remapSignature));
    f.op(unaryOps["i32.eqz"]);
    f.if("unlikely");
    this.#pushRip(0);
    f.op(opcode.return);
    f.end();
    f.end();
    this.#loadState32(L.MAPPING_EPOCH);
    f.globalSet(epoch);
    f.end();
  }

  /** Behind the fault label: RIP is the faulting instruction's, those behind it are not retired. */
  #faultExit(): void {
    const f = this.#f;
    f.i32Const(0);
    this.#pushRip(0);
    f.localGet(this.#word);
    f.i64Const(WORD_PC_SHIFT, 0);
    f.op(binaryOps["i64.shr_s"]);
    f.op(binaryOps["i64.add"]);
    f.access(opcode.i64Store, this.#stateBase + L.RIP);
    f.localGet(this.#count);
    this.#pushWordLow();
    f.i32Const(WORD_NOT_RETIRED_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.i32Const(WORD_NOT_RETIRED_MASK);
    f.op(binaryOps["i32.and"]);
    f.op(binaryOps["i32.sub"]);
    f.localSet(this.#count);
    f.i64Const(L.REGION_FAULT_LOW, L.REGION_RESULT_HIGH);
    f.localSet(this.#result);
  }

  #pushWordLow(): void {
    const f = this.#f;
    f.localGet(this.#word);
    f.op(unaryOps["i32.wrap_i64"]);
  }

  /** Behind the cold label: stores what the word calls dirty, then pushes the result. */
  #sharedStores(): void {
    const f = this.#f;
    const { slots, flags } = this.#lowering;
    this.#pushWordLow();
    if (this.#xmmWord !== undefined) {
      f.i32Const(ALL_GPRS);
      f.op(binaryOps["i32.and"]);
      f.localGet(this.#xmmWord);
      f.op(binaryOps["i32.or"]);
    }
    f.localSet(this.#slot);
    slots.storeChosen(DataFlow.written(this.#ops), this.#slot);
    // The operation number, or what stands in its place.
    this.#pushWordLow();
    f.i32Const(WORD_FLAGS_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.localTee(this.#slot);
    f.i32Const(WORD_FLAGS_IN_MEMORY);
    f.op(binaryOps["i32.ne"]);
    f.if();
    f.localGet(this.#slot);
    f.i32Const(WORD_FLAGS_MIXED);
    f.op(binaryOps["i32.ne"]);
    f.if();
    f.localGet(this.#slot);
    f.localSet(flags.op);
    f.end();
    flags.storeMixed();
    f.end();
    f.localGet(this.#result);
  }

  /** Pushes 1 if the result says that a fault is pending. */
  #isFault(): void {
    const f = this.#f;
    f.localGet(this.#result);
    f.i64Const(L.REGION_FAULT_LOW, L.REGION_RESULT_HIGH);
    f.op(binaryOps["i64.eq"]);
  }

  /** Takes the instructions counted so far from the budget. */
  #settle(): void {
    const f = this.#f;
    f.i32Const(0);
    this.#loadState32(L.BUDGET);
    f.localGet(this.#count);
    f.op(binaryOps["i32.sub"]);
    f.access(opcode.i32Store, this.#stateBase + L.BUDGET);
  }

  #loadState32(offset: number): void {
    this.#f.i32Const(0);
    this.#f.access(opcode.i32Load, this.#stateBase + offset);
  }

  #ripAt(offset: number): bigint {
    return BigInt.asUintN(64, this.#base + BigInt(offset));
  }

  #pushRip(offset: number): void {
    this.#f.i64ConstBig(this.#ripAt(offset));
  }

  #storeDirty(): void {
    const { slots, flags } = this.#lowering;
    slots.storeAll(slots.dirty);
    flags.store();
  }

  /** Leaves the region; the next RIP (or a REGION_* result) is pushed by `push`. */
  #leave(push: () => void): void {
    this.#storeDirty();
    push();
    this.#f.br(this.#doneLabel);
  }

  /** Leaves for the RIP that `push` pushes, straight into its region if it has one. */
  #leaveByChain(push: () => void): void {
    this.#storeDirty();
    push();
    this.#f.br(this.#chainLabel);
  }

  /** Pops the RIP: goes on in the region that enters there, unless there is none or the budget is used up. */
  #chain(): void {
    const f = this.#f;
    f.localSet(this.#result);
    this.#settle();
    const miss = f.block();
    this.#loadState32(L.BUDGET);
    f.i32Const(0);
    f.op(binaryOps["i32.lt_s"]);
    f.brIf(miss, "unlikely");
    this.#lookUpRegion();
    f.localTee(this.#slot);
    f.i32Const(NO_REGION);
    f.op(binaryOps["i32.eq"]);
    f.brIf(miss);
    f.localGet(DEPTH);
    f.localGet(this.#slot);
    f.returnCallIndirect(this.#module.type(regionSignature));
    f.end();
    f.localGet(this.#result);
    f.op(opcode.return);
  }

  /** Pushes the table slot of the region that enters at the RIP in #result, or NO_REGION. */
  #lookUpRegion(): void {
    const f = this.#f;
    // The offset of the entry: see JUMP_CACHE in layout.ts.
    f.localGet(this.#result);
    f.op(unaryOps["i32.wrap_i64"]);
    f.localTee(this.#slot);
    f.i32Const(L.JUMP_OFFSET_SHIFT);
    f.op(binaryOps["i32.shl"]);
    f.localGet(this.#slot);
    f.i32Const(L.PAGE_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.i32Const(L.JUMP_PAGE_FACTOR);
    f.op(binaryOps["i32.mul"]);
    f.i32Const(L.JUMP_PAGE_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.op(binaryOps["i32.xor"]);
    f.i32Const(L.JUMP_INDEX_MASK);
    f.op(binaryOps["i32.and"]);
    f.localTee(this.#slot);
    f.access(opcode.i64Load, this.#stateBase + L.JUMP_CACHE + JUMP_CACHE_TAG);
    f.localGet(this.#result);
    f.i64ConstBig(BigInt(this.#mode));
    f.op(binaryOps["i64.xor"]);
    f.op(binaryOps["i64.eq"]);
    f.if("likely", "i32");
    f.localGet(this.#slot);
    f.access(opcode.i32Load, this.#stateBase + L.JUMP_CACHE + JUMP_CACHE_REGION);
    f.else();
    f.localGet(this.#result);
    this.#askCore();
    f.end();
  }

  /** Pops a RIP that the jump cache does not know, pushes the table slot of its region or NO_REGION. */
  #askCore(): void {
    this.#f.call(this.#module.import(`${CORE_MODULE}.regionAt`, regionAtSignature));
  }

  /** Leaves for the code at an offset, seldom: through the exit that all such edges share. */
  #leaveCold(offset: number): void {
    const f = this.#f;
    this.#lowering.setExitWord(0, 0);
    this.#pushRip(offset);
    f.localSet(this.#result);
    f.br(this.#coldLabel);
  }

  // ---- Structured control flow ------------------------------------------------------------------------------------
  #node(number: number): RegionNode {
    return defined(this.#nodes[number], "an edge to a node that is not there");
  }

  /** The code of a node and of all it dominates; control never comes out at its end. */
  #tree(number: number): void {
    const f = this.#f;
    const node = this.#node(number);
    if (!node.isHeader) return this.#within(number, 0);
    this.#loopLabels[number] = f.loop();
    this.#enterState(number);
    this.#checkBudget(node);
    this.#lowering.floats.enterLoop();
    this.#within(number, 0);
    f.end();
  }

  /** The node inside the blocks at whose ends the merges it dominates stand, from the `next`th on. */
  #within(number: number, next: number): void {
    const f = this.#f;
    const merge = this.#node(number).mergeChildren[next];
    if (merge === undefined) return this.#body(number);
    this.#mergeLabels[merge] = f.block();
    this.#within(number, next + 1);
    f.end();
    this.#tree(merge);
  }

  #enterState(number: number): void {
    const { slots, flags } = this.#lowering;
    slots.dirty = this.#flow.dirtyIn[number] ?? 0;
    flags.state = this.#flow.flagsIn[number] ?? FLAGS_IN_MEMORY;
    const { isHeader, isMerge } = this.#node(number);
    if (isHeader || isMerge) this.#lowering.floats.forget();
  }

  #checkBudget(node: RegionNode): void {
    const f = this.#f;
    this.#loadState32(L.BUDGET);
    f.localGet(this.#count);
    f.op(binaryOps["i32.lt_s"]);
    f.if("unlikely");
    this.#leaveCold(node.block.offset);
    f.end();
  }

  #body(number: number): void {
    const node = this.#node(number);
    const { start, end, offset } = node.block;
    this.#enterState(number);
    for (let i = start; i < end; i++) {
      this.#lowering.locate(offset + (this.#ops.pc[i] ?? 0), this.#ops.notRetired[i] ?? 0);
      this.#lowering.shared = this.#checks.of(i);
      this.#lowering.liveAfter = this.#flow.liveAfter[i] ?? 0;
      this.#op(node, i);
    }
  }

  #op(node: RegionNode, i: number): void {
    const f = this.#f;
    const { branch } = factsOfOp(this.#ops.op[i] ?? 0);
    const imm = this.#ops.imm[i] ?? 0;
    switch (branch?.kind) {
      case undefined:
        return this.#lowering.lower(this.#ops, i);
      case "enter":
        f.localGet(this.#count);
        f.i32Const(node.block.instructionCount);
        f.op(binaryOps["i32.add"]);
        return f.localSet(this.#count);
      case "syncpc":
        return this.#syncPc(node, imm);
      case "jump":
        if (isCall(this.#ops, node)) return this.#directCall(node, i);
        if (branch.why === "jump") this.#checkOffset(node.block.offset + (this.#ops.target0[i] ?? 0));
        return this.#edge(node.edges[0]);
      case "conditional":
        return this.#conditional(node, i);
      case "indirect":
        if (isGuardedCall(this.#ops, node)) return this.#guardedCall(node, i);
        if (isCall(this.#ops, node)) return this.#indirectCall(i, node.edges[0]);
        return branch.why === "jump" ? this.#indirectJump(node, i) : this.#return(node, i);
      case "canonical":
        this.#lowering.pushIndirectTarget(this.#ops, i);
        f.localSet(this.#result);
        return this.#checkTarget(imm === 1 ? "call" : 0);
      case "sysend":
        return this.#endByHelper(node);
      case "raise":
        this.#storeState32(L.FAULT_VECTOR, imm);
        this.#storeState32(L.FAULT_HAS_ERROR, 0);
        this.#storeState32(L.FAULT_ERROR, 0);
        return this.#lowering.fault();
      case "stale":
      case "region":
        fail("blocks are translated without the ops that the core and Regions write over enter");
    }
  }

  #storeState32(offset: number, value: number): void {
    this.#f.i32Const(0);
    this.#f.i32Const(value);
    this.#f.access(opcode.i32Store, this.#stateBase + offset);
  }

  #storeState64(offset: number, value: bigint): void {
    this.#f.i32Const(0);
    this.#f.i64ConstBig(value);
    this.#f.access(opcode.i64Store, this.#stateBase + offset);
  }

  /** imm: the instruction's offset from its block, its length in the high half. */
  #syncPc(node: RegionNode, imm: number): void {
    const rip = node.block.offset + (imm & 0xffff);
    const next = this.#ripAt(rip + (imm >>> 16));
    const size = this.#mode & L.MODE_CODE_SIZE;
    this.#storeState64(L.RIP, this.#ripAt(rip));
    this.#storeState64(L.NEXT_RIP, size === 2 ? next : BigInt.asUintN(size === 1 ? 32 : 16, next));
    if (this.#stringEnd(node) >= 0) {
      this.#loadState32(L.STAT_CODE_WRITES);
      this.#f.localSet(this.#slot);
    }
  }

  /** The last op of a node that ends behind a repeated string instruction and goes on from there, else -1. */
  #stringEnd(node: RegionNode): number {
    const last = node.block.end - 1;
    const isSysend = factsOfOp(this.#ops.op[last] ?? 0).branch?.kind === "sysend";
    return isSysend && node.edges.length > 0 && (this.#mode & L.MODE_CODE_SIZE) === 2 ? last : -1;
  }

  /** A guest return: a return of the function, or, where its call was inlined, to behind that call. */
  #return(node: RegionNode, i: number): void {
    const f = this.#f;
    const leave = (): void => {
      this.#checkTarget(this.#ops.imm[i] ?? 0);
      this.#leave(() => f.localGet(this.#result));
    };
    const [back] = node.edges;
    this.#lowering.pushIndirectTarget(this.#ops, i);
    f.localSet(this.#result);
    if (back === undefined) return leave();
    f.localGet(this.#result);
    this.#pushRip(back.offset);
    f.op(binaryOps["i64.ne"]);
    this.#leaveOrGoOn(leave, back);
  }

  #indirectJump(node: RegionNode, i: number): void {
    const f = this.#f;
    this.#lowering.pushIndirectTarget(this.#ops, i);
    f.localSet(this.#result);
    const inside = node.edges.filter(({ to }) => to !== OUTSIDE);
    const hash = jumpHash(inside.map(({ offset }) => Number(BigInt.asIntN(32, this.#ripAt(offset)))));
    if (inside.length > 0 && hash !== undefined) this.#jumpInside(inside, hash);
    this.#checkTarget(0);
    this.#leaveByChain(() => f.localGet(this.#result));
  }

  /** Goes on at the edge whose address is in #result; comes out at the end if there is none. */
  #jumpInside(edges: readonly RegionEdge[], { factor, shift, places }: JumpHash): void {
    const f = this.#f;
    const { slots, flags } = this.#lowering;
    const { dirty } = slots;
    const { state } = flags;
    const miss = f.block();
    const labels = edges.map(() => f.block());
    f.localGet(this.#result);
    f.op(unaryOps["i32.wrap_i64"]);
    f.i32Const(factor);
    f.op(binaryOps["i32.mul"]);
    f.i32Const(shift);
    f.op(binaryOps["i32.shr_u"]);
    f.brTable(
      places.map((index) => labels[index] ?? miss),
      miss,
    );
    for (const edge of edges.toReversed()) {
      f.end();
      f.localGet(this.#result);
      this.#pushRip(edge.offset);
      f.op(binaryOps["i64.ne"]);
      f.brIf(miss, "unlikely");
      this.#edge(edge);
      slots.dirty = dirty;
      flags.state = state;
    }
    f.end();
  }

  #unpop(sizeBytes: number): void {
    const f = this.#f;
    const { slots } = this.#lowering;
    slots.beginSet(L.GPR_RSP, 64);
    slots.get(L.GPR_RSP, 64);
    f.i64ConstNumber(sizeBytes);
    f.op(binaryOps["i64.sub"]);
    slots.set(L.GPR_RSP, 64, 64);
  }

  /** A fault of the branch at the current op: a CALL, or one that has moved rSP over so many bytes. */
  #branchFault(poppedBytes: number | "call"): void {
    const f = this.#f;
    const { slots } = this.#lowering;
    const { dirty } = slots;
    if (poppedBytes === "call") {
      slots.get(L.GPR_RSP, 64);
      f.call(this.#module.import(`${CORE_MODULE}.raiseCallFault`, raiseCallSignature));
    } else {
      f.call(this.#module.import(`${CORE_MODULE}.raiseBranchFault`, raiseSignature));
      if (poppedBytes > 0) this.#unpop(poppedBytes);
    }
    this.#lowering.fault();
    slots.dirty = dirty;
  }

  /** #GP(0) of the current branch if the address in #result is none for code; a flat segment of 4 GiB holds all. */
  #checkTarget(poppedBytes: number | "call"): void {
    const f = this.#f;
    if ((this.#mode & L.MODE_CODE_SIZE) === 2) {
      // Canonical: bits 47 to 63 are alike.
      f.localGet(this.#result);
      f.i64ConstNumber(47);
      f.op(binaryOps["i64.shr_s"]);
      f.i64ConstNumber(1);
      f.op(binaryOps["i64.add"]);
      f.i64ConstNumber(1);
    } else {
      if ((this.#mode & L.MODE_FLAT) !== 0) return;
      f.localGet(this.#result);
      this.#loadState32(LIMIT_OF_CODE);
      f.op(unaryOps["i64.extend_i32_u"]);
    }
    f.op(binaryOps["i64.gt_u"]);
    f.if("unlikely");
    this.#branchFault(poppedBytes);
    f.end();
  }

  /** The same for a direct branch out of the region, whose target is canonical. */
  #checkOffset(offset: number): void {
    const f = this.#f;
    if ((this.#mode & L.MODE_CODE_SIZE) === 2 || (this.#mode & L.MODE_FLAT) !== 0) return;
    f.i32Const(Number(BigInt.asIntN(32, this.#ripAt(offset))));
    this.#loadState32(LIMIT_OF_CODE);
    f.op(binaryOps["i32.gt_u"]);
    f.if("unlikely");
    this.#branchFault(0);
    f.end();
  }

  /** Behind a helper that ends its block: back to the dispatcher, unless a string instruction is through. */
  #endByHelper(node: RegionNode): void {
    const f = this.#f;
    const leave = (): void => {
      f.i32Const(0);
      f.i32Const(0);
      f.access(opcode.i64Load, this.#stateBase + L.NEXT_RIP);
      f.access(opcode.i64Store, this.#stateBase + L.RIP);
      this.#leave(() => f.i64Const(L.REGION_DISPATCH_LOW, L.REGION_RESULT_HIGH));
    };
    const [next] = node.edges;
    if (next === undefined || this.#stringEnd(node) < 0) return leave();
    // It stopped half-way, or it has overwritten code: this region's, perhaps.
    f.i32Const(0);
    f.access(opcode.i64Load, this.#stateBase + L.NEXT_RIP);
    this.#pushRip(next.offset);
    f.op(binaryOps["i64.ne"]);
    this.#loadState32(L.STAT_CODE_WRITES);
    f.localGet(this.#slot);
    f.op(binaryOps["i32.ne"]);
    f.op(binaryOps["i32.or"]);
    this.#leaveOrGoOn(leave, next);
  }

  /** Leaves if the value on the stack is not 0; else goes on along the edge. */
  #leaveOrGoOn(leave: () => void, edge: RegionEdge): void {
    const f = this.#f;
    const { slots, flags } = this.#lowering;
    const { dirty } = slots;
    const { state } = flags;
    f.if("unlikely");
    leave();
    f.end();
    slots.dirty = dirty;
    flags.state = state;
    this.#edge(edge);
  }

  #conditional(node: RegionNode, i: number): void {
    const f = this.#f;
    const { slots, flags } = this.#lowering;
    this.#lowering.lower(this.#ops, i);
    const { dirty } = slots;
    const { state } = flags;
    const [taken, notTaken] = node.edges;
    f.if(this.#isCold(taken) ? "unlikely" : this.#isCold(notTaken) ? "likely" : "none");
    if (taken?.to === OUTSIDE) this.#checkOffset(taken.offset);
    this.#edge(taken);
    f.else();
    slots.dirty = dirty;
    flags.state = state;
    if (notTaken?.to === OUTSIDE) this.#checkOffset(notTaken.offset);
    this.#edge(notTaken);
    f.end();
  }

  #isCold(edge: RegionEdge | undefined): boolean {
    return edge?.to === OUTSIDE && this.#plan?.isCold(edge.offset) === true;
  }

  /** Goes to where an edge leads, from the state the lowering is in. */
  #edge(edge: RegionEdge | undefined): void {
    if (edge === undefined) throw new Error("a branch without its edge");
    const { to, offset } = edge;
    if (to === OUTSIDE) {
      if (this.#isCold(edge)) return this.#leaveCold(offset);
      return this.#leaveByChain(() => this.#pushRip(offset));
    }
    const { flags } = this.#lowering;
    if (this.#flow.flagsIn[to] === FLAGS_MIXED) flags.mix();
    // An open loop with this header, else a merge whose block is open, else code that stands right here.
    const target = this.#node(to);
    const loop = this.#loopLabels[to];
    if (target.isHeader && loop !== undefined) return this.#f.br(loop);
    if (!target.isMerge) {
      // What is known where paths part is known on each of them.
      const known = this.#lowering.floats.save();
      this.#tree(to);
      return this.#lowering.floats.restore(known);
    }
    this.#f.br(defined(this.#mergeLabels[to], "a merge whose block is not open"));
  }

  // ---- Guest calls ------------------------------------------------------------------------------------------------
  #directCall(node: RegionNode, i: number): void {
    const f = this.#f;
    const callee = node.block.offset + (this.#ops.target0[i] ?? 0);
    const [back] = node.edges;
    if (back === undefined) return this.#leaveByChain(() => this.#pushRip(callee));
    const rip = this.#ripAt(callee);
    const entry = this.#stateBase + L.JUMP_CACHE + (jumpCacheIndex(rip) << L.JUMP_CACHE_SHIFT);
    this.#storeDirty();
    this.#settle();
    const miss = this.#enterCall();
    f.i32Const(0);
    f.access(opcode.i64Load, entry + JUMP_CACHE_TAG);
    f.i64ConstBig(rip ^ BigInt(this.#mode));
    f.op(binaryOps["i64.eq"]);
    f.if("likely", "i32");
    f.i32Const(0);
    f.access(opcode.i32Load, entry + JUMP_CACHE_REGION);
    f.else();
    this.#pushRip(callee);
    this.#askCore();
    f.end();
    this.#callSlot(back, miss);
    f.end();
    this.#pushRip(callee);
    f.op(opcode.return);
  }

  /** A call through a pointer that usually leads to the callee that is inlined. */
  #guardedCall(node: RegionNode, i: number): void {
    const f = this.#f;
    const callee = defined(node.edges[0], "a guarded call has a callee");
    this.#lowering.pushIndirectTarget(this.#ops, i);
    this.#pushRip(callee.offset);
    f.op(binaryOps["i64.ne"]);
    this.#leaveOrGoOn(() => this.#indirectCall(i, node.edges[GUARDED_CALL_BACK]), callee);
  }

  #indirectCall(i: number, back: RegionEdge | undefined): void {
    const f = this.#f;
    if (back === undefined) {
      return this.#leaveByChain(() => this.#lowering.pushIndirectTarget(this.#ops, i));
    }
    this.#lowering.pushIndirectTarget(this.#ops, i);
    f.localSet(this.#result);
    this.#storeDirty();
    this.#settle();
    const miss = this.#enterCall();
    this.#lookUpRegion();
    this.#callSlot(back, miss);
    f.end();
    f.localGet(this.#result);
    f.op(opcode.return);
  }

  /** Opens the block that is left when the callee cannot be called; the first reason is depth. */
  #enterCall(): number {
    const f = this.#f;
    const miss = f.block();
    f.localGet(DEPTH);
    f.op(unaryOps["i32.eqz"]);
    f.brIf(miss, "unlikely");
    return miss;
  }

  /** Pops the callee's table slot and calls it; goes on at `back` if it returns to there. */
  #callSlot(back: RegionEdge, miss: number): void {
    const f = this.#f;
    f.localTee(this.#slot);
    f.i32Const(NO_REGION);
    f.op(binaryOps["i32.eq"]);
    f.brIf(miss);
    f.localGet(DEPTH);
    f.i32Const(1);
    f.op(binaryOps["i32.sub"]);
    f.localGet(this.#slot);
    f.callIndirect(this.#module.type(regionSignature));
    f.localTee(this.#result);
    this.#pushRip(back.offset);
    f.op(binaryOps["i64.ne"]);
    f.if("unlikely");
    f.localGet(this.#result);
    f.op(opcode.return);
    f.end();
    f.i32Const(0);
    f.localSet(this.#count);
    const { slots, flags } = this.#lowering;
    slots.dirty = 0;
    flags.state = FLAGS_IN_MEMORY;
    slots.loadAll(this.#flow.liveIn[back.to] ?? 0);
    const known = this.#lowering.floats.save();
    this.#lowering.floats.forget();
    this.#lowering.floats.refresh();
    this.#edge(back);
    this.#lowering.floats.restore(known);
  }
}

/** The index of an address's jump cache entry: see JUMP_CACHE in layout.ts. */
export function jumpCacheIndex(rip: bigint): number {
  const low = Number(BigInt.asIntN(32, rip));
  const page = Math.imul(low >>> L.PAGE_SHIFT, L.JUMP_PAGE_FACTOR) >>> L.JUMP_PAGE_SHIFT;
  return (((low << L.JUMP_OFFSET_SHIFT) ^ page) & L.JUMP_INDEX_MASK) >>> L.JUMP_CACHE_SHIFT;
}
