/**
 * The language in which the meaning of an IR op is written: small typed expression trees over the register file,
 * immediates, lazy flags and guest memory. Two printers read them: assemblyscript.ts makes the interpreter's case
 * from a tree, wasm/lower.ts the code of a compiled region. There is no third description of an op.
 *
 * Values are i32, i64, v128, f32 or f64 as in WebAssembly; operator names are WebAssembly's mnemonics. Floating-point
 * operators stand only in the quick forms of helpers: what MXCSR asks for is the helpers' to know.
 */
import type { BinaryOp, UnaryOp, SimdOp } from "./wasm-ops.ts";

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";
export type Width = 8 | 16 | 32 | 64;
/** An operand field of an encoded op; `d` and `s` are in every op, `a` only in long ones. */
export type Role = "d" | "s" | "a";

export type Expr =
  | { readonly kind: "const"; readonly type: "i32" | "i64"; readonly value: bigint }
  /** Register-file slot named by an operand, zero-extended: i32 for widths up to 32, i64 for 64. */
  | { readonly kind: "reg"; readonly type: "i32" | "i64"; readonly role: Role; readonly width: Width }
  /** A fixed general register (its number 0–15). */
  | { readonly kind: "gpr"; readonly type: "i32" | "i64"; readonly number: number; readonly width: Width }
  | { readonly kind: "xmm"; readonly type: "v128"; readonly role: Role }
  /** The 32-bit immediate; as i64 it is sign-extended. */
  | { readonly kind: "imm"; readonly type: "i32" | "i64" }
  /** The 64-bit immediate of a long op. */
  | { readonly kind: "imm64"; readonly type: "i64" }
  /** The scale field of a long op, 0–3. */
  | { readonly kind: "scale"; readonly type: "i32" }
  | { readonly kind: "local"; readonly type: ValueType; readonly name: string }
  | { readonly kind: "unary"; readonly type: ValueType; readonly op: UnaryOp; readonly value: Expr }
  | {
      readonly kind: "binary";
      readonly type: ValueType;
      readonly op: BinaryOp;
      readonly left: Expr;
      readonly right: Expr;
    }
  | {
      readonly kind: "select";
      readonly type: ValueType;
      readonly condition: Expr;
      readonly then: Expr;
      readonly else: Expr;
    }
  | {
      readonly kind: "simd";
      readonly type: ValueType;
      readonly op: SimdOp;
      readonly args: readonly Expr[];
      readonly lanes?: readonly number[];
    }
  /** 1 if the x86 condition code (0–15) holds for the current flags, else 0. */
  | { readonly kind: "condition"; readonly type: "i32"; readonly code: number }
  /** The six status flags in EFLAGS positions. */
  | { readonly kind: "statusFlags"; readonly type: "i32" }
  /**
   * 1 if MXCSR is as programs leave it, these lanes of the XMM operands are zero or normal and those of the result
   * normal, or zero where `zeros` says that it is exact: only PE could be raised, which is set already. Only in quick
   * forms (wasm/ordinary-floats.ts).
   */
  | {
      readonly kind: "ordinary";
      readonly type: "i32";
      readonly lanes: FloatLanes;
      readonly operands: readonly ("d" | "s")[];
      readonly result: Expr | undefined;
      readonly zeros: ZeroRule;
    }
  /** A u32 field of the state block by offset. */
  | { readonly kind: "state"; readonly type: "i32"; readonly offset: number }
  /** A side-effect free function exported by the core. */
  | {
      readonly kind: "pure";
      readonly type: ValueType;
      readonly name: PureFunction;
      readonly args: readonly Expr[];
    };

/** Core functions (core/arithmetic.ts) of two i64 that expressions may call, with their result types. */
export const pureFunctions = {
  depositBits: "i64",
  extractBits: "i64",
} as const;
export type PureFunction = keyof typeof pureFunctions;

/** The floating-point lanes of an XMM register that an instruction works on: all, or the lowest, as in its name. */
export type FloatLanes = "ss" | "sd" | "ps" | "pd";
export type FloatFormat = "f32" | "f64";
export const formatOf = (lanes: FloatLanes): FloatFormat => (lanes.endsWith("s") ? "f32" : "f64");

