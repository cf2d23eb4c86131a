/**
 * Prints what the IR is made of as AssemblyScript: expressions, statements and the lazy-flag functions. The interpreter
 * is put together from them in print-interpreter.ts. The text is compiled with the rest of core/ and never edited;
 * build.ts leaves a copy in build/ for readers.
 *
 * Around a statement, `ip` is the address of the op, or of the first one of a sequence. `break` means that a fault is
 * pending at the op that is `ip` then.
 */
import type { Expr, MemorySize, Role, Statement, Width } from "./expr.ts";
import { conditionOf, flag, flagKinds, type FlagInputs, type FlagKind } from "./flags.ts";
import * as x from "./expr.ts";
import type { OpRow } from "./op.ts";

/** Where an op's one-byte operands are. */
const operandOffset = { d: 2, s: 3, a: 8 } as const;

/** An op whose meaning is printed, and where it is: so many bytes behind `ip`. */
export interface PrintedOp {
  readonly row: OpRow;
  readonly at: number;
}

const operand = (role: Role, at: number): string => `<u32>load<u8>(ip, ${at + operandOffset[role]})`;

/** The op has a fault pending; it is `ip` then. */
const fault = ({ at }: PrintedOp): string => (at === 0 ? "break;" : `{ ip += ${at}; break; }`);

/** Names of the operands that a case reads once, before its body: see withSlots(). What they name is at S + operand. */
export const slotName = (role: Role): string => `slot_${role}`;
const xmmName = (role: Role): string => `xmm_${role}`;

/** A body behind the operands that it uses. */
export function withSlots(body: string, at = 0): string {
  const roles = ["d", "s", "a"] as const;
  const slots = roles
    .filter((role) => body.includes(slotName(role)))
    .map((role) => `const ${slotName(role)}: u32 = ${operand(role, at)};`);
  const vectors = roles
    .filter((role) => body.includes(xmmName(role)))
    .map((role) => `const ${xmmName(role)}: u32 = ${operand(role, at)} * L.XMM_STRIDE;`);
  return [...slots, ...vectors, body].join(" ");
}

function isLong({ row }: PrintedOp): boolean {
  return row.format === "long";
}

const infix: Readonly<Record<string, string>> = {
  add: "+",
  sub: "-",
  mul: "*",
  and: "&",
  or: "|",
  xor: "^",
  shl: "<<",
  shr_s: ">>",
  shr_u: ">>>",
};
const comparison: Readonly<Record<string, string>> = {
  eq: "==",
  ne: "!=",
  lt_s: "<",
  lt_u: "<",
  gt_s: ">",
  gt_u: ">",
  le_s: "<=",
  le_u: "<=",
  ge_s: ">=",
  ge_u: ">=",
};

export function printExpr(e: Expr, op: PrintedOp): string {
  const p = (inner: Expr): string => printExpr(inner, op);
  switch (e.kind) {
    case "const":
      return e.type === "i64"
        ? `<i64>${e.value < 0n ? `(${e.value})` : e.value}`
        : `<i32>${e.value < 0n ? `(${e.value})` : e.value}`;
    case "reg":
      return printRead(`${slotName(e.role)}, S`, e.width);
    case "gpr":
      return printRead(`S, ${e.number * 8}`, e.width);
    case "xmm":
      return `v128.load(${xmmName(e.role)}, S + L.XMM)`;
    case "imm": {
      const at = op.at + (isLong(op) ? 12 : 4);
      // One load: V8 would do the load of a sign extension a second time.
      return e.type === "i64" ? `<i64>load<i32>(ip, ${at})` : `<i32>load<u32>(ip, ${at})`;
    }
    case "ordinary":
      throw new Error("quick forms are not interpreted");
    case "imm64":
      return `load<i64>(ip, ${op.at + 8})`;
    case "scale":
      return `<i32>load<u8>(ip, ${op.at + 9})`;
    case "local":
      return `v_${e.name}`;
    case "unary":
      return printUnary(e.op, p(e.value));
    case "binary":
      return printBinary(e.op, p(e.left), p(e.right));
    case "select":
      return `select<${e.type}>(${p(e.then)}, ${p(e.else)}, <bool>(${p(e.condition)}))`;
    case "simd":
      return printSimd(e.op, e.args.map(p), e.lanes);
    case "condition":
      return `<i32>condition${e.code}()`;
    case "statusFlags":
      return "<i32>computeFlags()";
    case "state":
      return `<i32>load<u32>(S, ${e.offset})`;
    case "pure":
      return `${e.name}(${e.args.map(p).join(", ")})`;
  }
}

