/**
 * Compares two outcomes of one case, leaving out what the architecture does not define, and writes down the
 * differences for people.
 *
 * Never compared, because processors differ and no software relies on it: the x87 instruction and data pointers
 * and FOP, MXCSR_MASK, contents of empty x87 registers, RFLAGS.RF, and upper halves of registers in 32-bit code. The
 * RPL of a null selector is not compared either: the return from the host's kernel clears it in data segments.
 */

import { disassemble } from "./disassemble.ts";
import { FpImage, XSAVE_AVX_BYTES } from "./fp-image.ts";
import { type InstructionCase, resolveCase, type Undefined } from "./instruction-case.ts";
import type { CaseExit, CpuOutcome } from "./outcome.ts";
import { runsOf } from "./outcome.ts";
import { FLAG, GPR_NAMES, type MemoryBytes, SETTABLE_FLAGS } from "./state.ts";

/** One thing in which two outcomes differ, as text. */
export interface Difference {
  /** "rax", "flags", "exit", "st0", "memory 0x20000010", … */
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
}

/** All differences; none means that the outcomes agree in everything that is defined. */
export function compareOutcomes(
  source: InstructionCase,
  expected: CpuOutcome,
  actual: CpuOutcome,
): Difference[] {
  const open = source.undefined ?? {};
  const differences: Difference[] = [];
  const exits = { expected: exitText(expected.exit), actual: exitText(actual.exit) };
  if (exits.expected !== exits.actual) differences.push({ what: "exit", ...exits });
  if (expected.exit.kind === "lost" || actual.exit.kind === "lost") {
    // A lost case has no outcome, so two of them do not agree either.
    if (differences.length === 0) differences.push({ what: "exit", ...exits, expected: "an outcome" });
    return differences;
  }
  // How far a runaway case got is not defined; a system call is the end of what is compared.
  if (expected.exit.kind === "timeout" || expected.exit.kind === "systemCall") return differences;

  // Most values agree, so text is made only of those that do not.
  const check: Check = (what, left, right, text) => {
    if (left !== right) differences.push({ what, expected: text(left), actual: text(right) });
  };
  const wide = source.mode === "long64";
  const registerMask = wide ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  const registerText = hex(wide ? 16 : 8);
  GPR_NAMES.slice(0, wide ? 16 : 8).forEach((name, index) => {
    if (open.gpr?.includes(name) === true) return;
    const [left = 0n, right = 0n] = [expected.gpr[index], actual.gpr[index]];
    check(name, left & registerMask, right & registerMask, registerText);
  });
  check("rip", expected.rip, actual.rip, hex(8));
  const flagMask = SETTABLE_FLAGS & ~(open.flags ?? 0);
  check("flags", Number(expected.rflags) & flagMask, Number(actual.rflags) & flagMask, flagsText);
  for (const name of ["cs", "ss", "ds", "es", "fs", "gs"] as const) {
    check(name, withoutNullRpl(expected.segments[name]), withoutNullRpl(actual.segments[name]), hex(4));
  }
  compareFp(open, wide ? 16 : 8, expected, actual, check);
  differences.push(...compareMemory(open, expected.memory, actual.memory));
  return differences;
}

const withoutNullRpl = (selector: number): number => ((selector & ~3) === 0 ? 0 : selector);

type Check = <T extends bigint | number>(what: string, left: T, right: T, text: (value: T) => string) => void;

function compareFp(
  open: Undefined,
  xmmCount: number,
  expected: CpuOutcome,
  actual: CpuOutcome,
  check: Check,
): void {
  const left = new FpImage(expected.fp);
  const right = new FpImage(actual.fp);
  const statusMask = 0xffff & ~(open.fsw ?? 0);
  check("fcw", left.fcw, right.fcw, hex(4));
  check("fsw", left.fsw & statusMask, right.fsw & statusMask, hex(4));
  check("ftw", left.ftw, right.ftw, hex(2));
  const mxcsrMask = 0xffff & ~(open.mxcsr ?? 0);
  check("mxcsr", left.mxcsr & mxcsrMask, right.mxcsr & mxcsrMask, hex(4));
  for (let i = 0; i < 8; i++) {
    if (left.isEmpty(i) || open.st?.includes(i) === true) continue;
    check(ST_NAMES[i] ?? "", left.st(i), right.st(i), stText);
  }
  const both = left.bytes.length >= XSAVE_AVX_BYTES && right.bytes.length >= XSAVE_AVX_BYTES;
  for (let i = 0; i < xmmCount; i++) {
    if (open.xmm?.includes(i) === true) continue;
    check(XMM_NAMES[i] ?? "", left.xmm(i), right.xmm(i), hex(32));
    if (both) check(YMM_NAMES[i] ?? "", left.ymmHigh(i), right.ymmHigh(i), hex(32));
  }
}