/** Which zero is exact: all, that of a product with a zero factor, of a zero dividend (d), of the root of a zero (s). */
export type ZeroRule = "sum" | "product" | "quotient" | "root";

export type MemorySize = 8 | 16 | 32 | 64 | 128;

export type Statement =
  | { readonly kind: "let"; readonly name: string; readonly value: Expr }
  /** Writes a slot: 8 and 16 bits leave the rest as it is, 32 bits clear the upper half. */
  | { readonly kind: "setReg"; readonly role: Role; readonly width: Width; readonly value: Expr }
  | { readonly kind: "setGpr"; readonly number: number; readonly width: Width; readonly value: Expr }
  | { readonly kind: "setXmm"; readonly role: Role; readonly value: Expr }
  | { readonly kind: "setState"; readonly offset: number; readonly value: Expr }
  /** Sets the lazy flags (flags.ts gives each kind's meaning of dst, src and aux); with `when`, only if it is not 0. */
  | {
      readonly kind: "flags";
      readonly op: number;
      readonly dst: Expr;
      readonly src: Expr | undefined;
      readonly aux: Expr | undefined;
      readonly when: Expr | undefined;
    }
  /**
   * Guest memory to a local: i32 for 8–32 bits, i64 for 64, v128; may fault. `forWrite` checks as a store would;
   * `toVector` makes 32 or 64 bits a v128 with zeros above them.
   */
  | {
      readonly kind: "load";
      readonly name: string;
      readonly size: MemorySize;
      readonly address: Expr;
      readonly forWrite: boolean;
      readonly toVector: boolean;
    }
  /** A value to guest memory, of a v128 the lowest lane if the size is less; may fault. */
  | { readonly kind: "store"; readonly size: MemorySize; readonly address: Expr; readonly value: Expr }
  /**
   * The second half of a locked read-modify-write, behind a load for write: stores the value, in one step that other
   * processors see whole, if memory still holds what is expected; else the instruction begins again, as after a fault.
   * Where memory has no such step (across an alignment boundary, devices) it is a plain store.
   */
  | {
      readonly kind: "compareExchange";
      readonly size: Width;
      readonly address: Expr;
      readonly expected: Expr;
      readonly value: Expr;
    };

// ---- Constructors ---------------------------------------------------------------------------------------------
export const i32 = (value: number): Expr => ({ kind: "const", type: "i32", value: BigInt(value) });
export const i64 = (value: number | bigint): Expr => ({ kind: "const", type: "i64", value: BigInt(value) });
export const reg = (role: Role, width: Width): Expr => ({
  kind: "reg",
  type: width === 64 ? "i64" : "i32",
  role,
  width,
});
export const gpr = (number: number, width: Width): Expr => ({
  kind: "gpr",
  type: width === 64 ? "i64" : "i32",
  number,
  width,
});
export const xmm = (role: Role): Expr => ({ kind: "xmm", type: "v128", role });
export const imm32: Expr = { kind: "imm", type: "i32" };
export const immSigned64: Expr = { kind: "imm", type: "i64" };
export const imm64: Expr = { kind: "imm64", type: "i64" };
export const scale: Expr = { kind: "scale", type: "i32" };
export const local = (name: string, type: ValueType): Expr => ({ kind: "local", type, name });
export const condition = (code: number): Expr => ({ kind: "condition", type: "i32", code });
export const statusFlags: Expr = { kind: "statusFlags", type: "i32" };
export const state = (offset: number): Expr => ({ kind: "state", type: "i32", offset });
export const pure = (name: PureFunction, ...args: Expr[]): Expr => ({
  kind: "pure",
  type: pureFunctions[name],
  name,
  args,
});
export const select = (condition: Expr, then: Expr, otherwise: Expr): Expr => ({
  kind: "select",
  type: then.type,
  condition,
  then,
  else: otherwise,
});
export const unary = (op: UnaryOp, value: Expr): Expr => ({
  kind: "unary",
  type: unaryResult(op),
  op,
  value,
});
export const binary = (op: BinaryOp, left: Expr, right: Expr): Expr => ({
  kind: "binary",
  type: binaryResult(op),
  op,
  left,
  right,
});
export const simd = (op: SimdOp, type: ValueType, args: readonly Expr[], lanes?: readonly number[]): Expr =>
  lanes === undefined ? { kind: "simd", type, op, args } : { kind: "simd", type, op, args, lanes };

