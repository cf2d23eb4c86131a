/**
 * Prints the interpreter: one `case` for each op of the IR, put together from what assemblyscript.ts prints.
 *
 * In a case, `ip` is the address of the op and `blk` the block's. A case ends with `continue` (next op), `return` (to the
 * dispatcher) or `break`. Behind a `break`, `next` is the first op of the block to go on with. If it is 0, `edge` says
 * which chain of this branch op is not there yet (its offset in the op), and if that is 0 too, a fault is pending at
 * this op.
 */
import {
  printExpr,
  printFlagFunctions,
  printStatement,
  slotName,
  tlbAddress,
  tlbEntry,
  tlbHits,
  withSlots,
} from "./assemblyscript.ts";
import type { Statement } from "./expr.ts";
import * as x from "./expr.ts";
import { FLAG_KIND_COUNT, flagKinds } from "./flags.ts";
import { helperRows } from "./helpers.ts";
import { opFormatWords, type Branch, type OpRow } from "./op.ts";
import { inlineOpCount, opNumber, opRow, ops } from "./ops.ts";
import { simdOpRows } from "./ops-simd.ts";

const CHAIN0 = 8;
const CHAIN1 = 12;

const sizeOf = (row: OpRow): number => opFormatWords[row.format] * 8;

/** `ip` moves on by the op's size. */
const advance = (row: OpRow): string => `ip += ${sizeOf(row)}; continue;`;

function printBody(row: OpRow, body: readonly Statement[], at = 0): string {
  const declared = new Set<string>();
  return body.map((statement) => printStatement(statement, { row, at }, declared)).join(" ");
}

const printInline = (row: OpRow, body: readonly Statement[]): string =>
  `${withSlots(printBody(row, body))} ${advance(row)}`;

const goTo = (chain: number): string => `next = load<u32>(ip, ${chain}); edge = ${chain};`;

/** Stores the return address of a CALL in 64-bit mode. */
const pushReturnAddress = [
  "const va: u64 = load<u64>(S, L.GPR_RSP) - 8; const v: u64 = load<u64>(blk, L.BLOCK_RIP) + <i64>load<i32>(ip, 20);",
  tlbEntry,
  `if (${tlbHits(true, 8)}) store<u64>(${tlbAddress(true)}, v);`,
  "else if (slowWrite64(va, v)) break;",
  "store<u64>(S, va, L.GPR_RSP);",
].join(" ");

function printIndirect(branch: Extract<Branch, { kind: "indirect" }>): string {
  const undo = branch.why === "return" ? "unpop(load<u32>(ip, 4)); " : "";
  const fault = `if (branchFaults(to, 0)) { ${undo}break; }`;
  const target = `const to: u64 = load<u64>(${slotName("s")}, S); const b: u32 = cachedBlock(to);`;
  const note =
    "if (load<u32>(ip + L.SEEN_TARGETS + (((<u32>to * <u32>L.SEEN_FACTOR) >>> L.SEEN_SHIFT) << 2)) != <u32>to) " +
    "noteTarget(ip + L.SEEN_TARGETS, <u32>to); ";
  const go = `if (b != 0) { ${branch.why === "return" ? "" : note}next = b + L.BLOCK_OPS; break; }`;
  const leave = "store<u64>(S, to, L.RIP); return 0;";
  if (branch.pushes) {
    const callFault = "if (b == 0 && !isCanonical(to)) { raiseCallFault(load<u64>(S, L.GPR_RSP)); break; }";
    return `${target} ${callFault} ${pushReturnAddress} ${go} ${leave}`;
  }
  return `${target} ${go} ${fault} ${leave}`;
}

