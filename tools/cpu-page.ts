/**
 * docs/cpu.md: its lists of features and instructions are made from the tables that the processor is made from, the
 * text around them is written by hand.
 *
 *     npm run docs:cpu          # writes the lists
 *     npm run cpu-page          # fails if the page is not what this would write (part of npm run check)
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpuModels, featureGroups, featureNames, features, type CpuidPlace } from "../src/cpu/index.ts";
import { msrs, type Msr } from "../src/engine/x86/msr-table.ts";
import type { InstructionRow } from "../src/engine/x86/row.ts";
import { missingExtensions } from "../test/decoder/missing-extensions.ts";
import { exclusionOf } from "../test/conformance/exclusions.ts";
import { groupNames, rowGroups, type GroupName } from "../test/conformance/groups.ts";
import type { HostCpu } from "../test/conformance/host-cpu.ts";

const PAGE = new URL("../docs/cpu.md", import.meta.url);

const groupTitles: Record<GroupName, string> = {
  integer: "General-purpose instructions",
  bits: "Bit manipulation and multi-precision addition (BMI1, BMI2, ADX)",
  control: "Near branches, calls and returns",
  string: "String instructions",
  system: "Segments, far transfers, system instructions",
  x87: "x87",
  mmx: "MMX",
  sse: "SSE to SSE4.2",
  crypto: "AES, PCLMULQDQ, SHA",
};

/** What the manual calls instructions whose operand size makes a name of its own. */
const names: Readonly<Record<string, string>> = {
  cbw: "CBW, CWDE, CDQE",
  cwd: "CWD, CDQ, CQO",
  jrcxz: "JCXZ, JECXZ, JRCXZ",
  movd: "MOVD, MOVQ",
  pinsrd: "PINSRD, PINSRQ",
  pextrd: "PEXTRD, PEXTRQ",
  pushf: "PUSHF, PUSHFD, PUSHFQ",
  popf: "POPF, POPFD, POPFQ",
  pusha: "PUSHA, PUSHAD",
  popa: "POPA, POPAD",
  iret: "IRET, IRETD, IRETQ",
  movs: "MOVSW, MOVSD, MOVSQ",
  cmps: "CMPSW, CMPSD, CMPSQ",
  stos: "STOSW, STOSD, STOSQ",
  lods: "LODSW, LODSD, LODSQ",
  scas: "SCASW, SCASD, SCASQ",
  ins: "INSW, INSD",
  outs: "OUTSW, OUTSD",
  prefetch: "PREFETCHh",
};
const nameOf = (mnemonic: string): string => names[mnemonic] ?? mnemonic.toUpperCase();