export const ordinary = (
  lanes: FloatLanes,
  operands: readonly ("d" | "s")[],
  result?: Expr,
  zeros: ZeroRule = "sum",
): Expr => ({
  kind: "ordinary",
  type: "i32",
  lanes,
  operands,
  result,
  zeros,
});

function unaryResult(op: UnaryOp): ValueType {
  if (op.startsWith("f32")) return "f32";
  if (op.startsWith("f64")) return "f64";
  return op.startsWith("i64") && op !== "i64.eqz" ? "i64" : "i32";
}

const COMPARISON = /\.(eq|ne|lt|lt_s|lt_u|gt_s|gt_u|le_s|le_u|ge_s|ge_u)$/;

function binaryResult(op: BinaryOp): ValueType {
  if (COMPARISON.test(op)) return "i32";
  if (op.startsWith("f32")) return "f32";
  if (op.startsWith("f64")) return "f64";
  return op.startsWith("i64") ? "i64" : "i32";
}

export const letLocal = (name: string, value: Expr): Statement => ({ kind: "let", name, value });
export const setReg = (role: Role, width: Width, value: Expr): Statement => ({
  kind: "setReg",
  role,
  width,
  value,
});
export const setGpr = (number: number, width: Width, value: Expr): Statement => ({
  kind: "setGpr",
  number,
  width,
  value,
});
export const setXmm = (role: Role, value: Expr): Statement => ({ kind: "setXmm", role, value });
export const setState = (offset: number, value: Expr): Statement => ({ kind: "setState", offset, value });
export const load = (name: string, size: MemorySize, address: Expr, forWrite = false): Statement => ({
  kind: "load",
  name,
  size,
  address,
  forWrite,
  toVector: false,
});
export const loadToVector = (name: string, size: 32 | 64, address: Expr): Statement => ({
  kind: "load",
  name,
  size,
  address,
  forWrite: false,
  toVector: true,
});
export const store = (size: MemorySize, address: Expr, value: Expr): Statement => ({
  kind: "store",
  size,
  address,
  value,
});
export const compareExchange = (size: Width, address: Expr, expected: Expr, value: Expr): Statement => ({
  kind: "compareExchange",
  size,
  address,
  expected,
  value,
});
export const setFlags = (op: number, dst: Expr, src?: Expr, aux?: Expr, when?: Expr): Statement => ({
  kind: "flags",
  op,
  dst,
  src,
  aux,
  when,
});

/** Arithmetic in one integer type, chosen by operand width: i32 for 8, 16 and 32 bits, i64 for 64. */
export interface Arithmetic {
  readonly type: "i32" | "i64";
  constant(value: number | bigint): Expr;
  op(name: IntegerOp, left: Expr, right: Expr): Expr;
}

type IntegerOp = BinaryOp extends infer B ? (B extends `i32.${infer N}` ? N : never) : never;

const arithmetic32: Arithmetic = {
  type: "i32",
  constant: (value) => i32(Number(value)),
  op: (name, left, right) => binary(`i32.${name}`, left, right),
};
const arithmetic64: Arithmetic = {
  type: "i64",
  constant: i64,
  op: (name, left, right) => binary(`i64.${name}`, left, right),
};
export const arithmetic = (width: Width): Arithmetic => (width === 64 ? arithmetic64 : arithmetic32);

/** The low `width` bits of a value of that width's type, zero-extended within the type. */
export function truncate(width: Width, value: Expr): Expr {
  if (width === 8) return binary("i32.and", value, i32(0xff));
  if (width === 16) return binary("i32.and", value, i32(0xffff));
  return value;
}

/** A value of a width's type sign-extended from that width within the type. */
export function signExtend(width: Width, value: Expr): Expr {
  if (width === 8) return unary("i32.extend8_s", value);
  if (width === 16) return unary("i32.extend16_s", value);
  return value;
}

/** A width's value as i64, zero-extended. */
export const widen = (value: Expr): Expr => (value.type === "i64" ? value : unary("i64.extend_i32_u", value));