function printRead(address: string, width: Width): string {
  if (width === 64) return `load<i64>(${address})`;
  // load<i32> here would be a trap: binaryen merges a zero extension into it and keeps the load's own signedness.
  return `<i32>load<u${width}>(${address})`;
}

function printUnary(op: string, value: string): string {
  switch (op) {
    case "i32.eqz":
    case "i64.eqz":
      return `<i32>(${value} == 0)`;
    case "i32.wrap_i64":
      return `<i32>(${value})`;
    case "i64.extend_i32_s":
      return `<i64>(${value})`;
    case "i64.extend_i32_u":
      return `<i64><u64><u32>(${value})`;
    case "i32.extend8_s":
      return `<i32><i8>(${value})`;
    case "i32.extend16_s":
      return `<i32><i16>(${value})`;
    case "i64.extend8_s":
      return `<i64><i8>(${value})`;
    case "i64.extend16_s":
      return `<i64><i16>(${value})`;
    case "i64.extend32_s":
      return `<i64><i32>(${value})`;
    default: {
      const [type, name] = op.split(".");
      return `${name}<${type}>(${value})`;
    }
  }
}

function printBinary(op: string, left: string, right: string): string {
  const [type, name = ""] = op.split(".");
  const operator = infix[name];
  if (operator !== undefined) return `(${left} ${operator} ${right})`;
  const compare = comparison[name];
  if (compare !== undefined) {
    const cast = name.endsWith("_u") ? `<${type === "i64" ? "u64" : "u32"}>` : "";
    return `<i32>(${cast}(${left}) ${compare} ${cast}(${right}))`;
  }
  return `${name}<${type}>(${left}, ${right})`;
}

function printSimd(op: string, args: readonly string[], lanes: readonly number[] | undefined): string {
  const [shape, name = ""] = op.split(".");
  const laneText = (lanes ?? []).join(", ");
  if (op === "i8x16.shuffle") return `i8x16.shuffle(${args.join(", ")}, ${laneText})`;
  if (op === "v128.any_true") return `<i32>v128.any_true(${args.join(", ")})`;
  if (name.startsWith("extract_lane"))
    return `<${shape === "i64x2" ? "i64" : "i32"}>${op}(${args.join(", ")}, ${laneText})`;
  if (name === "replace_lane") {
    const cast = shape === "i8x16" ? "<i8>" : shape === "i16x8" ? "<i16>" : "";
    return `${op}(${args[0]}, ${laneText}, ${cast}(${args[1]}))`;
  }
  if (name === "splat")
    return `${op}(${shape === "i8x16" ? "<i8>" : shape === "i16x8" ? "<i16>" : ""}(${args[0]}))`;
  return `${op}(${args.join(", ")})`;
}

const typeName = { i32: "i32", i64: "i64", f32: "f32", f64: "f64", v128: "v128" } as const;

function printWrite(base: string, offset: number | string, width: Width, value: string): string {
  if (width === 64) return `store<i64>(${base}, ${value}, ${offset});`;
  if (width === 32) return `store<u64>(${base}, <u64><u32>(${value}), ${offset});`;
  return `store<u${width}>(${base}, <u${width}>(${value}), ${offset});`;
}

/** `e` is the TLB entry of the access at `va`, as an offset from that of the read TLB; see layout.ts for its form. */
export const tlbEntry = "const e: u32 = tlb + ((<u32>va >>> 8) & L.TLB_INDEX_MASK);";
/** Where the entries of reads and of writes lie: the write TLB is the one behind the read TLB. */
const tlbOf = (forWrite: boolean): string => (forWrite ? "S + L.TLB_SIZE" : "S");
export const tlbHits = (forWrite: boolean, bytes: number): string =>
  `(load<u64>(e, ${tlbOf(forWrite)}) ^ va) <= <u64>(L.PAGE_SIZE - ${bytes})`;
