/**
 * Compiles a region, the hot blocks around one entry, to a WebAssembly function (depth: i32) -> i64 that returns the
 * next RIP or one of layout.ts' REGION_* results. Control flow is structured from the dominator tree, after Ramsey,
 * "Beyond Relooper" (ICFP 2022): loops are wasm loops, merges are the ends of blocks, an edge out of the region
 * returns (region-exits.ts). Guest calls and jumps through pointers are guest-branches.ts', other ops lower.ts'.
 *
 * A callee without a region is left to the dispatcher. Where runtime/regions.ts has chosen to inline a callee, its
 * blocks are ordinary nodes and its return is a comparison.
 *
 * Instructions are counted in a local and taken from the budget at exits and calls; loops and calls leave when it is used up,
 * so that run() ends in time and the engine below can replace a loop's code by better code.
 */
import { defined, fail } from "../../base/index.ts";
import * as L from "../layout.ts";
import { binaryOps, unaryOps } from "../ir/wasm-ops.ts";
import { ENGINE_MODULE, regionSignature, remap, translate, translateGlobal } from "./core-calls.ts";
import { DataFlow, isCall, isGuardedCall } from "./dataflow.ts";
import { FloatRuns } from "./float-runs.ts";
import { ModuleEncoder } from "./encode.ts";
import { OUTSIDE, type RegionEdge, type RegionNode } from "./graph.ts";
import { GuestBranches } from "./guest-branches.ts";
import { FLAGS_MIXED } from "./flag-values.ts";
import { LateSteps } from "./late-steps.ts";
import { Lowering } from "./lower.ts";
import { factsOfOp } from "./op-facts.ts";
import { opcode } from "./opcodes.ts";
import { RegionExits } from "./region-exits.ts";
import { RegionFrame, type VmMemory } from "./region-frame.ts";
import type { RegionOps } from "./region-ops.ts";
import { SharedChecks } from "./shared-checks.ts";

/** A linear page of code, where it was in guest-physical memory, and whether a load of CR3 leaves it there. */
export interface MappedPage {
  readonly linear: bigint;
  readonly gpa: number;
  readonly isGlobal: boolean;
}

/** What is compiled. */
export interface RegionPlan {
  /** What remap() and guardMissed() are called with. */
  readonly id: number;
  /** RIP of the entry, from which all offsets count, and the translation mode of all blocks. */
  readonly baseRip: bigint;
  readonly mode: number;
  /** The pages of its blocks; with more than one, their mapping is looked at again after it may have changed. */
  readonly pages: readonly MappedPage[];
  readonly nodes: readonly RegionNode[];
  readonly ops: RegionOps;
  /** Where the instructions that it executes are counted (u64), if they are. */
  readonly counter?: number | undefined;
  /** Are runs of floating-point instructions tried (float-runs.ts)? */
  readonly triesRuns: boolean;
  /** Does guardMissed() want to know of calls that lead elsewhere than to what is inlined? */
  readonly countsMisses: boolean;
  /** Is the code at an offset outside the region unlikely to be reached? */
  isCold(offset: number): boolean;
  /** May the region be left for an access of the instruction at an offset, so that those which share its check need no slow way? */
  mayGiveUp(offset: number): boolean;
}

/** The name under which a region's module exports its function. */
export const REGION_EXPORT = "region";

const ACCESS_EXECUTE = 2;

export class RegionCompiler {
  readonly #module: ModuleEncoder;
  readonly #frame: RegionFrame;
  readonly #lowering: Lowering;
  readonly #runs: FloatRuns;
  readonly #exits: RegionExits;
  readonly #branches: GuestBranches;
  readonly #flow = new DataFlow();
  readonly #checks = new SharedChecks();
  readonly #lateSteps = new LateSteps();
  #plan: RegionPlan | undefined;
  #nodes: readonly RegionNode[] = [];
  /** Labels of the loops and merges that are open, by node. */
  #loopLabels: number[] = [];
  #mergeLabels: number[] = [];