function printBranch(row: OpRow, branch: Branch): string {
  switch (branch.kind) {
    case "enter":
      return [
        "blk = ip - L.BLOCK_OPS;",
        "const left: i32 = load<i32>(S, L.BUDGET) - load<i32>(ip, 4);",
        "if (left < 0) { store<u64>(S, load<u64>(blk, L.BLOCK_RIP), L.RIP); return 0; }",
        "store<i32>(S, left, L.BUDGET);",
        "const heat: i32 = load<i32>(blk, L.BLOCK_HEAT) - 1; store<i32>(blk, heat, L.BLOCK_HEAT);",
        "if (heat == 0) { lookAt(blk); if (load<u32>(blk, L.BLOCK_REGION) != 0) { giveBack(load<i32>(ip, 4)); continue; } }",
        advance(row),
      ].join(" ");
    case "stale":
      return [
        "const old: u32 = ip - L.BLOCK_OPS; const b: u32 = cachedBlock(load<u64>(old, L.BLOCK_RIP));",
        "if (b != 0 && b != old) { next = b + L.BLOCK_OPS; break; }",
        "store<u64>(S, load<u64>(old, L.BLOCK_RIP), L.RIP); return 0;",
      ].join(" ");
    case "region":
      return [
        "blk = ip - L.BLOCK_OPS;",
        "if (load<i32>(S, L.BUDGET) <= 0) { store<u64>(S, load<u64>(blk, L.BLOCK_RIP), L.RIP); return 0; }",
        "store<i32>(blk, 1, L.BLOCK_HEAT);",
        "const before: i32 = retiredSoFar();",
        "const to: u64 = runRegion(load<u32>(blk, L.BLOCK_REGION));",
        "store<u64>(S, load<u64>(S, L.STAT_IN_REGIONS) + <u64><i64>(retiredSoFar() - before), L.STAT_IN_REGIONS);",
        "if (<u32>(to >>> 32) == L.REGION_RESULT_HIGH) return <u32>to == L.REGION_FAULT_LOW ? 1 : 0;",
        "const b: u32 = cachedBlock(to); if (b != 0) { next = b + L.BLOCK_OPS; break; }",
        "store<u64>(S, to, L.RIP); return 0;",
      ].join(" ");
    case "syncpc":
      return [
        "const rip: u64 = load<u64>(blk, L.BLOCK_RIP) + <u64>load<u16>(ip, 4);",
        "store<u64>(S, rip, L.RIP); store<u64>(S, truncateRip(rip + <u64>load<u16>(ip, 6)), L.NEXT_RIP);",
        advance(row),
      ].join(" ");
    case "jump":
      return [
        `edge = ${CHAIN0}; const epoch: u32 = load<u32>(ip, 4);`,
        "if (epoch == 0 || epoch == load<u32>(S, L.MAPPING_EPOCH) || epoch == load<u32>(S, L.GLOBAL_MAPPING_EPOCH))",
        `next = load<u32>(ip, ${CHAIN0}); break;`,
      ].join(" ");
    case "conditional": {
      const before = printBody(row, branch.before ?? []);
      return `${before} if (${printExpr(branch.condition, { row, at: 0 })}) { ${goTo(CHAIN0)} } else { ${goTo(CHAIN1)} } break;`;
    }
    case "indirect":
      return printIndirect(branch);
    case "canonical":
      return [
        `if (!isCanonical(load<u64>(${slotName("s")}, S))) {`,
        "if (load<u32>(ip, 4) != 0) raiseCallFault(load<u64>(S, L.GPR_RSP)); else raiseBranchFault(); break; }",
        advance(row),
      ].join(" ");
    case "sysend":
      return "store<u64>(S, load<u64>(S, L.NEXT_RIP), L.RIP); return 0;";
    case "raise":
      return "raise(load<u32>(ip, 4)); break;";
  }
}

/** Ops in one go; the last one may be a branch, which has to be `ip`. */
function printSequence(parts: readonly string[]): string {
  let at = 0;
  const text: string[] = [];
  for (const row of parts.map((name) => opRow(opNumber(name)))) {
    const { meaning } = row;
    if (meaning.kind === "inline") text.push(`{ ${withSlots(printBody(row, meaning.body, at), at)} }`);
    else if (meaning.kind === "branch")
      return `${text.join(" ")} ip += ${at}; ${withSlots(printBranch(row, meaning.branch))}`;
    else throw new Error(`${row.name} is in no sequence`);
    at += sizeOf(row);
  }
  return `${text.join(" ")} ip += ${at}; continue;`;
}

