/**
 * Prints the table of MSRs as the core's module `msrs.gen`: what RDMSR, WRMSR and RESET do with each row. The text is
 * compiled with the rest of core/ and never edited; build.ts leaves a copy in build/ for readers.
 */
import type { CpuidPlace } from "../../cpu/index.ts";
import { msrs, type Msr } from "./msr-table.ts";

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
/** A u64 literal: one above 0x7fff… would be negative otherwise. */
const u64 = (value: bigint): string => `<u64>${hex(value)}`;
const ALL = 0xffff_ffff_ffff_ffffn;

const registerReader = { eax: undefined, ebx: "cpuidEbx", ecx: "cpuidEcx", edx: "cpuidEdx" } as const;

function isThere([leaf, register, bit, subleaf = 0]: CpuidPlace): string {
  const reader = registerReader[register];
  if (reader === undefined) throw new Error("no MSR depends on EAX so far");
  return `(${reader}(${hex(leaf)}, ${subleaf}) >>> ${bit} & 1)`;
}

/** The statement that refuses an MSR this processor does not have. */
function gate({ needs = [] }: Msr): string {
  return needs.length === 0 ? "" : `if (!(${needs.map(isThere).join(" | ")})) return MSR_FAULT; `;
}

function printRead(row: Msr): string {
  switch (row.kind) {
    case "field":
      return `msrValue = get64(${row.field}); return MSR_DONE;`;
    case "constant":
      return `msrValue = ${u64(row.value)}; return MSR_DONE;`;
    case "command":
      return "return MSR_FAULT;";
    case "function":
      return "return MSR_FUNCTION;";
    case "machine":
      return "return MSR_MACHINE;";
  }
}

/** The statement that refuses reserved bits, if there are some. */
const refusal = (known: bigint): string[] =>
  known === ALL ? [] : [`if (value & ${u64(ALL ^ known)}) return MSR_FAULT;`];

function printWrite(row: Msr): string {
  switch (row.kind) {
    case "field": {
      const known = row.writable | row.ignored;
      const lines = [
        ...refusal(known),
        ...row.gated.map(
          ([bits, place]) => `if (value & ${u64(bits)} && !${isThere(place)}) return MSR_FAULT;`,
        ),
        ...(row.check === undefined ? [] : [`if (!${row.check}(value)) return MSR_FAULT;`]),
        row.ignored === 0n
          ? `set64(${row.field}, value);`
          : `set64(${row.field}, (get64(${row.field}) & ${u64(row.ignored)}) | (value & ${u64(row.writable)}));`,
      ];
      return `${lines.join(" ")} return MSR_DONE;`;
    }
    case "constant":
      if (row.writes === "fault") return "return MSR_FAULT;";
      return row.writes === "no effect"
        ? "return MSR_DONE;"
        : `return value == ${u64(row.value)} ? MSR_DONE : MSR_FAULT;`;
    case "command":
      return [...refusal(row.writable), "return MSR_DONE;"].join(" ");
    case "function":
      return "return MSR_FUNCTION;";
    case "machine":
      return "return MSR_MACHINE;";
  }
}

const cases = (print: (row: Msr) => string): string[] =>
  msrs.map((row) => `    case ${hex(row.index)}: { ${gate(row)}${print(row)} } // ${row.name}`);

/** The text of `msrs.gen`. */
export function msrModule(): string {
  const fields = msrs.filter((row) => row.kind === "field");
  return [
    "// Printed from the table of MSRs by x86/msr-module.ts.",
    'import { get64, set64 } from "./state";',
    'import { cpuidEbx, cpuidEcx, cpuidEdx } from "./cpuid";',
    'import { canonical, memoryType, memoryTypes, patTypes } from "./msr-checks";',
    "",
    "/** The access is complete / raises #GP(0) / is the meaning of a function here / is the machine's to answer. */",
    "export const MSR_DONE: u32 = 0;",
    "export const MSR_FAULT: u32 = 1;",
    "export const MSR_FUNCTION: u32 = 2;",
    "export const MSR_MACHINE: u32 = 3;",
    "",
    "/** What readDeclared() read. */",
    "export let msrValue: u64 = 0;",
    "",
    "export function readDeclared(index: u32): u32 {",
    "  switch (index) {",
    ...cases(printRead),
    "    default: return MSR_MACHINE;",
    "  }",
    "}",
    "",
    "export function writeDeclared(index: u32, value: u64): u32 {",
    "  switch (index) {",
    ...cases(printWrite),
    "    default: return MSR_MACHINE;",
    "  }",
    "}",
    "",
    "export function resetDeclared(): void {",
    ...fields.map((row) => `  set64(${row.field}, ${u64(row.reset)}); // ${row.name}`),
    "}",
  ].join("\n");
}