export const tlbAddress = (forWrite: boolean): string => `load<u32>(e, ${tlbOf(forWrite)} + 8) + <u32>va`;

/** The two-arm TLB access. */
function printLoad(
  name: string,
  size: MemorySize,
  address: string,
  forWrite: boolean,
  toVector: boolean,
  onFault: string,
): string {
  const bytes = size / 8;
  const slow = `slowRead${forWrite ? "ForWrite" : ""}${size}`;
  const type = size === 128 || toVector ? "v128" : size === 64 ? "i64" : "i32";
  const read = toVector
    ? `v128.load${size}_zero(p)`
    : size === 128
      ? "v128.load(p)"
      : size === 64
        ? "load<i64>(p)"
        : size === 32
          ? "<i32>load<u32>(p)"
          : `<i32>load<u${size}>(p)`;
  return [
    `const va: u64 = <u64>(${address});`,
    tlbEntry,
    "let p: u32;",
    `if (${tlbHits(forWrite, bytes)}) p = ${tlbAddress(forWrite)};`,
    `else { p = ${slow}(va); if (p == 0xffffffff) ${onFault} }`,
    `const v_${name}: ${type} = ${read};`,
  ].join(" ");
}

function printStore(size: MemorySize, address: string, value: string, onFault: string): string {
  const bytes = size / 8;
  const fast =
    size === 128
      ? `v128.store(${tlbAddress(true)}, v);`
      : `store<${size === 64 ? "i64" : `i${size}`}>(${tlbAddress(true)}, ${size < 32 ? `<i${size}>v` : "v"});`;
  const slow =
    size === 128
      ? "slowWrite128(va, spill128(v))"
      : size === 64
        ? "slowWrite64(va, <u64>v)"
        : `slowWrite${size}(va, <u32>v)`;
  // In a block of its own: MOVS loads before it.
  return [
    `{ const va: u64 = <u64>(${address});`,
    `const v: ${size === 128 ? "v128" : size === 64 ? "i64" : "i32"} = ${value};`,
    tlbEntry,
    `if (${tlbHits(true, bytes)}) { ${fast} }`,
    `else if (${slow}) ${onFault} }`,
  ].join(" ");
}

/** See the statement's description in expr.ts. */
function printCompareExchange(
  size: Width,
  address: string,
  expected: string,
  value: string,
  onFault: string,
): string {
  const bytes = size / 8;
  const type = `u${size}`;
  const aligned = bytes === 1 ? "" : ` && (<u32>va & ${bytes - 1}) == 0`;
  return [
    `const va: u64 = <u64>(${address});`,
    `const x: ${type} = <${type}>(${expected});`,
    `const v: ${type} = <${type}>(${value});`,
    tlbEntry,
    `if (${tlbHits(true, 1)}${aligned}) {`,
    `if (atomic.cmpxchg<${type}>(${tlbAddress(true)}, x, v) != x) { beginAgain(); ${onFault} } }`,
    `else if (slowWrite${size}(va, v)) ${onFault}`,
  ].join(" ");
}

