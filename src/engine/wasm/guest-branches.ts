/**
 * Guest calls, returns and jumps through pointers in a region, and the #GP(0) of a branch whose target is no address of
 * code.
 *
 * A call is a wasm call of the callee's region; if that comes back with the return address this region goes on, with
 * anything else it returns that, which is always correct. Registers and flags are in the state block meanwhile. A jump
 * through a pointer is a table of the region's own targets (jump-hash.ts), else it leaves.
 */
import { defined } from "../../base/index.ts";
import * as L from "../layout.ts";
import { binaryOps, unaryOps } from "../ir/wasm-ops.ts";
import { guardMissed, raiseBranchFault, raiseCallFault, regionSignature } from "./core-calls.ts";
import { type DataFlow, backOfGuardedCall } from "./dataflow.ts";
import type { ModuleEncoder } from "./encode.ts";
import { OUTSIDE, type RegionEdge, type RegionNode } from "./graph.ts";
import { type JumpHash, jumpHash } from "./jump-hash.ts";
import { FLAGS_IN_MEMORY } from "./flag-values.ts";
import type { Lowering } from "./lower.ts";
import { opcode } from "./opcodes.ts";
import { NO_REGION, type RegionExits } from "./region-exits.ts";
import { type RegionFrame, STACK_LEFT } from "./region-frame.ts";

/** One of so many misses is told to guardMissed(). */
export const MISSES_COUNTED = 1021;

const LIMIT_OF_CODE = L.SEG + L.SEG_CS * L.SEG_STRIDE + L.SEG_LIMIT;

/** The number of a region's own function in its module. */
const REGION_FUNCTION = 0;

/** The control flow around the branches. */
export interface BranchHost {
  /** Goes to where an edge leads, from the state the lowering is in. */
  edge(edge: RegionEdge): void;
  /** Leaves if the value on the stack is not 0; else goes on along the edge. */
  leaveOrGoOn(leave: () => void, edge: RegionEdge): void;
}

export class GuestBranches {
  readonly #module: ModuleEncoder;
  readonly #frame: RegionFrame;
  readonly #lowering: Lowering;
  readonly #exits: RegionExits;
  readonly #flow: DataFlow;
  readonly #host: BranchHost;
  /** What guardMissed() is called with, if it is; and the global that counts down to its next call. */
  #missesOf: number | undefined;
  #missCounter: number | undefined;

  constructor(
    module: ModuleEncoder,
    frame: RegionFrame,
    lowering: Lowering,
    exits: RegionExits,
    flow: DataFlow,
    host: BranchHost,
  ) {
    this.#module = module;
    this.#frame = frame;
    this.#lowering = lowering;
    this.#exits = exits;
    this.#flow = flow;
    this.#host = host;
  }

  /** Before the first branch of a region's function. */
  begin(missesOf: number | undefined): void {
    this.#missesOf = missesOf;
    this.#missCounter = undefined;
  }

  // ---- Calls ------------------------------------------------------------------------------------------------------
  directCall(node: RegionNode, i: number): void {
    const { f, ops } = this.#frame;
    const callee = node.block.offset + (ops.target0[i] ?? 0);
    const back = node.edges[0];
    if (back === undefined) return this.#exits.leaveByChain(() => this.#frame.pushRip(callee));
    this.#exits.storeDirty();
    this.#exits.settle();
    const miss = this.#enterCall();
    if (callee === 0) {
      this.#call(back, () => f.callOwn(REGION_FUNCTION));
    } else {
      this.#exits.lookUpRegionAt(callee);
      this.#callSlot(back, miss);
    }
    f.end();
    this.#frame.pushRip(callee);
    f.op(opcode.return);
  }

