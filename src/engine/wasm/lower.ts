/**
 * Lowers IR ops to WebAssembly from the same expression trees from which the interpreter is printed (ir/expr.ts,
 * ir/assemblyscript.ts): register-file slots and XMM registers are locals (slots.ts), lazy flags are locals
 * (lazy-flags.ts), other state stays in the state block at addresses known now, guest memory is accessed through the
 * TLB with both arms in place (layout.ts describes an entry), helpers are calls into the core (helper-calls.ts).
 *
 * An op that faults leaves through the region's fault exit with a word that says what was dirty (region-frame.ts).
 */
import * as L from "../layout.ts";
import { type Expr, type MemorySize, type Statement, type ValueType, unary } from "../ir/expr.ts";
import { binaryOps, simdOps, unaryOps } from "../ir/wasm-ops.ts";
import {
  CORE_MODULE,
  beginAgainSignature,
  pureSignature,
  slowReadSignature,
  slowWriteSignature,
} from "./core-calls.ts";
import type { ModuleEncoder, Signature } from "./encode.ts";
import type { FunctionEncoder } from "./function.ts";
import { HelperCalls } from "./helper-calls.ts";
import {
  FLAGS_IN_MEMORY,
  FLAGS_MIXED,
  FLAG_LOCALS,
  LazyFlags,
  kindOf,
  usesAux,
  usesDst,
  usesSrc,
} from "./lazy-flags.ts";
import { LocalPool } from "./local-pool.ts";
import { factsOfOp } from "./op-facts.ts";
import { compareExchangeOpcode, opcode } from "./opcodes.ts";
import { OrdinaryFloats } from "./ordinary-floats.ts";
import {
  type RegionFrame,
  WORD_FLAGS_IN_MEMORY,
  WORD_FLAGS_MIXED,
  WORD_FLAGS_SHIFT,
  WORD_NOT_RETIRED_SHIFT,
} from "./region-frame.ts";
import { CurrentOp, type RegionOps } from "./region-ops.ts";
import { NO_LOCAL, type SharedAccess } from "./shared-checks.ts";
import { ALL_GPRS, ALL_XMMS, Slots } from "./slots.ts";
import { isStatic, pick, staticInteger, staticVector } from "./static-value.ts";

const TLB_TAG_MASK = -L.PAGE_SIZE;
const TLB_ENTRY_ADDEND = 8;
const TLB_INDEX_SHIFT = 8;
const NO_ADDRESS = -1;
/** Where a 128-bit value is put for slowWrite128: the second half, the first may hold what was read. */
const STORE_SCRATCH = L.SCRATCH + 16;

const roleField = { d: "d", s: "s", a: "a" } as const;

