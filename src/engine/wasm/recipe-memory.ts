/**
 * The recipes of accesses to guest memory: look into the TLB, then the access in place or by the core; alone and where
 * several share one check. In MODE_DIRECT, which is known when a recipe is followed, no TLB is asked: loads compare the
 * address with RAM's end, stores look whether there is code (STORABLE_PAGES).
 */
import { type Expr, type MemorySize, type Statement, type ValueType, unary } from "../ir/expr.ts";
import { binaryOps, simdOps, unaryOps } from "../ir/wasm-ops.ts";
import { PAGE_SIZE, RAM_BASE, SCRATCH, TLB_INDEX_MASK } from "../layout.ts";
import { beginAgain, slowRead, slowReadForWrite, slowWrite } from "./core-calls.ts";
import { compareExchangeOpcode, opcode, simdOpcode } from "./opcodes.ts";
import type { RecipeCode, Temporary } from "./recipe-code.ts";
import * as step from "./recipe-steps.ts";
import { steps } from "./recipe-steps.ts";

const NO_ADDRESS = -1;
const TLB_ENTRY_ADDEND = 8;
const TLB_INDEX_SHIFT = 8;
/** Where a 128-bit value is put for slowWrite128: the second half, the first may hold what was read. */
const STORE_SCRATCH = SCRATCH + 16;

export const typeOfAccess = (size: MemorySize): ValueType =>
  size === 128 ? "v128" : size === 64 ? "i64" : "i32";

type Load = Extract<Statement, { kind: "load" }>;
export const typeOfLoad = ({ size, toVector }: Load): ValueType => (toVector ? "v128" : typeOfAccess(size));

export class GuestMemoryRecipes {
  readonly #code: RecipeCode;
  /** Writes what pushes a value. */
  readonly #expression: (e: Expr) => void;

  constructor(code: RecipeCode, expression: (e: Expr) => void) {
    this.#code = code;
    this.#expression = expression;
  }