  constructor(vm: VmMemory, memoryMaximumPages: number, ops: RegionOps) {
    this.#module = new ModuleEncoder(
      { module: ENGINE_MODULE, name: "memory", maximumPages: memoryMaximumPages },
      { module: ENGINE_MODULE, name: "table" },
    );
    this.#frame = new RegionFrame(vm, ops);
    this.#lowering = new Lowering(this.#module, this.#frame);
    this.#runs = new FloatRuns(this.#module, this.#frame, this.#lowering);
    this.#exits = new RegionExits(this.#module, this.#frame, this.#lowering);
    this.#branches = new GuestBranches(this.#module, this.#frame, this.#lowering, this.#exits, this.#flow, {
      edge: (edge) => this.#edge(edge),
      leaveOrGoOn: (leave, edge) => this.#leaveOrGoOn(leave, edge),
    });
  }

  /** The module of a region; the view is invalid after the next call. */
  compile(plan: RegionPlan): Uint8Array<ArrayBuffer> {
    this.#module.reset();
    const f = this.#module.function(REGION_EXPORT, regionSignature);
    this.#plan = plan;
    this.#nodes = plan.nodes;
    this.#loopLabels = [];
    this.#mergeLabels = [];
    this.#lateSteps.find(plan.nodes, plan.ops);
    this.#flow.analyze(plan.nodes, plan.ops);
    this.#checks.analyze(plan);
    this.#lowering.begin(f, plan.ops, plan.mode);
    this.#frame.begin(f, plan.ops, this.#flow.written, plan.baseRip, plan.mode);
    this.#runs.find(plan.triesRuns ? plan.nodes : [], plan.ops, plan.id);
    this.#branches.begin(plan.countsMisses ? plan.id : undefined);

    if (plan.pages.length > 1) this.#checkMapping(plan);
    this.#lowering.slots.loadAll(this.#flow.liveIn(0));
    if (this.#flow.flagsIn(0) === FLAGS_MIXED) this.#lowering.flags.mix();
    this.#exits.counter = plan.counter;
    this.#exits.id = plan.id;
    this.#exits.open();
    this.#tree(0);
    this.#exits.close();
    return this.#module.finish();
  }

  // ---- Entry -------------------------------------------------------------------------------------------------------
  /** Leaves at once for the dispatcher if the pages of the region are no longer mapped as they were. */
  #checkMapping({ id, pages, mode }: RegionPlan): void {
    const { f } = this.#frame;
    const isGlobal = pages.every((page) => page.isGlobal);
    const counter = isGlobal ? L.GLOBAL_MAPPING_EPOCH : L.MAPPING_EPOCH;
    const epoch = this.#module.global();
    f.globalGet(epoch);
    this.#frame.loadState32(counter);
    f.op(binaryOps["i32.ne"]);
    f.if("unlikely");
    const walk = this.#module.import(isGlobal ? translateGlobal : translate);
    for (const [i, { linear, gpa }] of pages.entries()) {
      f.i64ConstBig(linear);
      f.i32Const(ACCESS_EXECUTE);
      f.i32Const((mode & L.MODE_USER) !== 0 ? 1 : 0);
      f.call(walk);
      f.i32Const(gpa);
      f.op(binaryOps["i32.ne"]);
      if (i > 0) f.op(binaryOps["i32.or"]);
    }
    f.if("unlikely");
    f.i32Const(id);
    f.call(this.#module.import(remap));
    f.op(unaryOps["i32.eqz"]);
    f.if("unlikely");
    this.#frame.pushRip(0);
    f.op(opcode.return);
    f.end();
    f.end();
    this.#frame.loadState32(counter);
    f.globalSet(epoch);
    f.end();
  }

  // ---- Structured control flow ------------------------------------------------------------------------------------
  #node(number: number): RegionNode {
    return defined(this.#nodes[number], "an edge to a node that is not there");
  }

  /** The code of a node and of all it dominates; control never comes out at its end. */
  #tree(number: number): void {
    const { f } = this.#frame;
    const node = this.#node(number);
    if (!node.isHeader) return this.#within(number, 0);
    this.#loopLabels[number] = f.loop();
    this.#enterState(number);
    if (!this.#checksAtEdges(number)) this.#checkBudget(node.block.offset);
    this.#lowering.floats.enterLoop();
    this.#within(number, 0);
    f.end();
  }

  /** The node inside the blocks at whose ends the merges it dominates stand, from the `next`th on. */
  #within(number: number, next: number): void {
    const { f } = this.#frame;
    const merge = this.#node(number).mergeChildren[next];
    if (merge === undefined) return this.#body(number);
    this.#mergeLabels[merge] = f.block();
    this.#within(number, next + 1);
    f.end();
    this.#tree(merge);
  }

  #enterState(number: number): void {
    const { slots, flags } = this.#lowering;
    slots.dirty = this.#flow.dirtyIn(number);
    flags.state = this.#flow.flagsIn(number);
    const { isHeader, isMerge } = this.#node(number);
    if (isHeader || isMerge) this.#lowering.floats.forget();
  }

  /**
   * Is the budget looked at where edges lead back to a loop's header instead of there? Flags of several kinds meet at the
   * header; where it soon sets others, nothing has to be kept for an exit.
   */
  #checksAtEdges(header: number): boolean {
    return this.#flow.flagsIn(header) === FLAGS_MIXED;
  }

  #checkBudget(offset: number): void {
    const { f, count } = this.#frame;
    this.#frame.loadState32(L.BUDGET);
    f.localGet(count);
    f.op(binaryOps["i32.lt_s"]);
    f.if("unlikely");
    this.#exits.leaveCold(offset);
    f.end();
  }

  #body(number: number): void {
    const node = this.#node(number);
    const { start, end, offset } = node.block;
    this.#enterState(number);
    const locate = (i: number): void => this.#locate(offset, i);
    const single = (i: number): void => {
      this.#locate(offset, i);
      this.#op(node, i);
    };
    for (let i = start; i < end;) {
      const endOfRun = this.#runs.endOf(i);
      if (endOfRun === 0) {
        single(i++);
      } else {
        this.#runs.lower(i, endOfRun, locate, single);
        i = endOfRun;
      }
    }
  }

  #locate(blockOffset: number, i: number): void {
    const offset = blockOffset + (this.#frame.ops.pc[i] ?? 0);
    this.#lowering.locate(offset, this.#frame.ops.notRetired[i] ?? 0);
    this.#lowering.shared = this.#checks.of(i);
    this.#lowering.mayGiveUp = this.#checks.mayGiveUp(i, offset);
    this.#lowering.lateStep = this.#lateSteps.of(i);
    this.#lowering.liveAfter = this.#flow.liveAfter[i] ?? 0;
  }

  #op(node: RegionNode, i: number): void {
    const { f, ops, count, result } = this.#frame;
    const { branch } = factsOfOp(ops.op[i] ?? 0);
    const imm = ops.imm[i] ?? 0;
    switch (branch?.kind) {
      case undefined:
        return this.#lowering.lower(ops, i);
      case "enter":
        f.localGet(count);
        f.i32Const(node.block.instructionCount);
        f.op(binaryOps["i32.add"]);
        return f.localSet(count);
      case "syncpc":
        return this.#syncPc(node, imm);
      case "jump":
        if (isCall(ops, node)) return this.#branches.directCall(node, i);
        if (branch.why === "jump") this.#branches.checkOffset(node.block.offset + (ops.target0[i] ?? 0));
        return this.#edge(node.edges[0]);
      case "conditional":
        return this.#conditional(node, i);
      case "indirect":
        if (isGuardedCall(ops, node)) return this.#branches.guardedCall(node, i);
        if (isCall(ops, node)) return this.#branches.indirectCall(node, i);
        return branch.why === "jump"
          ? this.#branches.indirectJump(node, i)
          : this.#branches.guestReturn(node, i);
      case "canonical":
        this.#lowering.pushIndirectTarget(ops, i);
        f.localSet(result);
        return this.#branches.checkTarget(imm === 1 ? "call" : 0);
      case "sysend":
        return this.#endByHelper(node);
      case "raise":
        this.#frame.storeState32(L.FAULT_VECTOR, imm);
        this.#frame.storeState32(L.FAULT_HAS_ERROR, 0);
        this.#frame.storeState32(L.FAULT_ERROR, 0);
        return this.#lowering.fault();
      case "stale":
      case "region":
        fail("blocks are translated without the ops that the core and Regions write over enter");
    }
  }

  /** imm: the instruction's offset from its block, its length in the high half. */
  #syncPc(node: RegionNode, imm: number): void {
    const rip = node.block.offset + (imm & 0xffff);
    const next = this.#frame.ripAt(rip + (imm >>> 16));
    const size = this.#frame.mode & L.MODE_CODE_SIZE;
    this.#frame.storeState64(L.RIP, this.#frame.ripAt(rip));
    this.#frame.storeState64(L.NEXT_RIP, size === 2 ? next : BigInt.asUintN(size === 1 ? 32 : 16, next));
    if (this.#stringEnd(node) >= 0) {
      this.#frame.loadState32(L.STAT_CODE_WRITES);
      this.#frame.f.localSet(this.#frame.slot);
    }
  }

  /** The last op of a node that ends behind a repeated string instruction and goes on from there, else -1. */
  #stringEnd(node: RegionNode): number {
    const last = node.block.end - 1;
    const isSysend = factsOfOp(this.#frame.ops.op[last] ?? 0).branch?.kind === "sysend";
    return isSysend && node.edges.length > 0 && (this.#frame.mode & L.MODE_CODE_SIZE) !== 0 ? last : -1;
  }

  /** Behind a helper that ends its block: back to the dispatcher, unless a string instruction is through. */
  #endByHelper(node: RegionNode): void {
    const { f, stateBase, slot } = this.#frame;
    const leave = (): void => {
      f.i32Const(0);
      f.i32Const(0);
      f.access(opcode.i64Load, stateBase + L.NEXT_RIP);
      f.access(opcode.i64Store, stateBase + L.RIP);
      this.#exits.leave(() => f.i64Const(L.REGION_DISPATCH_LOW, L.REGION_RESULT_HIGH));
    };
    const next = node.edges[0];
    if (next === undefined || this.#stringEnd(node) < 0) return leave();
    // It stopped half-way, or it has overwritten code: this region's, perhaps.
    f.i32Const(0);
    f.access(opcode.i64Load, stateBase + L.NEXT_RIP);
    this.#frame.pushRip(next.offset);
    f.op(binaryOps["i64.ne"]);
    this.#frame.loadState32(L.STAT_CODE_WRITES);
    f.localGet(slot);
    f.op(binaryOps["i32.ne"]);
    f.op(binaryOps["i32.or"]);
    this.#leaveOrGoOn(leave, next);
  }

  /** Leaves if the value on the stack is not 0; else goes on along the edge. */
  #leaveOrGoOn(leave: () => void, edge: RegionEdge): void {
    const { f } = this.#frame;
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
    const { f, ops } = this.#frame;
    const { slots, flags } = this.#lowering;
    this.#lowering.lower(ops, i);
    const { dirty } = slots;
    const { state } = flags;
    const taken = node.edges[0];
    const notTaken = node.edges[1];
    f.if(this.#isCold(taken) ? "unlikely" : this.#isCold(notTaken) ? "likely" : "none");
    if (taken?.to === OUTSIDE) this.#branches.checkOffset(taken.offset);
    this.#edge(taken);
    f.else();
    slots.dirty = dirty;
    flags.state = state;
    if (notTaken?.to === OUTSIDE) this.#branches.checkOffset(notTaken.offset);
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
      if (this.#isCold(edge)) return this.#exits.leaveCold(offset);
      return this.#exits.leaveByChain(() => this.#frame.pushRip(offset));
    }
    const { flags } = this.#lowering;
    // An open loop with this header, else a merge whose block is open, else code that stands right here.
    const target = this.#node(to);
    const loop = this.#loopLabels[to];
    if (target.isHeader && loop !== undefined && this.#checksAtEdges(to)) this.#checkBudget(offset);
    if (this.#flow.flagsIn(to) === FLAGS_MIXED) flags.mix();
    if (target.isHeader && loop !== undefined) return this.#frame.f.br(loop);
    if (!target.isMerge) {
      // What is known where paths part is known on each of them.
      const known = this.#lowering.floats.save();
      this.#tree(to);
      return this.#lowering.floats.restore(known);
    }
    this.#frame.f.br(defined(this.#mergeLabels[to], "a merge whose block is not open"));
  }
}