  /** A call through a pointer that usually leads to one of the callees that are inlined. */
  guardedCall(node: RegionNode, i: number): void {
    const { f, ops } = this.#frame;
    const { slots, flags } = this.#lowering;
    const { dirty } = slots;
    const { state } = flags;
    const back = backOfGuardedCall(node);
    const last = defined(node.edges[back - 1], "a guarded call has a callee");
    for (const callee of node.edges.slice(0, back - 1)) {
      this.#lowering.pushIndirectTarget(ops, i);
      this.#frame.pushRip(callee.offset);
      f.op(binaryOps["i64.eq"]);
      f.if("none");
      this.#host.edge(callee);
      f.end();
      slots.dirty = dirty;
      flags.state = state;
    }
    this.#lowering.pushIndirectTarget(ops, i);
    this.#frame.pushRip(last.offset);
    f.op(binaryOps["i64.ne"]);
    this.#host.leaveOrGoOn(() => {
      if (this.#missesOf !== undefined) this.#countMiss(node, i, this.#missesOf);
      this.#indirectCallTo(node, i, node.edges[back]);
    }, last);
  }

  #countMiss(node: RegionNode, i: number, missesOf: number): void {
    const { f, ops } = this.#frame;
    const counter = (this.#missCounter ??= this.#module.global());
    f.globalGet(counter);
    f.op(unaryOps["i32.eqz"]);
    f.if("unlikely");
    f.i32Const(missesOf);
    f.i32Const(node.block.offset);
    this.#lowering.pushIndirectTarget(ops, i);
    f.op(unaryOps["i32.wrap_i64"]);
    f.call(this.#module.import(guardMissed));
    f.i32Const(MISSES_COUNTED);
    f.globalSet(counter);
    f.end();
    f.globalGet(counter);
    f.i32Const(1);
    f.op(binaryOps["i32.sub"]);
    f.globalSet(counter);
  }

  indirectCall(node: RegionNode, i: number): void {
    this.#indirectCallTo(node, i, node.edges[0]);
  }

  #indirectCallTo(node: RegionNode, i: number, back: RegionEdge | undefined): void {
    const { f, ops, result } = this.#frame;
    if (back === undefined) {
      return this.#exits.leaveByChain(() => this.#lowering.pushIndirectTarget(ops, i));
    }
    this.#lowering.pushIndirectTarget(ops, i);
    f.localSet(result);
    // In front of a call stands an op that looks at its target.
    if (node.block.isTailCall) this.checkTarget(0);
    this.#exits.storeDirty();
    this.#exits.settle();
    const miss = this.#enterCall();
    this.#exits.lookUpRegion();
    this.#callSlot(back, miss);
    f.end();
    f.localGet(result);
    f.op(opcode.return);
  }

  /**
   * Behind settle(): opens the block that is left when the callee cannot be called. The first reasons are the stack and a
   * budget that is used up, since a recursion may take any time without a loop.
   */
  #enterCall(): number {
    const { f, slot } = this.#frame;
    const miss = f.block();
    this.#pushStackLeft();
    f.localGet(slot);
    f.op(binaryOps["i32.or"]);
    f.i32Const(0);
    f.op(binaryOps["i32.lt_s"]);
    f.brIf(miss, "unlikely");
    return miss;
  }

  /** What is left of the stack below this frame, negative if nothing. */
  #pushStackLeft(): void {
    const { f } = this.#frame;
    f.localGet(STACK_LEFT);
    f.i32ConstFrameBytes();
    f.op(binaryOps["i32.sub"]);
  }

  /** Pops the callee's table slot and calls it; goes on at `back` if it returns to there. */
  #callSlot(back: RegionEdge, miss: number): void {
    const { f, slot } = this.#frame;
    f.localTee(slot);
    f.i32Const(NO_REGION);
    f.op(binaryOps["i32.eq"]);
    f.brIf(miss);
    this.#call(back, () => {
      f.localGet(slot);
      f.callIndirect(this.#module.type(regionSignature));
    });
  }

  /** Calls a region's function by `call`, behind its parameter; goes on at `back` if it returns to there. */
  #call(back: RegionEdge, call: () => void): void {
    const { f, count, result } = this.#frame;
    this.#pushStackLeft();
    call();
    f.localTee(result);
    this.#frame.pushRip(back.offset);
    f.op(binaryOps["i64.ne"]);
    f.if("unlikely");
    f.localGet(result);
    f.op(opcode.return);
    f.end();
    f.i32Const(0);
    f.localSet(count);
    const { slots, flags } = this.#lowering;
    slots.dirty = 0;
    flags.state = FLAGS_IN_MEMORY;
    slots.loadAll(this.#flow.liveIn(back.to));
    const known = this.#lowering.floats.save();
    this.#lowering.floats.forget();
    this.#lowering.floats.refresh();
    this.#host.edge(back);
    this.#lowering.floats.restore(known);
  }

  // ---- Returns and indirect jumps ---------------------------------------------------------------------------------
  /** A guest return: a return of the function, or, where its call was inlined, to behind that call. */
  guestReturn(node: RegionNode, i: number): void {
    const { f, ops, result } = this.#frame;
    const leave = (): void => {
      this.checkTarget(ops.imm[i] ?? 0);
      this.#exits.leave(() => f.localGet(result));
    };
    const back = node.edges[0];
    this.#lowering.pushIndirectTarget(ops, i);
    f.localSet(result);
    if (back === undefined) return leave();
    f.localGet(result);
    this.#frame.pushRip(back.offset);
    f.op(binaryOps["i64.ne"]);
    this.#host.leaveOrGoOn(leave, back);
  }

  indirectJump(node: RegionNode, i: number): void {
    const { f, ops, result } = this.#frame;
    this.#lowering.pushIndirectTarget(ops, i);
    f.localSet(result);
    const inside = node.edges.filter(({ to }) => to !== OUTSIDE);
    const hash = jumpHash(inside.map(({ offset }) => this.#frame.ripLow(offset)));
    if (inside.length > 0 && hash !== undefined) this.#jumpInside(inside, hash);
    this.checkTarget(0);
    this.#exits.leaveByChain(() => f.localGet(result));
  }

  /** Goes on at the edge whose address is in the local result; comes out at the end if there is none. */
  #jumpInside(edges: readonly RegionEdge[], { factor, shift, places }: JumpHash): void {
    const { f, result } = this.#frame;
    const { slots, flags } = this.#lowering;
    const { dirty } = slots;
    const { state } = flags;
    const miss = f.block();
    const labels = edges.map(() => f.block());
    f.localGet(result);
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
      f.localGet(result);
      this.#frame.pushRip(edge.offset);
      f.op(binaryOps["i64.ne"]);
      f.brIf(miss, "unlikely");
      this.#host.edge(edge);
      slots.dirty = dirty;
      flags.state = state;
    }
    f.end();
  }

  // ---- Targets ----------------------------------------------------------------------------------------------------
  /** Moves rSP back over what the branch has popped. */
  #unpop(sizeBytes: number): void {
    const { f } = this.#frame;
    const { slots } = this.#lowering;
    slots.beginSet(L.GPR_RSP, 64);
    slots.get(L.GPR_RSP, 64);
    f.i64ConstNumber(sizeBytes);
    f.op(binaryOps["i64.sub"]);
    slots.set(L.GPR_RSP, 64, 64);
  }

  /** A fault of the branch at the current op: a CALL, or one that has moved rSP over so many bytes. */
  #branchFault(poppedBytes: number | "call"): void {
    const { f } = this.#frame;
    const { slots } = this.#lowering;
    const { dirty } = slots;
    if (poppedBytes === "call") {
      slots.get(L.GPR_RSP, 64);
      f.call(this.#module.import(raiseCallFault));
    } else {
      f.call(this.#module.import(raiseBranchFault));
      if (poppedBytes > 0) this.#unpop(poppedBytes);
    }
    this.#lowering.fault();
    slots.dirty = dirty;
  }

  /**
   * #GP(0) of the current branch if the address in the local result is none for code; a flat segment of 4 GiB holds
   * all.
   */
  checkTarget(poppedBytes: number | "call"): void {
    const { f, mode, result } = this.#frame;
    if ((mode & L.MODE_CODE_SIZE) === 2) {
      // Canonical: bits 47 to 63 are alike.
      f.localGet(result);
      f.i64ConstNumber(47);
      f.op(binaryOps["i64.shr_s"]);
      f.i64ConstNumber(1);
      f.op(binaryOps["i64.add"]);
      f.i64ConstNumber(1);
    } else {
      if ((mode & L.MODE_FLAT) !== 0) return;
      f.localGet(result);
      this.#frame.loadState32(LIMIT_OF_CODE);
      f.op(unaryOps["i64.extend_i32_u"]);
    }
    f.op(binaryOps["i64.gt_u"]);
    f.if("unlikely");
    this.#branchFault(poppedBytes);
    f.end();
  }

  /** The same for a direct branch out of the region, whose target is canonical. */
  checkOffset(offset: number): void {
    const { f, mode } = this.#frame;
    if ((mode & L.MODE_CODE_SIZE) === 2 || (mode & L.MODE_FLAT) !== 0) return;
    f.i32Const(this.#frame.ripLow(offset));
    this.#frame.loadState32(LIMIT_OF_CODE);
    f.op(binaryOps["i32.gt_u"]);
    f.if("unlikely");
    this.#branchFault(0);
    f.end();
  }
}