/**
 * Behind the switch: faults, jumps that are not chained, and the entry into the next block. A chain knows no mapping: it
 * leads to blocks of the same page alone, linear and physical, and to none that straddles into another; so a block's page
 * list has all blocks with chains to it (core/eviction.ts). A far chain of a jump, whose immediate says when it was made,
 * leads to any block (core/jump-cache.ts). What jumps to the address behind it is a branch all the same; only the op
 * `next` is none. A block that begins with another op than `enter`, which is number 0, that has become hot, or that the
 * budget does not suffice for, is left to the op itself.
 */
const afterBranch = [
  "    if (next == 0) {",
  "      if (edge == 0) { locateFault(blk, ip); return 1; }",
  "      const to: u64 = load<u64>(blk, L.BLOCK_RIP) + <i64>load<i32>(ip + edge, 8);",
  "      const b: u32 = cachedBlock(to);",
  "      if (b == 0) {",
  `        if (branchFaults(to, load<u16>(ip) == ${opNumber("next")} ? blk : 0)) { locateFault(blk, ip); return 1; }`,
  "        store<u64>(S, to, L.RIP); return 0;",
  "      }",
  "      next = b + L.BLOCK_OPS;",
  "      const isSamePage = (((to ^ load<u64>(blk, L.BLOCK_RIP)) | <u64>(load<u32>(b, L.BLOCK_GPA) ^ load<u32>(blk, L.BLOCK_GPA))) & ~0xfff) == 0;",
  "      if (isSamePage) {",
  "        if (load<u32>(b, L.BLOCK_GPA2) == 0xffffffff) store<u32>(ip + edge, next);",
  "      } else if (isJump(load<u16>(ip))) {",
  "        const epoch = farChainEpoch(to, b);",
  `        if (epoch != 0) { store<u32>(ip, epoch, 4); store<u32>(ip, next, ${CHAIN0}); }`,
  "      }",
  "    }",
  "    ip = next;",
  "    blk = next - L.BLOCK_OPS;",
  "    const left: i32 = load<i32>(S, L.BUDGET) - load<i32>(next, 4);",
  "    const heat: i32 = load<i32>(blk, L.BLOCK_HEAT) - 1;",
  "    if (((heat - 1) | left | -<i32>load<u16>(next)) < 0) continue;",
  "    store<i32>(S, left, L.BUDGET);",
  "    store<i32>(blk, heat, L.BLOCK_HEAT);",
  "    ip = next + 8;",
];

const jumps = ops.flatMap(({ meaning }, number) =>
  meaning.kind === "branch" && meaning.branch.kind === "jump" ? [number] : [],
);

const simdNames = new Set(simdOpRows.map((row) => row.name));

/** Ops in the second switch: too rare to make the first one larger. */
function isCold(row: OpRow): boolean {
  return row.meaning.kind === "helper" || simdNames.has(row.name);
}