  /** What pushes an expression in several places: a recipe of its own if it is long. */
  #several(e: Expr): () => void {
    if (e.kind !== "binary" && e.kind !== "unary") return () => this.#expression(e);
    const behind = this.#code.jump(step.JUMP);
    const start = this.#code.write(() => this.#expression(e));
    this.#code.here(behind);
    return () => steps.push(step.FOLLOW, start);
  }

  /** Pops an address and keeps it in va; pushes 1 if the bytes hit the TLB, with the entry's place in `entry`. */
  #lookUp(tlb: number, sizeBytes: number | "of the check", va: Temporary, entry: Temporary): void {
    this.#code.tee(va);
    steps.push(unaryOps["i32.wrap_i64"]);
    this.#code.i32Const(TLB_INDEX_SHIFT);
    steps.push(binaryOps["i32.shr_u"]);
    this.#code.i32Const(TLB_INDEX_MASK);
    steps.push(binaryOps["i32.and"]);
    this.#code.tee(entry);
    this.#code.access(opcode.i64Load);
    steps.push(step.TLB_OFFSET, tlb, 0);
    this.#code.get(va);
    steps.push(binaryOps["i64.xor"]);
    if (sizeBytes === "of the check") steps.push(step.CHECK_LAST_OFFSET);
    else this.#code.i64Const(BigInt(PAGE_SIZE - sizeBytes));
    steps.push(binaryOps["i64.le_u"]);
  }

  #hostAddress(tlb: number, va: Temporary, entry: Temporary): void {
    this.#code.get(entry);
    this.#code.access(opcode.i32Load);
    steps.push(step.TLB_OFFSET, tlb, TLB_ENTRY_ADDEND);
    this.#code.get(va);
    steps.push(unaryOps["i32.wrap_i64"], binaryOps["i32.add"]);
  }

  /** Pushes the low 32 bits of an address. */
  #low32(address: Expr): void {
    const isWidened = address.kind === "unary" && address.op === "i64.extend_i32_u";
    this.#expression(isWidened ? address.value : unary("i32.wrap_i64", address));
  }

  /**
   * Pushes the host address of what a shared check covers, or 0. The first access makes the check; one that is certain leaves
   * the region if not all bytes lie in one page to which the access may go, so that no access needs a slow way of its own.
   */
  #sharedCheck(address: Expr, tlb: number, pushAddress: () => void, va: Temporary, entry: Temporary): void {
    const made = this.#code.jump(step.JUMP_IF_CHECKED);
    steps.push(step.NEW_CHECK);
    const direct = this.#code.jump(step.JUMP_IF_DIRECT);
    // A sum of 64 bits is none of 32.
    const narrow = address.kind === "binary" ? undefined : this.#code.jump(step.JUMP_IF_CHECK_32);
    pushAddress();
    steps.push(step.CHECK_ADDRESS);
    if (narrow !== undefined) {
      const end = this.#code.jump(step.JUMP);
      this.#code.here(narrow);
      this.#low32(address);
      steps.push(step.CHECK_ADDRESS_32, unaryOps["i64.extend_i32_u"]);
      this.#code.here(end);
    }
    this.#lookUp(step.TLB_OF_CHECK, "of the check", va, entry);
    this.#code.if("likely", "i32");
    this.#hostAddress(step.TLB_OF_CHECK, va, entry);
    const found = this.#code.jump(step.JUMP);
    this.#code.here(direct);
    this.#low32(address);
    steps.push(step.CHECK_ADDRESS_32);
    this.#code.tee(entry);
    steps.push(step.IS_DIRECT, step.TLB_OF_CHECK, 0);
    this.#code.if("likely", "i32");
    this.#code.get(entry);
    this.#code.i32Const(RAM_BASE);
    steps.push(binaryOps["i32.add"]);
    this.#code.here(found);
    steps.push(opcode.else);
    const isCertain = this.#code.jump(step.JUMP_IF_CERTAIN);
    this.#code.i32Const(0);
    const missed = this.#code.jump(step.JUMP);
    this.#code.here(isCertain);
    const directMiss = this.#code.jump(step.JUMP_IF_DIRECT);
    const over = this.#code.jump(step.JUMP_IF_TRIAL);
    pushAddress();
    steps.push(step.REACH, tlb);
    this.#code.tee(entry);
    steps.push(unaryOps["i32.eqz"]);
    this.#code.if("unlikely");
    steps.push(step.GIVE_UP, step.END_IF);
    this.#code.get(entry);
    const reached = this.#code.jump(step.JUMP);
    this.#code.here(directMiss);
    steps.push(step.GIVE_UP);
    this.#code.here(over);
    this.#code.here(reached);
    this.#code.here(missed);
    steps.push(step.END_IF, step.SET_CHECK);
    this.#code.here(made);
    steps.push(step.GET_CHECK);
  }

  /** An access, alone and where others share its check; `hit` is given the offset from the address, `miss` the linear address. */
  #accessGuest(
    { address, size }: { readonly address: Expr; readonly size: MemorySize },
    tlb: number,
    type: ValueType | undefined,
    hit: (offset: number) => void,
    miss: (pushAddress: () => void) => void,
    [va, entry]: readonly [Temporary, Temporary],
  ): void {
    const pushAddress = this.#several(address);
    const shared = this.#code.jump(step.JUMP_IF_SHARED);
    const direct = this.#code.jump(step.JUMP_IF_DIRECT);
    pushAddress();
    this.#lookUp(tlb, size / 8, va, entry);
    this.#code.if("likely", type);
    this.#hostAddress(tlb, va, entry);
    hit(0);
    steps.push(opcode.else);
    const triedLookUp = this.#code.jump(step.JUMP_IF_TRIAL);
    miss(() => this.#code.get(va));
    this.#code.here(triedLookUp);
    steps.push(step.END_IF);
    const endOfLookedUp = this.#code.jump(step.JUMP);
    this.#code.here(direct);
    this.#low32(address);
    this.#code.tee(entry);
    steps.push(step.IS_DIRECT, tlb, size / 8);
    this.#code.if("likely", type);
    this.#code.get(entry);
    hit(step.RAM_OFFSET);
    steps.push(opcode.else);
    const triedDirect = this.#code.jump(step.JUMP_IF_TRIAL);
    const givesUp = this.#code.jump(step.JUMP_IF_GIVES_UP);
    miss(() => {
      this.#code.get(entry);
      steps.push(unaryOps["i64.extend_i32_u"]);
    });
    const missed = this.#code.jump(step.JUMP);
    this.#code.here(givesUp);
    steps.push(step.GIVE_UP);
    this.#code.here(missed);
    this.#code.here(triedDirect);
    steps.push(step.END_IF);
    const endOfDirect = this.#code.jump(step.JUMP);
    this.#code.here(shared);
    this.#sharedCheck(address, tlb, pushAddress, va, entry);
    const isCertain = this.#code.jump(step.JUMP_IF_CERTAIN);
    this.#code.if("likely", type);
    steps.push(step.GET_CHECK);
    hit(step.CHECK_OFFSET);
    steps.push(opcode.else);
    const triedShared = this.#code.jump(step.JUMP_IF_TRIAL);
    miss(pushAddress);
    this.#code.here(triedShared);
    steps.push(step.END_IF);
    const endOfShared = this.#code.jump(step.JUMP);
    this.#code.here(isCertain);
    hit(step.CHECK_OFFSET);
    this.#code.here(endOfShared);
    this.#code.here(endOfLookedUp);
    this.#code.here(endOfDirect);
  }

  /** Pops 1 if the core has recorded a fault. */
  #faultIf(): void {
    this.#code.if("unlikely");
    steps.push(step.FAULT, step.END_IF);
  }

  load(statement: Load): void {
    const { size, forWrite, toVector } = statement;
    const va = this.#code.needed("i64");
    const entry = this.#code.needed("i32");
    const type = typeOfLoad(statement);
    const load = (): void => {
      if (!toVector) this.#code.load(size);
      else this.#code.v128Access(size === 64 ? simdOpcode.v128Load64Zero : simdOpcode.v128Load32Zero);
    };
    this.#accessGuest(
      statement,
      forWrite ? step.TLB_WRITE : step.TLB_READ,
      type,
      (offset) => {
        load();
        steps.push(offset);
      },
      (pushAddress) => {
        pushAddress();
        this.#code.call(forWrite ? slowReadForWrite(size) : slowRead(size));
        this.#code.tee(entry);
        this.#code.i32Const(NO_ADDRESS);
        steps.push(binaryOps["i32.eq"]);
        this.#faultIf();
        this.#code.get(entry);
        load();
        steps.push(0);
      },
      [va, entry],
    );
  }

  store(statement: Extract<Statement, { kind: "store" }>): void {
    const { size, value } = statement;
    const va = this.#code.needed("i64");
    const entry = this.#code.needed("i32");
    const isLane = value.type === "v128" && size !== 128;
    const kept = this.#code.needed(isLane ? "v128" : typeOfAccess(size));
    this.#expression(value);
    this.#code.set(kept);
    // A hit pushes its address before the value.
    this.#accessGuest(
      statement,
      step.TLB_WRITE,
      undefined,
      (offset) => {
        this.#code.get(kept);
        if (isLane)
          this.#code.v128Access(size === 64 ? simdOpcode.v128Store64Lane : simdOpcode.v128Store32Lane);
        else this.#code.store(size);
        steps.push(offset);
        if (isLane) steps.push(0);
      },
      (pushAddress) => {
        if (size === 128) {
          this.#code.i32Const(0);
          this.#code.get(kept);
          this.#code.v128Access(simdOpcode.v128Store);
          steps.push(step.STATE_OFFSET, STORE_SCRATCH);
        }
        pushAddress();
        if (size === 128) steps.push(step.STATE_ADDRESS, STORE_SCRATCH);
        else this.#code.get(kept);
        if (isLane) {
          steps.push(
            opcode.simdPrefix,
            simdOps[size === 64 ? "i64x2.extract_lane" : "i32x4.extract_lane"],
            0,
          );
        }
        this.#code.call(slowWrite(size));
        this.#faultIf();
      },
      [va, entry],
    );
  }

  compareExchange(statement: Extract<Statement, { kind: "compareExchange" }>): void {
    const { size } = statement;
    const type = size === 64 ? "i64" : "i32";
    const va = this.#code.needed("i64");
    const entry = this.#code.needed("i32");
    const expected = this.#code.needed(type);
    const value = this.#code.needed(type);
    this.#expression(statement.expected);
    this.#code.set(expected);
    this.#expression(statement.value);
    this.#code.set(value);
    const isAligned = (): void => {
      this.#code.i32Const(size / 8 - 1);
      steps.push(binaryOps["i32.and"], unaryOps["i32.eqz"], binaryOps["i32.and"]);
    };
    const exchange = (offset: number): void => {
      this.#code.get(expected);
      this.#code.get(value);
      steps.push(opcode.atomicPrefix, compareExchangeOpcode[size], Math.log2(size / 8), offset);
      this.#code.get(expected);
      steps.push(binaryOps[`${type}.ne`]);
      this.#code.if("unlikely");
      this.#code.call(beginAgain);
      steps.push(opcode.drop, step.FAULT, step.END_IF);
    };
    const over = this.#code.jump(step.JUMP);
    const byTlb = this.#code.write(() => {
      this.#expression(statement.address);
      this.#lookUp(step.TLB_WRITE, size / 8, va, entry);
      // An unaligned access that hits lies within a page, which is not enough.
      this.#code.get(va);
      steps.push(unaryOps["i32.wrap_i64"]);
      isAligned();
      this.#code.if("likely");
      this.#hostAddress(step.TLB_WRITE, va, entry);
      exchange(0);
      steps.push(opcode.else);
      this.#code.get(va);
      this.#code.get(value);
      this.#code.call(slowWrite(size));
      this.#faultIf();
      steps.push(step.END_IF);
    });
    this.#code.here(over);
    const direct = this.#code.jump(step.JUMP_IF_DIRECT);
    steps.push(step.FOLLOW, byTlb);
    const end = this.#code.jump(step.JUMP);
    this.#code.here(direct);
    this.#low32(statement.address);
    this.#code.tee(entry);
    steps.push(step.IS_DIRECT, step.TLB_WRITE, size / 8);
    // Of a store that is 0 or 1.
    this.#code.get(entry);
    isAligned();
    this.#code.if("likely");
    this.#code.get(entry);
    exchange(step.RAM_OFFSET);
    steps.push(opcode.else, step.FOLLOW, byTlb, step.END_IF);
    this.#code.here(end);
  }
}
