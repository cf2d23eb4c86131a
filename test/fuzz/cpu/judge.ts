/** Runs one sequence in a tier and compares it with what the real CPU did. */
import { compareRow } from "../../conformance/conformance.ts";
import { EngineExecutor, type Tier, tierNames } from "../../conformance/engine-executor.ts";
import type { HostCpu } from "../../conformance/host-cpu.ts";
import {
  codeBaseOf,
  type CpuOutcome,
  decodeResult,
  type Difference,
  type NativeRecord,
  outcomeOf,
  recordsAgree,
  type ResolvedCase,
  type ResultRecord,
  ripOf,
  VECTOR,
  vectorOf,
} from "../../oracle/index.ts";
import type { Sequence } from "./sequences.ts";

/** Slices that end in the middle of loops, and ones that do not. */
const SLICES = [100_000, 100_000, 100_000, 7];
/** What executes a sequence in the place of a tier. */
export interface SequenceExecutor {
  readonly name: string;
  /** `number` is the sequence's. */
  run(resolved: ResolvedCase, number: number): ResultRecord;
  /** Why there is no result; empty if there is. */
  readonly lostReason: string;
  /** Whether the code that was run last is in a compiled region. */
  readonly isInRegions: boolean;
}

export interface Failure {
  readonly sequence: Sequence;
  /** What ran before it in the same program. */
  readonly before: readonly Sequence[];
  readonly tiers: readonly TierFailure[];
}

export interface TierFailure {
  readonly tier: string;
  readonly differences: readonly Difference[];
}

/** The tiers of the engine, as the fuzz runs them. */
export function engineTiers(host: HostCpu): SequenceExecutor[] {
  return tierNames.map((tier) => new TierExecutor(tier, host));
}

class TierExecutor implements SequenceExecutor {
  readonly #executor: EngineExecutor;

  constructor(tier: Tier, host: HostCpu) {
    this.#executor = new EngineExecutor(tier, host.features);
  }
  get name(): string {
    return this.#executor.name;
  }
  get lostReason(): string {
    return this.#executor.lostReason;
  }
  get isInRegions(): boolean {
    return this.#executor.isInRegions;
  }
  run(resolved: ResolvedCase, number: number): ResultRecord {
    return this.#executor.run(resolved.state, resolved.codeGva, SLICES[number % SLICES.length]);
  }
}

/** Whether a case has come to the INT3 behind its code. */
function isAtEnd(record: ResultRecord, { source, codeGva, code }: ResolvedCase): boolean {
  const end = codeGva + code.length;
  return vectorOf(record) === VECTOR.bp && Number(ripOf(record)) - 1 + codeBaseOf(source.mode) === end;
}

const outcomeOfRecord = (resolved: ResolvedCase, record: ResultRecord, lostReason: string): CpuOutcome =>
  outcomeOf(
    resolved,
    lostReason === ""
      ? { kind: "ended", ...decodeResult(record.bytes, record.offset, record.fpBytes) }
      : { kind: "lost", reason: lostReason },
  );

/** The last page below 2^47, which Linux gives to no program: an access faults, but whether "present" is the host's. */
const LAST_USER_PAGE = 0x7fff_ffff_f000n;

const faultsInLastUserPage = ({ exit }: CpuOutcome): boolean =>
  exit.kind === "exception" &&
  exit.vector === VECTOR.pf &&
  exit.cr2 !== undefined &&
  exit.cr2 >> 12n === LAST_USER_PAGE >> 12n;

/** What comes out of a tier differently from the real CPU. `resolved` is the sequence's case. */
export function differencesIn(
  host: HostCpu,
  sequence: Sequence,
  resolved: ResolvedCase,
  expected: NativeRecord,
  tier: SequenceExecutor,
): readonly Difference[] {
  const actual = tier.run(resolved, sequence.number);
  const { source } = sequence;
  if (expected.kind === "lost") return [{ what: "exit", expected: expected.reason, actual: "not compared" }];
  const { record } = expected;
  const flags = isAtEnd(record, resolved) ? (source.undefined?.flags ?? 0) : sequence.openFlagsIfFaulting;
  if (tier.lostReason === "" && recordsAgree(record, actual, flags, source.mode === "long64")) return [];
  const left = outcomeOfRecord(resolved, record, "");
  const right = outcomeOfRecord(resolved, actual, tier.lostReason);
  if (faultsInLastUserPage(left) && faultsInLastUserPage(right)) return [];
  return compareRow(
    sequence.row,
    host,
    { ...source, undefined: { ...source.undefined, flags } },
    left,
    right,
  );
}
