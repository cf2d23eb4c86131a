/**
 * Lowers IR ops to WebAssembly from the same expression trees from which the interpreter is printed (ir/expr.ts,
 * ir/assemblyscript.ts): register-file slots and XMM registers are locals (slots.ts), lazy flags are locals
 * (lazy-flags.ts), other state stays in the state block at addresses known now, guest memory is accessed through the
 * TLB in place (layout.ts describes an entry), shared with others or with a slow way of its own, or, in MODE_DIRECT, without it, helpers are calls into the core (helper-calls.ts).
 *
 * An op that faults leaves through the region's fault exit with a word that says what was dirty (region-frame.ts).
 */
import { defined, fail } from "../../base/index.ts";
import * as L from "../layout.ts";
import { binaryOps, unaryOps } from "../ir/wasm-ops.ts";
import type { ImportedFunction, ModuleEncoder } from "./encode.ts";
import type { FunctionEncoder } from "./function.ts";
import { reachToRead, reachToReadAndWrite, reachToWrite } from "./core-calls.ts";
import { HelperCalls } from "./helper-calls.ts";
import { FLAGS_IN_MEMORY, FLAGS_MIXED } from "./flag-values.ts";
import type { LateStep } from "./late-steps.ts";
import { LazyFlags } from "./lazy-flags.ts";
import { factsOfOp } from "./op-facts.ts";
import { opcode } from "./opcodes.ts";
import { OrdinaryFloats } from "./ordinary-floats.ts";
import {
  BEGIN_SET_SLOT,
  CALL,
  CHECK_ADDRESS,
  CHECK_ADDRESS_32,
  CHECK_LAST_OFFSET,
  CHECK_OFFSET,
  CONDITION,
  DYNAMIC,
  END,
  END_IF,
  END_IF_FLAGS,
  FAULT,
  FOLLOW,
  GET_CHECK,
  GET_FLAG_VALUE,
  GET_SLOT,
  GET_TEMPORARY,
  GET_XMM,
  GIVE_UP,
  HINTS,
  IF,
  IF_FLAGS,
  IS_DIRECT,
  JUMP,
  JUMP_IF_CERTAIN,
  JUMP_IF_CHECKED,
  JUMP_IF_CHECK_32,
  JUMP_IF_DIRECT,
  JUMP_IF_GIVES_UP,
  JUMP_IF_SHARED,
  JUMP_IF_TRIAL,
  JUMP_IF_ZERO,
  JUMP_IF_ZERO_SLOT,
  MIX_FLAGS,
  NEED_TEMPORARY,
  NEW_CHECK,
  NO_RESULT,
  ORDINARY,
  RAM_OFFSET,
  REACH,
  SET_CHECK,
  SET_FLAGS,
  SET_SLOT,
  SET_TEMPORARY,
  SET_XMM,
  STATE_ADDRESS,
  STATE_OFFSET,
  STATIC_32,
  STATIC_64,
  STATIC_VECTOR,
  STATUS,
  TEE_TEMPORARY,
  TLB_OFFSET,
  TLB_OF_CHECK,
  TLB_WRITE,
  TYPES,
  calledFunctions,
  dynamicBits,
  ordinaryExpressions,
  staticExpressions,
  steps,
} from "./recipe-steps.ts";
import { recipeOf } from "./recipe.ts";
import {
  type RegionFrame,
  WORD_FLAGS_IN_MEMORY,
  WORD_FLAGS_MIXED,
  WORD_FLAGS_SHIFT,
  WORD_NOT_RETIRED_SHIFT,
} from "./region-frame.ts";
import { CurrentOp, type RegionOps, operandOf, slotOf } from "./region-ops.ts";
import { NO_LOCAL, type SharedAccess } from "./shared-checks.ts";
import { ALL_GPRS, ALL_XMMS, Slots } from "./slots.ts";
import { ZeroTests } from "./zero-test.ts";
import { FORM_IMM, FORM_IMM64, isZero, staticBig, staticNumber, staticVector } from "./static-value.ts";

