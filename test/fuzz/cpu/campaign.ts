/**
 * Runs sequences on the real CPU and in both tiers, and collects what differs. The real CPU works on one batch of
 * programs while the tiers run the one before. Results are compared as records of bytes; only those that differ are
 * looked at with what the architecture leaves open in mind.
 */
import type { InstructionRow } from "../../../src/engine/x86/row.ts";
import {
  codeBaseOf,
  type NativeOracle,
  type NativeRecord,
  type ResolvedCase,
  resolveCase,
  ripOf,
} from "../../oracle/index.ts";
import { differencesIn, type Failure, type SequenceExecutor } from "./judge.ts";
import { type Program, type SequenceGenerator, STATES_PER_PROGRAM } from "./sequences.ts";

/** Programs that go to the real CPU together. */
const PROGRAMS_PER_BATCH = 24;
/** Failures kept with all they need for a report; more are only counted. */
const FAILURES_MAX = 200;

/** How often a row was executed in each tier, by its name. */
export type RowCounts = Map<InstructionRow, Map<string, number>>;

export interface Progress {
  readonly programs: number;
  readonly sequences: number;
  readonly sequencesInRegions: number;
  readonly failureCount: number;
}

interface Prepared {
  readonly program: Program;
  readonly resolved: readonly ResolvedCase[];
}

export class Campaign {
  readonly failures: Failure[] = [];
  readonly rowCounts: RowCounts = new Map();
  readonly generator: SequenceGenerator;
  readonly #oracle: NativeOracle;
  readonly #tiers: readonly SequenceExecutor[];
  #programs = 0;
  #sequences = 0;
  #sequencesInRegions = 0;
  #failureCount = 0;

  constructor(generator: SequenceGenerator, oracle: NativeOracle, tiers: readonly SequenceExecutor[]) {
    this.generator = generator;
    this.#oracle = oracle;
    this.#tiers = tiers;
    for (const row of generator.rows) this.rowCounts.set(row, new Map(tiers.map(({ name }) => [name, 0])));
  }

  get progress(): Progress {
    return {
      programs: this.#programs,
      sequences: this.#sequences,
      sequencesInRegions: this.#sequencesInRegions,
      failureCount: this.#failureCount,
    };
  }

  /** Runs the programs that `next` numbers, until it gives undefined. */
  async run(next: () => number | undefined): Promise<void> {
    let prepared = this.#prepare(next);
    while (prepared.length > 0) {
      const states = prepared.flatMap(({ resolved }) => resolved.map(({ state }) => state));
      const answer = this.#oracle.runRecords(states);
      const following = this.#prepare(next);
      const records = await answer;
      let first = 0;
      for (const each of prepared) {
        this.#judge(each, records.slice(first, first + each.resolved.length));
        first += each.resolved.length;
      }
      prepared = following;
    }
  }

  #prepare(next: () => number | undefined): Prepared[] {
    const prepared: Prepared[] = [];
    while (prepared.length < PROGRAMS_PER_BATCH) {
      const number = next();
      if (number === undefined) break;
      const program = this.generator.program(number);
      if (program === undefined) continue;
      prepared.push({ program, resolved: program.sequences.map(({ source }) => resolveCase(source)) });
    }
    return prepared;
  }

  /** Runs a program in the tiers and compares. */
  #judge({ program, resolved }: Prepared, records: readonly NativeRecord[]): void {
    const failures = new Map<number, Failure["tiers"][number][]>();
    const reached = program.sequences.filter((_, i) => reachesRow(program, resolved[i], records[i])).length;
    for (const tier of this.#tiers) {
      resolved.forEach((each, i) => {
        const sequence = program.sequences[i];
        const expected = records[i];
        if (sequence === undefined || expected === undefined) return;
        const differences = differencesIn(this.generator.host, sequence, each, expected, tier);
        if (differences.length === 0) return;
        failures.set(i, [...(failures.get(i) ?? []), { tier: tier.name, differences }]);
      });
      const inRegions = tier.isInRegions;
      if (inRegions) this.#sequencesInRegions += resolved.length;
      const counts = program.row === undefined ? undefined : this.rowCounts.get(program.row);
      if (tier.name !== "regions" || inRegions)
        counts?.set(tier.name, (counts.get(tier.name) ?? 0) + reached);
    }
    for (const [i, tiers] of failures) {
      const sequence = program.sequences[i];
      this.#failureCount++;
      if (sequence === undefined || this.failures.length >= FAILURES_MAX) continue;
      this.failures.push({ sequence, before: program.sequences.slice(0, i), tiers });
    }
    this.#programs++;
    this.#sequences += resolved.length;
  }
}

/** One failure of each program: the others nearly always have the same reason. */
export function firstOfEachProgram(failures: readonly Failure[]): Failure[] {
  const programs = new Set<number>();
  return failures.filter(({ sequence: { number } }) => {
    const program = Math.floor(number / STATES_PER_PROGRAM);
    const isFirst = !programs.has(program);
    programs.add(program);
    return isFirst;
  });
}

/** Whether the row's own instruction was begun: no exception in what stands before it. */
function reachesRow(
  program: Program,
  resolved: ResolvedCase | undefined,
  record: NativeRecord | undefined,
): boolean {
  if (resolved === undefined || record?.kind !== "ended") return false;
  const gva = Number(ripOf(record.record)) + codeBaseOf(resolved.source.mode);
  return gva < resolved.codeGva || gva >= program.rowGva;
}