export function printStatement(statement: Statement, op: PrintedOp, declared: Set<string>): string {
  const p = (e: Expr): string => printExpr(e, op);
  switch (statement.kind) {
    case "let": {
      const again = declared.has(statement.name);
      declared.add(statement.name);
      return `${again ? "" : "let "}v_${statement.name}${again ? "" : `: ${typeName[statement.value.type]}`} = ${p(statement.value)};`;
    }
    case "setReg":
      return printWrite(slotName(statement.role), "S", statement.width, p(statement.value));
    case "setGpr":
      return printWrite("S", statement.number * 8, statement.width, p(statement.value));
    case "setXmm":
      return `v128.store(${xmmName(statement.role)}, ${p(statement.value)}, S + L.XMM);`;
    case "setState":
      return `store<i32>(S, ${p(statement.value)}, ${statement.offset});`;
    case "flags": {
      // Every value is computed before the first is stored: rotates and bit tests derive theirs from the old flags.
      const values = [
        ["DST", statement.dst],
        ["SRC", statement.src],
        ["AUX", statement.aux],
      ] as const;
      const given = values.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
      const text = [
        ...given.map(({ name, value }) => `const cc${name}: i64 = ${p(value)};`),
        ...given.map(({ name }) => `store<i64>(S, cc${name}, L.CC_${name});`),
        `store<u32>(S, ${statement.op}, L.CC_OP);`,
      ].join(" ");
      return statement.when === undefined ? `{ ${text} }` : `if (${p(statement.when)}) { ${text} }`;
    }
    case "load":
      return printLoad(
        statement.name,
        statement.size,
        p(statement.address),
        statement.forWrite,
        statement.toVector,
        fault(op),
      );
    case "store":
      return printStore(
        statement.size,
        p(statement.address),
        statement.value.type === "v128" && statement.size !== 128
          ? `v128.extract_lane<i${statement.size}>(${p(statement.value)}, 0)`
          : p(statement.value),
        fault(op),
      );
    case "compareExchange":
      return printCompareExchange(
        statement.size,
        p(statement.address),
        p(statement.expected),
        p(statement.value),
        fault(op),
      );
  }
}

export function printFlagFunctions(): string {
  const inputs: FlagInputs = {
    dst: x.local("dst", "i64"),
    src: x.local("src", "i64"),
    aux: x.local("aux", "i64"),
    shift: x.local("shift", "i64"),
  };
  const kinds = Object.keys(flagKinds).filter((k): k is FlagKind => k in flagKinds);
  const noOp: PrintedOp = {
    row: { name: "flags", format: "short", meaning: { kind: "inline", body: [] } },
    at: 0,
  };
  const head = [
    "  const op = load<u32>(S + L.CC_OP);",
    "  const v_dst = load<i64>(S + L.CC_DST), v_src = load<i64>(S + L.CC_SRC), v_aux = load<i64>(S + L.CC_AUX);",
    "  const v_shift: i64 = 64 - (8 << <i64>(op & 3));",
    "  switch (op >>> 2) {",
  ].join("\n");
  const cases = (text: (kind: FlagKind) => string): string =>
    kinds
      .map((kind) => `    ${kind === "mul" ? "default" : `case ${flagKinds[kind]}`}: ${text(kind)}`)
      .join("\n");
  const conditions = Array.from({ length: 8 }, (_, half) => {
    const code = half * 2;
    return [
      `export function condition${code}(): bool {`,
      head,
      cases((kind) => `return <bool>(${printExpr(conditionOf(code, kind, inputs), noOp)});`),
      "  }\n}",
      `export function condition${code + 1}(): bool { return !condition${code}(); }`,
    ].join("\n");
  });
  const bits = (kind: FlagKind): string => {
    if (kind === "flags") return "return <u32>v_src & 0x8d5;";
    const bit = (name: "cf" | "pf" | "af" | "zf" | "sf" | "of", shift: number): string =>
      `((${printExpr(flag(name, kind, inputs), noOp)}) << ${shift})`;
    return `return <u32>(${[bit("cf", 0), bit("pf", 2), bit("af", 4), bit("zf", 6), bit("sf", 7), bit("of", 11)].join(" | ")});`;
  };
  return [
    "// Printed from ir/flags.ts.",
    'import * as L from "../layout";',
    'import { S } from "./state";',
    ...conditions,
    "/** CF PF AF ZF SF OF in EFLAGS positions. */",
    "export function computeFlags(): u32 {",
    head,
    cases(bits),
    "  }\n}",
    "/** Sets all six status flags. */",
    "export function setFlags(bits: u32): void {",
    "  store<u32>(S + L.CC_OP, 0); store<u64>(S + L.CC_SRC, <u64>(bits & 0x8d5));",
    "}",
  ].join("\n");
}