export class Lowering {
  readonly slots: Slots;
  readonly flags: LazyFlags;
  readonly floats: OrdinaryFloats;
  readonly #stateBase: number;
  readonly #module: ModuleEncoder;
  readonly #frame: RegionFrame;
  #f: FunctionEncoder;
  readonly #helperCalls: HelperCalls;
  readonly #op = new CurrentOp();
  readonly #pools = {
    i32: new LocalPool("i32"),
    i64: new LocalPool("i64"),
    f32: new LocalPool("f32"),
    f64: new LocalPool("f64"),
    v128: new LocalPool("v128"),
  };
  /** Locals of the current op's expressions, and how many of their low bits may be set. */
  readonly #names = new Map<string, number>();
  readonly #bits = new Map<string, number>();
  /** Offset of the current op's instruction from the base, and instructions from it to the block's end. */
  #pcOffset = 0;
  #notRetired = 0;
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
    this.floats = new OrdinaryFloats(stateBase, module, f, this);
    this.#helperCalls = new HelperCalls(stateBase, f, this.#op, this);
  }

  /** Before the first op of a region's function. */
  begin(f: FunctionEncoder, ops: RegionOps, mode: number): void {
    this.#f = f;
    this.slots.begin(f);
    this.flags.begin(f);
    this.floats.begin(f, ops);
    this.#helperCalls.begin(f);
    for (const pool of Object.values(this.#pools)) pool.forget();
    this.#names.clear();
    const user = (mode & L.MODE_USER) !== 0;
    this.#tlbRead = this.#stateBase + (user ? L.TLB_USER_READ : L.TLB_KERNEL_READ);
    this.#tlbWrite = this.#stateBase + (user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE);
  }

  pushXmm(role: "d" | "s"): void {
    this.slots.getXmm(this.#op[role]);
  }

  coreFunction(name: string, signature: Signature): number {
    return this.#module.import(`${CORE_MODULE}.${name}`, signature);
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
    for (const pool of Object.values(this.#pools)) pool.release();
    this.#names.clear();
    this.#bits.clear();
    if (facts.helper !== undefined) return this.#helperCalls.lower(facts.helper);
    const known = this.floats.behind(op.number, op.d, op.s, op.imm);
    for (const statement of facts.body) {
      // A branch's decision is its last value: it stays on the stack.
      if (facts.branch !== undefined && statement.kind === "let" && statement.name === "condition")
        this.emit(statement.value);
      else this.statement(statement);
    }
    if (facts.xmmWrites !== 0) this.floats.setKnown(op.d, known);
  }

  /** Pushes slot s of op `i` as i64: the target of an indirect branch. */
  pushIndirectTarget(ops: RegionOps, i: number): void {
    this.slots.get(ops.s[i] ?? 0, 64);
  }

  /** Leaves the region with a fault pending at the current op. */
  fault(): void {
    this.setExitWord(this.#pcOffset, this.#notRetired);
    this.#f.br(this.#frame.faultLabel);
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
    if (xmmWord === undefined) return;
    f.i32Const(dirty & ALL_XMMS);
    f.localSet(xmmWord);
  }

  // ---- Statements -------------------------------------------------------------------------------------------------
  #name(name: string, type: ValueType, bits: number): number {
    this.#bits.set(name, Math.max(bits, this.#bits.get(name) ?? 0));
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const local = this.#pools[type].borrow(this.#f);
    this.#names.set(name, local);
    return local;
  }

  /** Writes the code of a statement of the current op. */
  statement(statement: Statement): void {
    const f = this.#f;
    switch (statement.kind) {
      case "let": {
        this.emit(statement.value);
        f.localSet(this.#name(statement.name, statement.value.type, this.#bitsOf(statement.value)));
        return;
      }
      case "setReg":
        return this.#setSlot(this.#op[roleField[statement.role]], statement);
      case "setGpr":
        return this.#setSlot(8 * statement.number, statement);
      case "setXmm":
        this.emit(statement.value);
        this.floats.written(this.#op[roleField[statement.role]]);
        return this.slots.setXmm(this.#op[roleField[statement.role]]);
      case "setState":
        f.i32Const(0);
        this.emit(statement.value);
        return f.access(opcode.i32Store, this.#stateBase + statement.offset);
      case "flags":
        return this.#setFlags(statement);
      case "load":
        return this.#load(statement.name, statement.size, statement.address, statement.forWrite);
      case "store":
        return this.#store(statement.size, statement.address, statement.value);
      case "compareExchange":
        return this.#compareExchange(statement);
    }
  }

  #setSlot(slot: number, statement: Extract<Statement, { kind: "setReg" | "setGpr" }>): void {
    this.slots.beginSet(slot, statement.width);
    this.emit(statement.value);
    this.slots.set(slot, statement.width, this.#bitsOf(statement.value));
  }

  #setFlags(statement: Extract<Statement, { kind: "flags" }>): void {
    const { flags } = this;
    if (statement.when === undefined) {
      this.#pushFlagValues(statement);
      return flags.set(statement.op);
    }
    const before = flags.state;
    if (before !== statement.op) flags.mix();
    this.emit(statement.when);
    this.#f.if();
    // The values read the flags as they were: in the mixed state that is a call, so ask while the kind is known.
    const mixed = flags.state;
    if (before >= 0) flags.state = before;
    this.#pushFlagValues(statement);
    flags.set(statement.op);
    if (mixed === FLAGS_MIXED) flags.mix();
    this.#f.end();
  }

  #pushFlagValues(statement: Extract<Statement, { kind: "flags" }>): void {
    const kind = kindOf(statement.op);
    const push = (e: Expr | undefined): void => {
      if (e === undefined) this.#f.i64Const(0, 0);
      else this.emit(e);
    };
    if (usesDst(kind)) push(statement.dst);
    if (usesSrc(kind)) push(statement.src);
    if (usesAux(kind)) push(statement.aux);
  }

  // ---- Guest memory -----------------------------------------------------------------------------------------------
  /** Pops the address of so many bytes and keeps it in va; pushes 1 if they hit the TLB at `tlb`, with the entry's place in `entry`. */
  #lookUp(tlb: number, sizeBytes: number, va: number, entry: number): void {
    const f = this.#f;
    f.localTee(va);
    f.op(unaryOps["i32.wrap_i64"]);
    f.i32Const(TLB_INDEX_SHIFT);
    f.op(binaryOps["i32.shr_u"]);
    f.i32Const(L.TLB_INDEX_MASK);
    f.op(binaryOps["i32.and"]);
    f.localTee(entry);
    f.access(opcode.i64Load, tlb);
    f.localGet(va);
    if (sizeBytes > 1) {
      f.i64ConstNumber(sizeBytes - 1);
      f.op(binaryOps["i64.add"]);
    }
    f.i64ConstNumber(TLB_TAG_MASK);
    f.op(binaryOps["i64.and"]);
    f.op(binaryOps["i64.eq"]);
  }

  #pushHostAddress(tlb: number, va: number, entry: number): void {
    const f = this.#f;
    f.localGet(entry);
    f.access(opcode.i32Load, tlb + TLB_ENTRY_ADDEND);
    f.localGet(va);
    f.op(unaryOps["i32.wrap_i64"]);
    f.op(binaryOps["i32.add"]);
  }

  /** What the current op's one access shares with others (shared-checks.ts). */
  shared: SharedAccess | undefined;

  /** Pushes a value that is not 0 if the access hits. */
  #beginAccess(tlb: number, size: MemorySize, address: Expr, va: number, entry: number): void {
    const { shared } = this;
    if (shared === undefined) {
      this.emit(address);
      return this.#lookUp(tlb, size / 8, va, entry);
    }
    if (shared.check.local === NO_LOCAL) this.#makeCheck(shared, address, va, entry);
    this.#f.localGet(shared.check.local);
  }

  /** Pushes where the access hits, less the offset that it gives. */
  #pushHit(tlb: number, va: number, entry: number): number {
    const { shared } = this;
    if (shared === undefined) {
      this.#pushHostAddress(tlb, va, entry);
      return 0;
    }
    this.#f.localGet(shared.check.local);
    return shared.distance - shared.check.low;
  }

  /** Pushes the linear address where the access has missed. */
  #pushMissed(address: Expr, va: number): void {
    if (this.shared === undefined) this.#f.localGet(va);
    else this.emit(address);
  }

  /** Looks up all the bytes that a check covers, at the first access that shares it. */
  #makeCheck({ check, distance }: SharedAccess, address: Expr, va: number, entry: number): void {
    const f = this.#f;
    const tlb = check.forWrite ? this.#tlbWrite : this.#tlbRead;
    check.local = f.local("i32");
    const toLow = check.low - distance;
    if (toLow !== 0 && check.is32) {
      this.emit(address.kind === "unary" ? address.value : unary("i32.wrap_i64", address));
      f.i32Const(toLow);
      f.op(binaryOps["i32.add"]);
      f.op(unaryOps["i64.extend_i32_u"]);
    } else {
      this.emit(address);
      if (toLow !== 0) {
        f.i64ConstNumber(toLow);
        f.op(binaryOps["i64.add"]);
      }
    }
    this.#lookUp(tlb, check.high - check.low, va, entry);
    f.if("likely", "i32");
    this.#pushHostAddress(tlb, va, entry);
    f.else();
    f.i32Const(0);
    f.end();
    f.localSet(check.local);
  }

  #load(name: string, size: MemorySize, address: Expr, forWrite: boolean): void {
    const f = this.#f;
    const tlb = forWrite ? this.#tlbWrite : this.#tlbRead;
    const va = this.#pools.i64.borrow(f);
    const entry = this.#pools.i32.borrow(f);
    const type = size === 128 ? "v128" : size === 64 ? "i64" : "i32";
    const read = (offset: number): void => {
      if (size === 128) f.v128Load(offset);
      else f.access(loadOpcodes[size], offset);
    };
    this.#beginAccess(tlb, size, address, va, entry);
    f.if("likely", type);
    read(this.#pushHit(tlb, va, entry));
    f.else();
    this.#pushMissed(address, va);
    f.call(this.coreFunction(`slowRead${forWrite ? "ForWrite" : ""}${size}`, slowReadSignature));
    f.localTee(entry);
    f.i32Const(NO_ADDRESS);
    f.op(binaryOps["i32.eq"]);
    f.if("unlikely");
    this.fault();
    f.end();
    f.localGet(entry);
    read(0);
    f.end();
    f.localSet(this.#name(name, type, size));
  }

  #store(size: MemorySize, address: Expr, value: Expr): void {
    const f = this.#f;
    const tlb = this.#tlbWrite;
    const va = this.#pools.i64.borrow(f);
    const entry = this.#pools.i32.borrow(f);
    const type = size === 128 ? "v128" : size === 64 ? "i64" : "i32";
    const kept = this.#pools[type].borrow(f);
    this.emit(value);
    f.localSet(kept);
    this.#beginAccess(tlb, size, address, va, entry);
    f.if("likely");
    const offset = this.#pushHit(tlb, va, entry);
    f.localGet(kept);
    if (size === 128) f.v128Store(offset);
    else f.access(storeOpcodes[size], offset);
    f.else();
    if (size === 128) {
      f.i32Const(0);
      f.localGet(kept);
      f.v128Store(this.#stateBase + STORE_SCRATCH);
    }
    this.#pushMissed(address, va);
    if (size === 128) f.i32Const(this.#stateBase + STORE_SCRATCH);
    else f.localGet(kept);
    f.call(this.coreFunction(`slowWrite${size}`, slowWriteSignature(size)));
    f.if("unlikely");
    this.fault();
    f.end();
    f.end();
  }

  #compareExchange(statement: Extract<Statement, { kind: "compareExchange" }>): void {
    const f = this.#f;
    const { size } = statement;
    const type = size === 64 ? "i64" : "i32";
    const va = this.#pools.i64.borrow(f);
    const entry = this.#pools.i32.borrow(f);
    const expected = this.#pools[type].borrow(f);
    const value = this.#pools[type].borrow(f);
    this.emit(statement.expected);
    f.localSet(expected);
    this.emit(statement.value);
    f.localSet(value);
    this.emit(statement.address);
    this.#lookUp(this.#tlbWrite, size / 8, va, entry);
    // An unaligned access that hits lies within a page, which is not enough.
    f.localGet(va);
    f.op(unaryOps["i32.wrap_i64"]);
    f.i32Const(size / 8 - 1);
    f.op(binaryOps["i32.and"]);
    f.op(unaryOps["i32.eqz"]);
    f.op(binaryOps["i32.and"]);
    f.if("likely");
    this.#pushHostAddress(this.#tlbWrite, va, entry);
    f.localGet(expected);
    f.localGet(value);
    f.atomic(compareExchangeOpcode[size], Math.log2(size / 8));
    f.localGet(expected);
    f.op(binaryOps[`${type}.ne`]);
    f.if("unlikely");
    f.call(this.coreFunction("beginAgain", beginAgainSignature));
    f.op(opcode.drop);
    this.fault();
    f.end();
    f.else();
    f.localGet(va);
    f.localGet(value);
    f.call(this.coreFunction(`slowWrite${size}`, slowWriteSignature(size)));
    f.if("unlikely");
    this.fault();
    f.end();
    f.end();
  }

  // ---- Expressions ------------------------------------------------------------------------------------------------
  #localNamed(name: string): number {
    if (name === FLAG_LOCALS.dst) return this.flags.dst;
    if (name === FLAG_LOCALS.src) return this.flags.src;
    if (name === FLAG_LOCALS.aux) return this.flags.aux;
    const local = this.#names.get(name);
    if (local === undefined) throw new Error(`local ${name} is read before it is set`);
    return local;
  }

  /** Pushes the value of an expression. */
  emit(e: Expr): void {
    const f = this.#f;
    if (isStatic(e)) return this.#emitStatic(e);
    switch (e.kind) {
      case "reg":
        return this.slots.get(this.#op[roleField[e.role]], e.width);
      case "gpr":
        return this.slots.get(8 * e.number, e.width);
      case "xmm":
        return this.slots.getXmm(this.#op[roleField[e.role]]);
      case "local":
        return f.localGet(this.#localNamed(e.name));
      case "unary":
        this.emit(e.value);
        return f.op(unaryOps[e.op]);
      case "binary":
        return this.#emitBinary(e);
      case "select":
        if (isStatic(e.condition)) return this.emit(pick(e, this.#op));
        this.emit(e.then);
        this.emit(e.else);
        this.emit(e.condition);
        return f.select(e.type);
      case "simd":
        for (const argument of e.args) this.emit(argument);
        f.simd(simdOps[e.op]);
        for (const lane of e.lanes ?? []) f.lane(lane);
        return;
      case "ordinary":
        return this.floats.pushOrdinary(e, this.#op.d, this.#op.s);
      case "condition":
        return this.flags.condition(e.code);
      case "statusFlags":
        return this.flags.status(STATUS_MASK_ALL);
      case "state":
        f.i32Const(0);
        return f.access(opcode.i32Load, this.#stateBase + e.offset);
      case "pure":
        for (const argument of e.args) this.emit(argument);
        return f.call(this.coreFunction(e.name, pureSignature));
      default:
        throw new Error(`${e.kind} is static`);
    }
  }

  #emitStatic(e: Expr): void {
    if (e.type === "v128") return this.#f.v128Const(staticVector(e, this.#op));
    const value = staticInteger(e, this.#op);
    if (e.type === "i64") this.#f.i64ConstBig(value);
    else this.#f.i32Const(Number(value));
  }

  #emitBinary(e: Extract<Expr, { kind: "binary" }>): void {
    const f = this.#f;
    if (isStatic(e.right)) {
      const right = staticInteger(e.right, this.#op);
      if (e.op === "i32.and" && e.left.kind === "statusFlags") return this.flags.status(Number(right));
      // Displacements and scales are often 0.
      if (right === 0n && neutralZero.has(e.op)) return this.emit(e.left);
      if (right === 0n && e.op.endsWith(".and")) {
        if (e.type === "i64") return f.i64Const(0, 0);
        return f.i32Const(0);
      }
    }
    if ((e.op === "i64.add" || e.op === "i32.add") && this.#isZeroSlot(e.left)) return this.emit(e.right);
    this.emit(e.left);
    this.emit(e.right);
    f.op(binaryOps[e.op]);
  }

  #isZeroSlot(e: Expr): boolean {
    return e.kind === "reg" && this.#op[roleField[e.role]] === L.SLOT_ZERO;
  }

  /** How many low bits of an expression may be set: to leave out masks. */
  #bitsOf(e: Expr): number {
    const all = e.type === "i64" ? 64 : 32;
    if (isStatic(e) && e.type !== "v128") {
      const value = staticInteger(e, this.#op);
      return value < 0n ? all : value.toString(2).length;
    }
    switch (e.kind) {
      case "reg":
      case "gpr":
        return e.width;
      case "local":
        return this.#bits.get(e.name) ?? all;
      case "condition":
        return 1;
      case "select":
        return Math.max(this.#bitsOf(e.then), this.#bitsOf(e.else));
      case "binary":
        if (e.op === "i32.and" || e.op === "i64.and")
          return Math.min(this.#bitsOf(e.left), this.#bitsOf(e.right));
        if (e.op === "i32.or" || e.op === "i32.xor")
          return Math.max(this.#bitsOf(e.left), this.#bitsOf(e.right));
        return COMPARISON.test(e.op) ? 1 : all;
      case "unary":
        return e.op.endsWith(".eqz") ? 1 : all;
      default:
        return all;
    }
  }
}

const STATUS_MASK_ALL = 0x8d5;
const neutralZero = new Set<string>([
  "i32.add",
  "i64.add",
  "i32.sub",
  "i64.sub",
  "i32.shl",
  "i64.shl",
  "i32.or",
  "i64.or",
]);

const COMPARISON = /\.(eq|ne|lt_s|lt_u|gt_s|gt_u|le_s|le_u|ge_s|ge_u)$/;

const loadOpcodes = {
  8: opcode.i32Load8U,
  16: opcode.i32Load16U,
  32: opcode.i32Load,
  64: opcode.i64Load,
} as const;
const storeOpcodes = {
  8: opcode.i32Store8,
  16: opcode.i32Store16,
  32: opcode.i32Store,
  64: opcode.i64Store,
} as const;