/** Temporaries of one type that an op has at most. */
const TEMPORARIES_MAX = 32;
/** The condition code of JB and its like: CF. */
const CONDITION_CARRY = 2;

export class Lowering {
  readonly slots: Slots;
  readonly flags: LazyFlags;
  readonly floats: OrdinaryFloats;
  readonly zeroTests: ZeroTests;
  readonly #stateBase: number;
  readonly #module: ModuleEncoder;
  readonly #frame: RegionFrame;
  #f: FunctionEncoder;
  readonly #helperCalls: HelperCalls;
  readonly #op = new CurrentOp();
  /** The locals of temporaries: those of a type behind one another. */
  readonly #temporaries = new Int32Array(TYPES.length * TEMPORARIES_MAX);
  /** Offset of the current op's instruction from the base, and instructions from it to the block's end. */
  #pcOffset = 0;
  #notRetired = 0;
  #isDirect = false;
  #tlbRead = 0;
  #tlbWrite = 0;

  constructor(module: ModuleEncoder, frame: RegionFrame) {
    const { stateBase, f } = frame;
    this.#stateBase = stateBase;
    this.#module = module;
    this.#f = f;
    this.#frame = frame;
    this.slots = new Slots(stateBase, f);
    this.flags = new LazyFlags(stateBase, f, this);
    this.zeroTests = new ZeroTests(module);
    this.floats = new OrdinaryFloats(stateBase, this.zeroTests, f, this);
    this.#helperCalls = new HelperCalls(stateBase, f, this.#op, this);
  }

  /** Before the first op of a region's function. */
  begin(f: FunctionEncoder, ops: RegionOps, mode: number): void {
    this.#f = f;
    this.slots.begin(f);
    this.flags.begin(f);
    this.zeroTests.begin();
    this.trialLabel = undefined;
    this.floats.begin(f, ops);
    this.#helperCalls.begin(f);
    this.#temporaries.fill(NO_LOCAL);
    const user = (mode & L.MODE_USER) !== 0;
    this.#isDirect = (mode & L.MODE_DIRECT) !== 0;
    this.#tlbRead = this.#stateBase + (user ? L.TLB_USER_READ : L.TLB_KERNEL_READ);
    this.#tlbWrite = this.#stateBase + (user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE);
  }

  pushXmm(role: "d" | "s"): void {
    this.slots.getXmm(this.#op[role]);
  }

  coreFunction(called: ImportedFunction): number {
    return this.#module.import(called);
  }

  /** Where op `i` stands: for faults. */
  locate(pcOffset: number, notRetired: number): void {
    this.#pcOffset = pcOffset;
    this.#notRetired = notRetired;
  }

  /** Registers whose value is needed behind the current op: the ones worth reloading. */
  liveAfter = 0;

  // ---- Ops --------------------------------------------------------------------------------------------------------
  /** Lowers an inline op or a helper; of a conditional branch, what comes before the decision. */
  lower(ops: RegionOps, i: number): void {
    const op = this.#op;
    op.select(ops, i);
    const facts = factsOfOp(op.number);
    if (facts.helper !== undefined) return this.#helperCalls.lower(facts.helper);
    const known = this.floats.behind(op.number, op.d, op.s, op.imm);
    const range = this.floats.rangeBehind(op.number, op.d, op.s);
    this.follow(recipeOf(op.number));
    if (facts.xmmWrites === 0) return;
    this.floats.setKnown(op.d, known);
    this.floats.moved(op.number, op.d, op.s, range);
  }

  /** Pushes slot s of op `i` as i64: the target of an indirect branch. */
  pushIndirectTarget(ops: RegionOps, i: number): void {
    this.slots.get(ops.s[i] ?? 0, 64);
  }

  /** Leaves the region with a fault pending at the current op. */
  fault(): void {
    this.#leaveAt(this.#frame.faultLabel);
  }

  #leaveAt(label: number): void {
    const { state } = this.flags;
    if (this.lateStep !== undefined) this.#setFlagsOf(this.lateStep);
    this.setExitWord(this.#pcOffset, this.#notRetired);
    this.#f.br(label);
    this.flags.state = state;
  }

  /** During a trial gives that up, else leaves the region in front of the current instruction, which is executed alone. */
  #giveUp(): void {
    if (this.trialLabel !== undefined) return this.#f.br(this.trialLabel);
    this.#leaveAt(this.#frame.giveUpLabel);
  }