const ST_NAMES = Array.from({ length: 8 }, (_, index) => `st${String(index)}`);
const XMM_NAMES = Array.from({ length: 16 }, (_, index) => `xmm${String(index)}`);
const YMM_NAMES = Array.from({ length: 16 }, (_, index) => `ymm${String(index)} high`);

/** Reports each run of bytes in which the two sets of changes differ; "unchanged" is a value like others. */
function compareMemory(
  open: Undefined,
  expected: readonly MemoryBytes[],
  actual: readonly MemoryBytes[],
): Difference[] {
  if (expected.length === 0 && actual.length === 0) return [];
  const left = byteMap(expected);
  const right = byteMap(actual);
  const isOpen = (gva: number): boolean =>
    open.memory?.some((range) => gva >= range.gva && gva < range.gva + range.sizeBytes) === true;
  const differing = [...new Set([...left.keys(), ...right.keys()])].filter(
    (gva) => left.get(gva) !== right.get(gva) && !isOpen(gva),
  );
  const text = (map: ReadonlyMap<number, number>, run: MemoryBytes): string =>
    Array.from(run.bytes, (_, index) => {
      const byte = map.get(run.gva + index);
      return byte === undefined ? "··" : byte.toString(16).padStart(2, "0");
    }).join(" ");
  return runsOf(differing, () => 0).map((run) => ({
    what: `memory ${hex(8)(run.gva)}`,
    expected: text(left, run),
    actual: text(right, run),
  }));
}

function byteMap(memory: readonly MemoryBytes[]): Map<number, number> {
  const map = new Map<number, number>();
  for (const { gva, bytes } of memory) {
    bytes.forEach((byte, index) => {
      map.set(gva + index, byte);
    });
  }
  return map;
}

/**
 * A report on a case with differences: its name, its code as assembler text, and a table of what differs, beside
 * the values before the case. Unchanged memory bytes are shown as ··.
 */
export function describeDifferences(
  source: InstructionCase,
  differences: readonly Difference[],
  names: { readonly expected: string; readonly actual: string } = { expected: "expected", actual: "actual" },
): string {
  const { state, code } = resolveCase(source);
  const bytes = Array.from(code, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  const lines = [`${source.name}  (${source.mode})`, `    ${bytes}`];
  for (const line of disassemble(code, source.mode, state.rip)) lines.push(`    ${line}`);
  const inputs = GPR_NAMES.map((name, index) => ({ name, value: state.gpr[index] ?? 0n })).filter(
    ({ name }) => source.initial?.gpr?.[name] !== undefined,
  );
  const before = inputs.map(({ name, value }) => `${name}=${hex(1)(value)}`);
  lines.push(`    before: ${[...before, `flags ${flagsText(source.initial?.flags ?? 0)}`].join(" ")}`);
  const widest = Math.max(...[names.expected, names.actual].map((each) => each.length));
  for (const { what, expected, actual } of differences) {
    lines.push(`  ${what}:`);
    lines.push(`    ${names.expected.padEnd(widest)}  ${expected}`);
    lines.push(`    ${names.actual.padEnd(widest)}  ${actual}`);
  }
  return lines.join("\n");
}

/** Writes values in hexadecimal with at least `digits` digits. */
function hex(digits: number): (value: bigint | number) => string {
  return (value) => `0x${value.toString(16).padStart(digits, "0")}`;
}

/** Sign and exponent, then significand: the way x87 values are discussed. */
function stText(value: bigint): string {
  return `${hex(4)(value >> 64n)}:${(value & 0xffff_ffff_ffff_ffffn).toString(16).padStart(16, "0")}`;
}

/** Names of the flags that are set, or "none". */
export function flagsText(flags: number): string {
  const names = Object.entries(FLAG)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name);
  return names.length === 0 ? "none" : names.join(" ");
}

const EXCEPTION_NAMES = new Map([
  [0, "#DE"],
  [1, "#DB"],
  [3, "#BP"],
  [4, "#OF"],
  [5, "#BR"],
  [6, "#UD"],
  [7, "#NM"],
  [10, "#TS"],
  [11, "#NP"],
  [12, "#SS"],
  [13, "#GP"],
  [14, "#PF"],
  [16, "#MF"],
  [17, "#AC"],
  [19, "#XM"],
]);

export function exitText(exit: CaseExit): string {
  if (exit.kind === "lost") return `lost: ${exit.reason}`;
  if (exit.kind !== "exception") return exit.kind;
  const name = EXCEPTION_NAMES.get(exit.vector) ?? `exception ${String(exit.vector)}`;
  const code = exit.errorCode === undefined ? "" : ` error code ${hex(1)(exit.errorCode)}`;
  return `${name}${code}${exit.cr2 === undefined ? "" : ` at ${hex(1)(exit.cr2)}`}`;
}