const table = (head: readonly string[], lines: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

// ---- Features -------------------------------------------------------------------------------------------------
function placeOf([leaf, register, bit, subleaf]: CpuidPlace): string {
  const at = leaf.toString(16).toUpperCase().padStart(2, "0");
  return `${at}H${subleaf === undefined ? "" : `.${subleaf}`}:${register.toUpperCase()}[${bit}]`;
}

function featureList(): string {
  const models = Object.entries(cpuModels).map(([name, what]) => `- \`${name}\`: ${what}.`);
  const groups = Object.entries(featureGroups).map(([group, title]) => {
    const lines = featureNames
      .filter((name) => features[name].group === group)
      .map((name) => {
        const { what, since, needs = [], always } = features[name];
        const model = since ?? "when asked for";
        return [
          `\`${name}\``,
          what,
          placeOf(features[name].cpuid),
          always === true ? `${model}, always` : model,
          needs.join(", "),
        ];
      });
    return `### ${title}\n\n${table(["feature", "what it is", "CPUID", "from model", "needs"], lines)}`;
  });
  return [models.join("\n"), ...groups].join("\n\n");
}

// ---- Instructions ---------------------------------------------------------------------------------------------
const modes = ["long64", "compat32", "protected16"] as const;
const processor = (isAmd: boolean): HostCpu => ({ modes, features: new Set(featureNames), isAmd });

/** Reasons why rows are not compared, numbered as they come. */
class Reasons {
  readonly #numbers = new Map<string, number>();

  number(reason: string): number {
    const known = this.#numbers.get(reason);
    if (known !== undefined) return known;
    this.#numbers.set(reason, this.#numbers.size + 1);
    return this.#numbers.size;
  }

  list(): string {
    return [...this.#numbers].map(([reason, number]) => `${number}. ${reason}.`).join("\n");
  }
}

function compared(row: InstructionRow, reasons: Reasons): string {
  const reason = exclusionOf(row, processor(false)) ?? exclusionOf(row, processor(true));
  if (reason !== undefined) return `no (${reasons.number(reason)})`;
  return row.traits.has("cpl0") ? "fault" : "yes";
}

/** One form: opcode, operands, and where it is not valid everywhere or takes LOCK. */
function formOf({ opcode, operandList, traits }: InstructionRow): string {
  const marks = [
    ...(traits.has("o64") ? ["64"] : []),
    ...(traits.has("i64") ? ["!64"] : []),
    ...(traits.has("prot") ? ["P"] : []),
    ...(traits.has("cpl0") ? ["0"] : []),
    ...(traits.has("lock") ? ["L"] : []),
  ];
  const operands = operandList === "" ? "" : ` ${operandList}`;
  return `\`${opcode}\`${operands}${marks.length === 0 ? "" : ` _(${marks.join(" ")})_`}`;
}

const distinct = (texts: readonly string[]): string => [...new Set(texts)].join(", ");

function instructionLine(rows: readonly InstructionRow[], mnemonic: string, reasons: Reasons): string[] {
  const gates = rows.map(({ features }) => [...features].join(" and ") || "–");
  return [
    nameOf(mnemonic),
    rows.map(formOf).join("; "),
    distinct(gates),
    distinct(rows.map((row) => compared(row, reasons))),
  ];
}

function instructionList(): string {
  const reasons = new Reasons();
  const sections = groupNames.map((group) => {
    const rows = rowGroups[group];
    const byMnemonic = Map.groupBy(rows, ({ mnemonic }) => mnemonic);
    const lines = [...byMnemonic].map(([mnemonic, forms]) => instructionLine(forms, mnemonic, reasons));
    return [
      `### ${groupTitles[group]}`,
      `${byMnemonic.size} instructions in ${rows.length} forms.`,
      table(["instruction", "forms", "feature", "compared"], lines),
    ].join("\n\n");
  });
  return [...sections, "### Why some are not compared", reasons.list()].join("\n\n");
}

// ---- Model-specific registers -----------------------------------------------------------------------------------
const hex = (value: bigint | number): string => `${value.toString(16).toUpperCase()}H`;
const checks = {
  canonical: "a canonical address",
  memoryType: "bits 0–7 are a memory type",
  memoryTypes: "eight memory types",
  patTypes: "eight memory types or UC-",
} as const;
const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** What RDMSR gives at first, and what WRMSR may write. */
function meaningOf(row: Msr): readonly [reads: string, writes: string] {
  switch (row.kind) {
    case "field": {
      const mask = row.writable === ALL_BITS ? [] : [`bits ${hex(row.writable)}`];
      const check = row.check === undefined ? [] : [checks[row.check]];
      return [hex(row.reset), [...mask, ...check].join(", ") || "anything"];
    }
    case "constant": {
      const writes = { fault: "#GP", "same value": "the same value", "no effect": "without effect" } as const;
      return [hex(row.value), writes[row.writes]];
    }
    case "command":
      return [
        "#GP",
        row.writable === ALL_BITS ? "without effect" : `bits ${hex(row.writable)}, without effect`,
      ];
    case "function":
    case "machine":
      return ["", "as the manual says"];
  }
}

const msrList = (): string =>
  table(
    ["number", "register", "after RESET", "WRMSR takes", "only with"],
    [...msrs]
      .toSorted((a, b) => a.index - b.index)
      .map((row) => {
        const needs = (row.needs ?? []).map(placeOf).join(" or ");
        return [hex(row.index), row.name, ...meaningOf(row), needs];
      }),
  );

const missingList = (): string =>
  missingExtensions
    .map(({ title, note }) => `- ${title}${note === undefined ? "" : ` (${note})`}`)
    .join("\n");

// ---- The page ---------------------------------------------------------------------------------------------------
const lists: Readonly<Record<string, () => string>> = {
  features: featureList,
  instructions: instructionList,
  msrs: msrList,
  missing: missingList,
};

/** The page with each list between its marks. */
function withLists(page: string): string {
  return Object.entries(lists).reduce((text, [name, make]) => {
    const begin = `<!-- ${name}: begin -->`;
    const end = `<!-- ${name}: end -->`;
    const [before, after] = [text.indexOf(begin), text.indexOf(end)];
    if (before < 0 || after < before) throw new Error(`docs/cpu.md lacks the marks of the list ${name}`);
    return `${text.slice(0, before + begin.length)}\n\n${make()}\n\n${text.slice(after)}`;
  }, page);
}

const page = readFileSync(PAGE, "utf8");
const current = withLists(page);
const rows = groupNames.flatMap((group) => rowGroups[group]);
const size = `${new Set(rows.map(({ mnemonic }) => mnemonic)).size} instructions, ${rows.length} forms, ${featureNames.length} features`;
if (process.argv.includes("--write")) {
  writeFileSync(PAGE, current);
  console.log(`cpu-page: wrote ${size}`);
} else {
  const isCurrent = page === current;
  console.log(
    `cpu-page: ${size}, ${isCurrent ? "as in the tables" : "not as in the tables: npm run docs:cpu"}`,
  );
  process.exitCode = isCurrent ? 0 : 1;
}
