/**
 * Prints the IR's op table as AssemblyScript: the interpreter's switch and the lazy-flag functions. The text is
 * compiled with the rest of core/ and never edited; build.ts leaves a copy in build/ for readers.
 *
 * In a case, `w` is the op's first word, `ip` its address and `blk` the block's. A case ends with `continue` (next
 * op), `return` (to the dispatcher) or `break`, which means that a fault is pending at this op.
 */
import type { Expr, MemorySize, Statement, Width } from "./expr.ts";
import { helperRows } from "./helpers.ts";
import { conditionOf, FLAG_KIND_COUNT, flag, flagKinds, type FlagInputs, type FlagKind } from "./flags.ts";
import * as x from "./expr.ts";
import { opFormatWords, type Branch, type OpRow } from "./op.ts";
import { inlineOpCount, opNumber, ops } from "./ops.ts";
import { simdOpRows } from "./ops-simd.ts";

const slotShift = { d: 16, s: 24 } as const;

function slotAddress(role: "d" | "s" | "a"): string {
  if (role === "a") return "(S + <u32>load<u8>(ip, 8))";
  return `(S + ((<u32>(w >> ${slotShift[role]})) & 0xff))`;
}

function xmmAddress(role: "d" | "s" | "a"): string {
  const index = role === "a" ? "<u32>load<u8>(ip, 8)" : `((<u32>(w >> ${slotShift[role]})) & 0xff)`;
  return `(S + L.XMM + ${index} * L.XMM_STRIDE)`;
}