  #setFlagsOf({ flagOp, slot, width }: LateStep): void {
    const f = this.#f;
    const { flags } = this;
    flags.condition(CONDITION_CARRY);
    f.op(unaryOps["i64.extend_i32_u"]);
    f.localSet(flags.src);
    this.slots.get(slot, width);
    if (width !== 64) f.op(unaryOps["i64.extend_i32_u"]);
    f.localSet(flags.dst);
    flags.state = flagOp;
  }

  /** Tells a shared exit what it has to know. */
  setExitWord(pcOffset: number, notRetired: number): void {
    const f = this.#f;
    const { state } = this.flags;
    const { dirty } = this.slots;
    const { word, xmmWord } = this.#frame;
    const flags =
      state === FLAGS_IN_MEMORY ? WORD_FLAGS_IN_MEMORY : state === FLAGS_MIXED ? WORD_FLAGS_MIXED : state;
    const low = (dirty & ALL_GPRS) | (notRetired << WORD_NOT_RETIRED_SHIFT) | (flags << WORD_FLAGS_SHIFT);
    f.i64Const(low, pcOffset);
    f.localSet(word);
    if (state >= 0) this.flags.tellExit();
    if (xmmWord === undefined) return;
    f.i32Const(dirty & ALL_XMMS);
    f.localSet(xmmWord);
  }

  /** During a trial: where what cannot be done goes, with nothing changed. */
  trialLabel: number | undefined;

  // ---- Recipes ----------------------------------------------------------------------------------------------------
  /** What the current op's one access shares with others (shared-checks.ts). */
  shared: SharedAccess | undefined;
  /** May the region be left in front of the current op's instruction if its access misses? */
  mayGiveUp = false;
  /** The step whose flags have not been set in front of the current op (late-steps.ts). */
  lateStep: LateStep | undefined;
  /** The flags' state in front of those that are set in some cases only, and in these. */
  #flagsBefore = FLAGS_IN_MEMORY;
  #flagsMixed = FLAGS_IN_MEMORY;

  #temporary(type: number, number: number): number {
    const index = type * TEMPORARIES_MAX + number;
    const known = this.#temporaries[index] ?? NO_LOCAL;
    if (known !== NO_LOCAL) return known;
    const local = this.#f.local(defined(TYPES[type], "a type"));
    this.#temporaries[index] = local;
    return local;
  }

  #sharedAccess(): SharedAccess {
    return defined(this.shared, "a step of a shared access");
  }

  #writes(which: number): boolean {
    return which === TLB_OF_CHECK ? this.#sharedAccess().check.forWrite : which === TLB_WRITE;
  }

  #tlb(which: number): number {
    return this.#writes(which) ? this.#tlbWrite : this.#tlbRead;
  }

  /** In MODE_DIRECT: whether an access at the address on the stack, and so many bytes from there on, goes straight to RAM. */
  #isDirectAt(which: number, sizeBytes: number): void {
    const f = this.#f;
    if (this.#writes(which)) {
      f.i32Const(L.PAGE_SHIFT);
      f.op(binaryOps["i32.shr_u"]);
      f.access(opcode.i32Load8U, L.STORABLE_PAGES);
      // 0 or 1, and the same again: V8 would load twice what is only compared.
      f.i32Const(1);
      f.op(binaryOps["i32.xor"]);
      f.op(unaryOps["i32.eqz"]);
    } else {
      f.i32Const(this.#frame.ramSizeBytes - sizeBytes);
      f.op(binaryOps["i32.le_u"]);
    }
  }

  /** Pops the address of the current access. */
  #reach(which: number): void {
    const f = this.#f;
    const { check, distance } = this.#sharedAccess();
    f.i32Const(distance - check.low);
    f.i32Const(check.high - distance);
    const reach = !check.forWrite ? reachToRead : which === TLB_WRITE ? reachToWrite : reachToReadAndWrite;
    f.call(this.coreFunction(reach));
  }

  #checkedBytes(): number {
    const { low, high } = this.#sharedAccess().check;
    return high - low;
  }

  #pushStatic32(form: number): void {
    this.#f.i32Const(staticNumber(form, this.#op));
  }

  #pushStatic64(form: number): void {
    const { imm, immHigh } = this.#op;
    if (form === FORM_IMM) this.#f.i64Const(imm, imm >> 31);
    else if (form === FORM_IMM64) this.#f.i64Const(imm, immHigh);
    else this.#f.i64ConstBig(staticBig(form, this.#op));
  }

  /** Writes what a recipe says of the current op. hot: npm run bench -- linux. */
  follow(recipe: number): void {
    const f = this.#f;
    for (let at = recipe; ;) {
      const step = steps[at] ?? END;
      if (step < END) {
        f.op(step);
        at++;
        continue;
      }
      const first = steps[at + 1] ?? 0;
      const second = steps[at + 2] ?? 0;
      switch (step) {
        case GET_TEMPORARY:
          f.localGet(this.#temporary(first, second));
          at += 3;
          break;
        case GET_SLOT:
          this.slots.get(slotOf(this.#op, first), second);
          at += 3;
          break;
        case TEE_TEMPORARY:
          f.localTee(this.#temporary(first, second));
          at += 3;
          break;
        case SET_TEMPORARY:
          f.localSet(this.#temporary(first, second));
          at += 3;
          break;
        case NEED_TEMPORARY:
          this.#temporary(first, second);
          at += 3;
          break;
        case BEGIN_SET_SLOT:
          this.slots.beginSet(slotOf(this.#op, first), second);
          at += 3;
          break;
        case SET_SLOT:
          this.slots.set(slotOf(this.#op, first), second, this.#bits(steps[at + 3] ?? 0));
          at += 4;
          break;
        case TLB_OFFSET:
          f.offset(this.#tlb(first) + second);
          at += 3;
          break;
        case IF:
          f.ifTyped(HINTS[first] ?? "none", second);
          at += 3;
          break;
        case END_IF:
          f.end();
          at++;
          break;
        case JUMP:
          at = first;
          break;
        case FOLLOW:
          this.follow(first);
          at += 2;
          break;
        case JUMP_IF_ZERO:
          at = isZero(first, this.#op) ? second : at + 3;
          break;
        case JUMP_IF_ZERO_SLOT:
          at = operandOf(this.#op, first) === L.SLOT_ZERO ? second : at + 3;
          break;
        case JUMP_IF_SHARED:
          at = this.shared === undefined ? at + 2 : first;
          break;
        case JUMP_IF_DIRECT:
          at = this.#isDirect ? first : at + 2;
          break;
        case JUMP_IF_TRIAL:
          if (this.trialLabel !== undefined) f.br(this.trialLabel);
          at = this.trialLabel === undefined ? at + 2 : first;
          break;
        case JUMP_IF_GIVES_UP:
          at = this.mayGiveUp ? first : at + 2;
          break;
        case GIVE_UP:
          this.#giveUp();
          at++;
          break;
        case RAM_OFFSET:
          f.offset(L.RAM_BASE);
          at++;
          break;
        case IS_DIRECT:
          this.#isDirectAt(first, first === TLB_OF_CHECK ? this.#checkedBytes() : second);
          at += 3;
          break;
        case CALL:
          f.call(this.coreFunction(defined(calledFunctions[first], "a function that is called")));
          at += 2;
          break;
        case FAULT:
          this.fault();
          at++;
          break;
        case STATIC_32:
          this.#pushStatic32(first);
          at += 2;
          break;
        case STATIC_64:
          this.#pushStatic64(first);
          at += 2;
          break;
        case SET_FLAGS:
          this.flags.set(first);
          at += 2;
          break;
        case GET_FLAG_VALUE:
          f.localGet(first === 0 ? this.flags.dst : first === 1 ? this.flags.src : this.flags.aux);
          at += 2;
          break;
        case CONDITION:
          this.flags.condition(first);
          at += 2;
          break;
        case END:
          return;
        default:
          at = this.#seldom(step, at);
      }
    }
  }

  /** The steps that few recipes have; gives where the next one is. */
  #seldom(step: number, at: number): number {
    const f = this.#f;
    const first = steps[at + 1] ?? 0;
    switch (step) {
      case GET_XMM:
        this.slots.getXmm(operandOf(this.#op, first));
        return at + 2;
      case SET_XMM:
        this.floats.written(operandOf(this.#op, first));
        this.slots.setXmm(operandOf(this.#op, first));
        return at + 2;
      case JUMP_IF_CHECKED:
        return this.#sharedAccess().check.local === NO_LOCAL ? at + 2 : first;
      case NEW_CHECK: {
        const { check } = this.#sharedAccess();
        check.local = check.reserved === NO_LOCAL ? f.local("i32") : check.reserved;
        return at + 1;
      }
      case JUMP_IF_CERTAIN:
        return this.#sharedAccess().check.isCertain ? first : at + 2;
      case REACH:
        this.#reach(first);
        return at + 2;
      case CHECK_ADDRESS: {
        const { check, distance } = this.#sharedAccess();
        this.#add(check.low - distance);
        return at + 1;
      }
      case JUMP_IF_CHECK_32: {
        const { check, distance } = this.#sharedAccess();
        return check.is32 && check.low !== distance ? first : at + 2;
      }
      case CHECK_ADDRESS_32: {
        const { check, distance } = this.#sharedAccess();
        if (check.low === distance) return at + 1;
        f.i32Const(check.low - distance);
        f.op(binaryOps["i32.add"]);
        return at + 1;
      }
      case CHECK_LAST_OFFSET:
        f.i64ConstNumber(L.PAGE_SIZE - this.#checkedBytes());
        return at + 1;
      case SET_CHECK:
        f.localSet(this.#sharedAccess().check.local);
        return at + 1;
      case GET_CHECK:
        f.localGet(this.#sharedAccess().check.local);
        return at + 1;
      case CHECK_OFFSET: {
        const { check, distance } = this.#sharedAccess();
        f.offset(distance - check.low);
        return at + 1;
      }
      case STATUS:
        this.flags.status(first);
        return at + 2;
      case MIX_FLAGS:
        this.#flagsBefore = this.flags.state;
        if (this.#flagsBefore !== first) this.flags.mix();
        return at + 2;
      case IF_FLAGS:
        f.if();
        this.#flagsMixed = this.flags.state;
        // The values read the flags as they were: in the mixed state that is a call, so ask while the kind is known.
        if (this.#flagsBefore >= 0) this.flags.state = this.#flagsBefore;
        return at + 1;
      case END_IF_FLAGS:
        if (this.#flagsMixed === FLAGS_MIXED) this.flags.mix();
        f.end();
        return at + 1;
      case STATE_OFFSET:
        f.offset(this.#stateBase + first);
        return at + 2;
      case STATE_ADDRESS:
        f.i32Const(this.#stateBase + first);
        return at + 2;
      case STATIC_VECTOR:
        f.v128Const(staticVector(defined(staticExpressions[first], "a static vector"), this.#op));
        return at + 2;
      case ORDINARY: {
        const result = steps[at + 2] ?? NO_RESULT;
        const local = result === NO_RESULT ? undefined : this.#temporary(TYPES.indexOf("v128"), result);
        const { d, s } = this.#op;
        this.floats.pushOrdinary(defined(ordinaryExpressions[first], "a look at numbers"), d, s, local);
        return at + 3;
      }
      default:
        fail(`a recipe has no step ${step}`);
    }
  }

  #bits(operand: number): number {
    if (operand < DYNAMIC) return operand;
    return defined(dynamicBits[operand - DYNAMIC], "a number of bits")(this.#op);
  }

  /** Adds to the address on the stack. */
  #add(distance: number): void {
    if (distance === 0) return;
    this.#f.i64ConstNumber(distance);
    this.#f.op(binaryOps["i64.add"]);
  }
}
