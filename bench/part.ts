/**
 * A part of the benchmark: named, with what it needs and who can take part. A part is a file in parts/ and a line in
 * parts/index.ts; main.ts finds out who is there and leaves out a part whose tools are missing.
 */

import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import type { ContestantName } from "./contestant.ts";
import type { Figure } from "./figures.ts";
import type { ToolName } from "./tools.ts";

export interface Part {
  /** A few words for --help. */
  readonly summary: string;
  readonly contestants: readonly ContestantName[];
  /** Without one of these the part cannot be measured at all. */
  readonly needs?: readonly ToolName[];
  /** What --only chooses from, where there is a choice. */
  readonly workloads?: readonly string[];
  run(bench: Bench): Promise<Figure[]>;
}

/** Wall time, or the processor time of all threads, which other programs on the machine hardly change. */
export type Clock = "wall" | "processor";

/** What a part is given. */
export interface Bench {
  readonly rounds: number;
  /** Those of the part's contestants that are here and asked for. */
  readonly contestants: readonly ContestantName[];
  /** Those of the part's workloads that are asked for, in the part's order. */
  readonly workloads: readonly string[];
  /** By which times are compared. */
  readonly clock: Clock;
  /** Says what is going on. */
  readonly progress: (line: string) => void;
  /** Says what is not measured and why, also in the result. */
  readonly leaveOut: (sentence: string) => void;
  readonly guest: (name: string) => Promise<FetchedGuest>;
}