function isLong(row: OpRow): boolean {
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

export function printExpr(e: Expr, row: OpRow): string {
  const p = (inner: Expr): string => printExpr(inner, row);
  switch (e.kind) {
    case "const":
      return e.type === "i64"
        ? `<i64>${e.value < 0n ? `(${e.value})` : e.value}`
        : `<i32>${e.value < 0n ? `(${e.value})` : e.value}`;
    case "reg":
      return printRead(slotAddress(e.role), e.width);
    case "gpr":
      return printRead(`(S + ${e.number * 8})`, e.width);
    case "xmm":
      return `v128.load(${xmmAddress(e.role)})`;
    case "imm": {
      const value = isLong(row) ? "<i32>load<u32>(ip, 12)" : "<i32>(w >> 32)";
      return e.type === "i64" ? `<i64>(${value})` : value;
    }
    case "ordinary":
      throw new Error("quick forms are not interpreted");
    case "imm64":
      return "load<i64>(ip, 8)";
    case "scale":
      return "<i32>load<u8>(ip, 9)";
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
      return `<i32>load<u32>(S + ${e.offset})`;
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

function printWrite(address: string, width: Width, value: string): string {
  if (width === 64) return `store<i64>(${address}, ${value});`;
  if (width === 32) return `store<u64>(${address}, <u64><u32>(${value}));`;
  return `store<u${width}>(${address}, <u${width}>(${value}));`;
}

/** The two-arm TLB access: see layout.ts for the entry's form. */
function printLoad(name: string, size: MemorySize, address: string, forWrite: boolean): string {
  const bytes = size / 8;
  const slow = `slowRead${forWrite ? "ForWrite" : ""}${size}`;
  const type = size === 128 ? "v128" : size === 64 ? "i64" : "i32";
  const read =
    size === 128
      ? "v128.load(p)"
      : size === 64
        ? "load<i64>(p)"
        : size === 32
          ? "<i32>load<u32>(p)"
          : `<i32>load<u${size}>(p)`;
  return [
    `const va: u64 = <u64>(${address});`,
    `const e: u32 = ${forWrite ? "tlbWrite" : "tlbRead"} + ((<u32>va >>> 8) & L.TLB_INDEX_MASK);`,
    "let p: u32;",
    `if (load<u64>(e) == (${bytes === 1 ? "va" : `(va + ${bytes - 1})`} & ~0xfff)) p = load<u32>(e, 8) + <u32>va;`,
    `else { p = ${slow}(va); if (p == 0xffffffff) break; }`,
    `const v_${name}: ${type} = ${read};`,
  ].join(" ");
}

function printStore(size: MemorySize, address: string, value: string): string {
  const bytes = size / 8;
  const fast =
    size === 128
      ? "v128.store(load<u32>(e, 8) + <u32>va, v);"
      : `store<${size === 64 ? "i64" : `i${size}`}>(load<u32>(e, 8) + <u32>va, ${size < 32 ? `<i${size}>v` : "v"});`;
  const slow =
    size === 128
      ? "slowWrite128(va, spill128(v))"
      : size === 64
        ? "slowWrite64(va, <u64>v)"
        : `slowWrite${size}(va, <u32>v)`;
  return [
    `const va: u64 = <u64>(${address});`,
    `const v: ${size === 128 ? "v128" : size === 64 ? "i64" : "i32"} = ${value};`,
    `const e: u32 = tlbWrite + ((<u32>va >>> 8) & L.TLB_INDEX_MASK);`,
    `if (load<u64>(e) == (${bytes === 1 ? "va" : `(va + ${bytes - 1})`} & ~0xfff)) { ${fast} }`,
    `else if (${slow}) break;`,
  ].join(" ");
}

/** See the statement's description in expr.ts. */
function printCompareExchange(size: Width, address: string, expected: string, value: string): string {
  const bytes = size / 8;
  const type = `u${size}`;
  const aligned = bytes === 1 ? "" : ` && (<u32>va & ${bytes - 1}) == 0`;
  return [
    `const va: u64 = <u64>(${address});`,
    `const x: ${type} = <${type}>(${expected});`,
    `const v: ${type} = <${type}>(${value});`,
    `const e: u32 = tlbWrite + ((<u32>va >>> 8) & L.TLB_INDEX_MASK);`,
    `if (load<u64>(e) == (va & ~0xfff)${aligned}) {`,
    `if (atomic.cmpxchg<${type}>(load<u32>(e, 8) + <u32>va, x, v) != x) { beginAgain(); break; } }`,
    `else if (slowWrite${size}(va, v)) break;`,
  ].join(" ");
}

function printStatement(statement: Statement, row: OpRow, declared: Set<string>): string {
  const p = (e: Expr): string => printExpr(e, row);
  switch (statement.kind) {
    case "let": {
      const again = declared.has(statement.name);
      declared.add(statement.name);
      return `${again ? "" : "let "}v_${statement.name}${again ? "" : `: ${typeName[statement.value.type]}`} = ${p(statement.value)};`;
    }
    case "setReg":
      return printWrite(slotAddress(statement.role), statement.width, p(statement.value));
    case "setGpr":
      return printWrite(`(S + ${statement.number * 8})`, statement.width, p(statement.value));
    case "setXmm":
      return `v128.store(${xmmAddress(statement.role)}, ${p(statement.value)});`;
    case "setState":
      return `store<i32>(S + ${statement.offset}, ${p(statement.value)});`;
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
        ...given.map(({ name }) => `store<i64>(S + L.CC_${name}, cc${name});`),
        `store<u32>(S + L.CC_OP, ${statement.op});`,
      ].join(" ");
      return statement.when === undefined ? `{ ${text} }` : `if (${p(statement.when)}) { ${text} }`;
    }
    case "load":
      return printLoad(statement.name, statement.size, p(statement.address), statement.forWrite);
    case "store":
      return printStore(statement.size, p(statement.address), p(statement.value));
    case "compareExchange":
      return printCompareExchange(
        statement.size,
        p(statement.address),
        p(statement.expected),
        p(statement.value),
      );
  }
}

/** `ip` moves on by the op's size. */
function advance(row: OpRow): string {
  return `ip += ${opFormatWords[row.format] * 8}; continue;`;
}

function printInline(row: OpRow, body: readonly Statement[]): string {
  const declared = new Set<string>();
  return `${body.map((statement) => printStatement(statement, row, declared)).join(" ")} ${advance(row)}`;
}

/**
 * A jump to a target of this op: through the chain once it is known, else through the jump cache. A chain knows no
 * mapping: it leads to blocks of the same page alone, and to none that straddles into another.
 */
function printGoto(index: 0 | 1, block = "blk"): string {
  const chain = 8 + 4 * index;
  const target = 16 + 4 * index;
  return [
    `const c: u32 = load<u32>(ip, ${chain}); if (c != 0) { ip = c; continue; }`,
    `const to: u64 = load<u64>(blk) + <i64>load<i32>(ip, ${target});`,
    `const b: u32 = cachedBlock(to);`,
    `if (b != 0) {`,
    `if (((to ^ load<u64>(blk)) & ~0xfff) == 0 && load<u32>(b, L.BLOCK_GPA2) == 0xffffffff) store<u32>(ip, b + L.BLOCK_OPS, ${chain});`,
    `ip = b + L.BLOCK_OPS; continue; }`,
    `if (branchFaults(to, ${block})) break; store<u64>(S + L.RIP, to); return 0;`,
  ].join(" ");
}

/** Stores the return address of a CALL in 64-bit mode. */
const pushReturnAddress = [
  "const va: u64 = load<u64>(S + L.GPR_RSP) - 8; const v: u64 = load<u64>(blk) + <i64>load<i32>(ip, 20);",
  "const e: u32 = tlbWrite + ((<u32>va >>> 8) & L.TLB_INDEX_MASK);",
  "if (load<u64>(e) == ((va + 7) & ~0xfff)) store<u64>(load<u32>(e, 8) + <u32>va, v);",
  "else if (slowWrite64(va, v)) break;",
  "store<u64>(S + L.GPR_RSP, va);",
].join(" ");

function printIndirect(branch: Extract<Branch, { kind: "indirect" }>): string {
  const undo = branch.why === "return" ? "unpop(<u32>(w >> 32)); " : "";
  const fault = `if (branchFaults(to, 0)) { ${undo}break; }`;
  const target = `const to: u64 = load<u64>(${slotAddress("s")}); const b: u32 = cachedBlock(to);`;
  const note = "store<u32>(ip + L.SEEN_TARGETS + (((b * <u32>L.SEEN_FACTOR) >>> L.SEEN_SHIFT) << 2), b); ";
  const go = `if (b != 0) { ${branch.why === "return" ? "" : note}ip = b + L.BLOCK_OPS; continue; }`;
  const leave = "store<u64>(S + L.RIP, to); return 0;";
  if (branch.pushes) {
    const callFault = "if (b == 0 && !isCanonical(to)) { raiseCallFault(load<u64>(S + L.GPR_RSP)); break; }";
    return `${target} ${callFault} ${pushReturnAddress} ${go} ${leave}`;
  }
  return `${target} ${go} ${fault} ${leave}`;
}

function printBranch(row: OpRow, branch: Branch): string {
  switch (branch.kind) {
    case "enter":
      return [
        "blk = ip - L.BLOCK_OPS;",
        "const left: i32 = load<i32>(S + L.BUDGET) - <i32>(w >> 32);",
        "if (left < 0) { store<u64>(S + L.RIP, load<u64>(blk)); return 0; }",
        "store<i32>(S + L.BUDGET, left);",
        "const heat: i32 = load<i32>(blk, L.BLOCK_HEAT) - 1; store<i32>(blk, heat, L.BLOCK_HEAT);",
        "if (heat == 0) { blockIsHot(blk); if (load<u32>(blk, L.BLOCK_REGION) != 0) { giveBack(<i32>(w >> 32)); continue; } }",
        advance(row),
      ].join(" ");
    case "stale":
      return [
        "const old: u32 = ip - L.BLOCK_OPS; const b: u32 = cachedBlock(load<u64>(old));",
        "if (b != 0 && b != old) { ip = b + L.BLOCK_OPS; continue; }",
        "store<u64>(S + L.RIP, load<u64>(old)); return 0;",
      ].join(" ");
    case "region":
      return [
        "blk = ip - L.BLOCK_OPS;",
        "if (load<i32>(S + L.BUDGET) < 0) { store<u64>(S + L.RIP, load<u64>(blk)); return 0; }",
        "const before: i32 = retiredSoFar();",
        "const to: u64 = runRegion(load<u32>(blk, L.BLOCK_REGION));",
        "store<u64>(S + L.STAT_IN_REGIONS, load<u64>(S + L.STAT_IN_REGIONS) + <u64><i64>(retiredSoFar() - before));",
        "if (<u32>(to >>> 32) == L.REGION_RESULT_HIGH) return <u32>to == L.REGION_FAULT_LOW ? 1 : 0;",
        "const b: u32 = cachedBlock(to); if (b != 0) { ip = b + L.BLOCK_OPS; continue; }",
        "store<u64>(S + L.RIP, to); return 0;",
      ].join(" ");
    case "syncpc":
      return [
        "const rip: u64 = load<u64>(blk) + <u64>(<u32>(w >> 32) & 0xffff);",
        "store<u64>(S + L.RIP, rip); store<u64>(S + L.NEXT_RIP, truncateRip(rip + (w >> 48)));",
        advance(row),
      ].join(" ");
    case "jump":
      // What jumps to the address behind it is a branch all the same.
      return printGoto(0, branch.why === "next" ? "blk" : "0");
    case "conditional": {
      const declared = new Set<string>();
      const before = (branch.before ?? [])
        .map((statement) => printStatement(statement, row, declared))
        .join(" ");
      return `${before} if (${printExpr(branch.condition, row)}) { ${printGoto(0)} } else { ${printGoto(1)} }`;
    }
    case "indirect":
      return printIndirect(branch);
    case "canonical":
      return [
        `if (!isCanonical(load<u64>(${slotAddress("s")}))) {`,
        "if ((w >> 32) != 0) raiseCallFault(load<u64>(S + L.GPR_RSP)); else raiseBranchFault(); break; }",
        advance(row),
      ].join(" ");
    case "sysend":
      return "store<u64>(S + L.RIP, load<u64>(S + L.NEXT_RIP)); return 0;";
    case "raise":
      return "raise(<u32>(w >> 32)); break;";
  }
}

const simdNames = new Set(simdOpRows.map((row) => row.name));

/** Ops in the second switch: too rare to make the first one larger. */
function isCold(row: OpRow): boolean {
  return row.meaning.kind === "helper" || simdNames.has(row.name);
}

function printFlagFunctions(): string {
  const inputs: FlagInputs = {
    dst: x.local("dst", "i64"),
    src: x.local("src", "i64"),
    aux: x.local("aux", "i64"),
    shift: x.local("shift", "i64"),
  };
  const kinds = Object.keys(flagKinds).filter((k): k is FlagKind => k in flagKinds);
  const noRow: OpRow = { name: "flags", format: "short", meaning: { kind: "inline", body: [] } };
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
      cases((kind) => `return <bool>(${printExpr(conditionOf(code, kind, inputs), noRow)});`),
      "  }\n}",
      `export function condition${code + 1}(): bool { return !condition${code}(); }`,
    ].join("\n");
  });
  const bits = (kind: FlagKind): string => {
    if (kind === "flags") return "return <u32>v_src & 0x8d5;";
    const bit = (name: "cf" | "pf" | "af" | "zf" | "sf" | "of", shift: number): string =>
      `((${printExpr(flag(name, kind, inputs), noRow)}) << ${shift})`;
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

function printInterpreter(): string {
  const used = new Set<string>();
  const hot: string[] = [];
  const cold: string[] = [];
  for (const [number, row] of ops.entries()) {
    const { meaning } = row;
    if (meaning.kind === "helper") {
      used.add(meaning.helper);
      const call = `h_${meaning.helper}((<u32>w >>> 16) & 0xff, <u32>w >>> 24, <i32>(w >> 32))`;
      const when = helperRows.find(({ name }) => name === meaning.helper)?.when;
      const guarded =
        when === undefined ? call : `(load<u32>(S + ${when.offset}) & ${when.mask}) != 0 ? ${call} : 0`;
      cold.push(`    case ${number}: return ${guarded}; // ${row.name}`);
    } else if (isCold(row) && meaning.kind === "inline") {
      const declared = new Set<string>();
      const text = meaning.body.map((statement) => printStatement(statement, row, declared)).join(" ");
      cold.push(`    case ${number}: { ${text} return 0; } // ${row.name}`);
    } else if (meaning.kind === "inline") {
      hot.push(`      case ${number}: { ${printInline(row, meaning.body)} } // ${row.name}`);
    } else if (meaning.kind === "branch") {
      hot.push(`      case ${number}: { ${printBranch(row, meaning.branch)} } // ${row.name}`);
    }
  }
  const coldLong = ops
    .filter((row) => isCold(row) && row.format === "long")
    .map((row) => opNumber(row.name))
    .map((n) => `op == ${n}`);
  return [
    "// Printed from the IR's op table by ir/assemblyscript.ts.",
    'import * as L from "../layout";',
    'import { S, raise } from "./state";',
    'import { blockIsHot } from "./host";',
    'import { cachedBlock } from "./blocks";',
    `import { ${Object.keys(x.pureFunctions).join(", ")} } from "./arithmetic";`,
    'import { giveBack, locateFault, retiredSoFar, runRegion, spill128, truncateRip } from "./dispatch";',
    'import { branchFaults, raiseBranchFault, raiseCallFault, unpop } from "./near-branches";',
    'import { isCanonical } from "./paging";',
    'import { beginAgain, slowRead8, slowRead16, slowRead32, slowRead64, slowRead128, slowReadForWrite8, slowReadForWrite16, slowReadForWrite32, slowReadForWrite64, slowWrite8, slowWrite16, slowWrite32, slowWrite64, slowWrite128 } from "./memory";',
    `import { computeFlags, ${Array.from({ length: 16 }, (_, i) => `condition${i}`).join(", ")} } from "./flags";`,
    `import { ${[...used].map((name) => `h_${name}`).join(", ")} } from "./helpers";`,
    "",
    `export const OP_STALE: u32 = ${opNumber("stale")};`,
    "",
    "/** Runs ops from `ip`, the first op of a block: 0 = RIP is set, back to the dispatcher; 1 = a fault is pending at RIP. */",
    "export function interpret(ip: u32): u32 {",
    "  let blk: u32 = ip - L.BLOCK_OPS;",
    "  const user = load<u32>(S + L.CPL) == 3;",
    "  const tlbRead: u32 = S + (user ? L.TLB_USER_READ : L.TLB_KERNEL_READ);",
    "  const tlbWrite: u32 = S + (user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE);",
    "  while (true) {",
    "    const w: u64 = load<u64>(ip);",
    "    const op: u32 = <u32>w & 0xffff;",
    "    switch (op) {",
    ...hot,
    "      default: {",
    `        if (interpretCold(op, w, ip)) break;`,
    `        ip += ${coldLong.length === 0 ? "8" : `(${coldLong.join(" || ")}) ? 16 : 8`}; continue;`,
    "      }",
    "    }",
    "    locateFault(blk, ip);",
    "    return 1;",
    "  }",
    "}",
    "",
    "/** Helpers and SIMD: 1 if a fault is pending. */",
    "function interpretCold(op: u32, w: u64, ip: u32): u32 {",
    "  switch (op) {",
    ...cold,
    "    default: unreachable();",
    "  }",
    "  return 1;",
    "}",
  ].join("\n");
}

/** Binaryen makes a br_table only of a switch whose cases span less than this. */
const SWITCH_RANGE_MAX = 1024;

/** The generated modules of core/, by file name without extension. */
export function generatedCore(): Record<string, string> {
  const lastHot = ops.findLastIndex((row) => !isCold(row));
  if (lastHot >= SWITCH_RANGE_MAX)
    throw new Error(`op ${lastHot} is interpreted: the switch would be no br_table`);
  if (FLAG_KIND_COUNT !== Object.keys(flagKinds).length || inlineOpCount === 0)
    throw new Error("flag kinds or ops are missing");
  return { flags: printFlagFunctions(), "interpreter.gen": printInterpreter() };
}
