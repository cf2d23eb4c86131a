/**
 * What regions tell of themselves while they run: calls that lead elsewhere than to what is inlined, runs of floating-point
 * instructions that fail, accesses for which they are left. What is often wrong is not done again when the entry's region is
 * formed anew.
 */
import { RUN_FAILURES_COUNTED } from "../wasm/float-runs.ts";

/** Calls that a region has to tell of until it is formed again: a miss costs some ten nanoseconds more. */
const MISSES_TO_FORM_AGAIN = 100;
/** How often an entry's region is formed again because its calls lead to other callees than those. */
const FORMED_FOR_CALLEES_MAX = 3;
/** Runs that fail more often than once in so many instructions cost more than others save. */
const INSTRUCTIONS_PER_FAILED_RUN = 1000;
/**
 * A check for which a region has been left so often, some microseconds each time, is made no more, unless that was less often
 * than once in so many instructions. Forming a region again costs as much as some hundred times.
 */
export const GIVING_UP_COUNTED = 64;
const INSTRUCTIONS_PER_GIVING_UP = 1_000_000;
/** How often an entry's region is formed again for that; then it shares no checks and is left for no access. */
const FORMED_FOR_ACCESSES_MAX = 4;
/** Failed checks of its mapping after which an entry gets a region within its page only. */
const REMAP_FAILURES_MAX = 2;

/** What is known of an entry by the regions that it has had. */
export class EntryRecord {
  /** Does its region try runs of floating-point instructions? */
  triesRuns = true;
  #remapFailures = 0;
  #formedForCallees = 0;
  #formedForAccesses = 0;
  /** Instructions, by offset, whose accesses do not leave the region. */
  readonly #staying = new Set<number>();

  get mayHaveSeveralPages(): boolean {
    return this.#remapFailures < REMAP_FAILURES_MAX;
  }

  /** Is its region told to count calls that lead elsewhere? */
  get countsMisses(): boolean {
    return this.#formedForCallees < FORMED_FOR_CALLEES_MAX;
  }

  mayGiveUp(offset: number): boolean {
    return this.#formedForAccesses < FORMED_FOR_ACCESSES_MAX && !this.#staying.has(offset);
  }

  remapFailed(): void {
    this.#remapFailures++;
  }

  formedForCallees(): void {
    this.#formedForCallees++;
  }

  formedForAccesses(offsets: readonly number[]): void {
    this.#formedForAccesses++;
    for (const offset of offsets) this.#staying.add(offset);
  }
}

/** What one region tells; each call says whether it is to be formed again. Times are numbers of executed instructions. */
export class RegionRecord {
  readonly entry: EntryRecord;
  #misses = 0;
  #runsFailedAt: number;
  /** By offset, since the time below. */
  readonly #timesGivenUp = new Map<number, number>();
  #givenUpSince: number;

  constructor(entry: EntryRecord, now: number) {
    this.entry = entry;
    this.#runsFailedAt = now;
    this.#givenUpSince = now;
  }

  guardMissed(): boolean {
    if (++this.#misses < MISSES_TO_FORM_AGAIN) return false;
    this.entry.formedForCallees();
    return true;
  }

  /** RUN_FAILURES_COUNTED runs have failed. */
  runsFailed(now: number): boolean {
    const since = now - this.#runsFailedAt;
    this.#runsFailedAt = now;
    if (since > RUN_FAILURES_COUNTED * INSTRUCTIONS_PER_FAILED_RUN) return false;
    this.entry.triesRuns = false;
    return true;
  }

  /** It has been left for an access of the instruction at an offset. */
  gaveUp(offset: number, now: number): boolean {
    const times = (this.#timesGivenUp.get(offset) ?? 0) + 1;
    this.#timesGivenUp.set(offset, times);
    if (times < GIVING_UP_COUNTED) return false;
    const since = now - this.#givenUpSince;
    const often = [...this.#timesGivenUp].filter(([, count]) => count >= GIVING_UP_COUNTED / 4);
    this.#givenUpSince = now;
    this.#timesGivenUp.clear();
    if (since > GIVING_UP_COUNTED * INSTRUCTIONS_PER_GIVING_UP) return false;
    this.entry.formedForAccesses(often.map(([at]) => at));
    return true;
  }
}