function printInterpreter(): string {
  const used = new Set<string>();
  const hot: string[] = [];
  const cold: string[] = [];
  for (const [number, row] of ops.entries()) {
    const { meaning } = row;
    if (meaning.kind === "helper") {
      used.add(meaning.helper);
      const call = `h_${meaning.helper}(load<u8>(ip, 2), load<u8>(ip, 3), load<i32>(ip, 4))`;
      const when = helperRows.find(({ name }) => name === meaning.helper)?.when;
      const guarded =
        when === undefined ? call : `(load<u32>(S, ${when.offset}) & ${when.mask}) != 0 ? ${call} : 0`;
      cold.push(`    case ${number}: return ${guarded}; // ${row.name}`);
    } else if (isCold(row) && meaning.kind === "inline") {
      cold.push(
        `    case ${number}: { ${withSlots(printBody(row, meaning.body))} return 0; } // ${row.name}`,
      );
    } else if (meaning.kind === "inline") {
      hot.push(`      case ${number}: { ${printInline(row, meaning.body)} } // ${row.name}`);
    } else if (meaning.kind === "sequence") {
      hot.push(`      case ${number}: { ${printSequence(meaning.parts)} } // ${row.name}`);
    } else if (meaning.kind === "branch") {
      hot.push(`      case ${number}: { ${withSlots(printBranch(row, meaning.branch))} } // ${row.name}`);
    }
  }
  const coldLong = ops
    .filter((row) => isCold(row) && row.format === "long")
    .map((row) => opNumber(row.name))
    .map((n) => `op == ${n}`);
  return [
    "// Printed from the IR's op table by ir/print-interpreter.ts.",
    'import * as L from "../layout";',
    'import { S, raise } from "./state";',
    'import { lookAt } from "./hot-blocks";',
    'import { cachedBlock, farChainEpoch } from "./blocks";',
    `import { ${Object.keys(x.pureFunctions).join(", ")} } from "./arithmetic";`,
    'import { giveBack, locateFault, retiredSoFar, runRegion, spill128, truncateRip } from "./dispatch";',
    'import { branchFaults, noteTarget, raiseBranchFault, raiseCallFault, unpop } from "./near-branches";',
    'import { isCanonical } from "./paging";',
    'import { beginAgain, slowRead8, slowRead16, slowRead32, slowRead64, slowRead128, slowReadForWrite8, slowReadForWrite16, slowReadForWrite32, slowReadForWrite64, slowWrite8, slowWrite16, slowWrite32, slowWrite64, slowWrite128 } from "./memory";',
    `import { computeFlags, ${Array.from({ length: 16 }, (_, i) => `condition${i}`).join(", ")} } from "./flags";`,
    `import { ${[...used].map((name) => `h_${name}`).join(", ")} } from "./helpers";`,
    "",
    `export const OP_STALE: u32 = ${opNumber("stale")};`,
    `export const OP_REGION: u32 = ${opNumber("region")};`,
    `export const OP_JMP: u32 = ${opNumber("jmp")};`,
    "",
    "/** Ops that jump to one place and have room for a far chain. */",
    "@inline",
    "function isJump(op: u32): bool {",
    `  return ${jumps.map((number) => `op == ${number}`).join(" || ")};`,
    "}",
    "",
    "/** Runs ops from `ip`, the first op of a block: 0 = RIP is set, back to the dispatcher; 1 = a fault is pending at RIP. */",
    "export function interpret(ip: u32): u32 {",
    "  let blk: u32 = ip - L.BLOCK_OPS;",
    "  const user = load<u32>(S + L.CPL) == 3;",
    "  const tlb: u32 = user ? L.TLB_USER_READ : L.TLB_KERNEL_READ;",
    "  while (true) {",
    "    const op: u32 = load<u16>(ip);",
    "    let next: u32 = 0;",
    "    let edge: u32 = 0;",
    "    switch (op) {",
    ...hot,
    "      default: {",
    `        if (interpretCold(op, ip)) break;`,
    `        ip += ${coldLong.length === 0 ? "8" : `(${coldLong.join(" || ")}) ? 16 : 8`}; continue;`,
    "      }",
    "    }",
    ...afterBranch,
    "  }",
    "}",
    "",
    "/** Helpers and SIMD: 1 if a fault is pending. */",
    "function interpretCold(op: u32, ip: u32): u32 {",
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
  if (opNumber("enter") !== 0) throw new Error("the entry into a block takes it for number 0");
  if (FLAG_KIND_COUNT !== Object.keys(flagKinds).length || inlineOpCount === 0)
    throw new Error("flag kinds or ops are missing");
  return { flags: printFlagFunctions(), "interpreter.gen": printInterpreter() };
}
