/** What one run of the bench says, as it is written to bench/results/. */

import type { Figure } from "./figures.ts";
import type { GroupResult } from "./groups.ts";
import type { Host } from "./host.ts";
import type { Clock } from "./part.ts";

export const RESULT_FORMAT = 2;

export interface BenchResult {
  readonly format: typeof RESULT_FORMAT;
  readonly startedAt: string;
  readonly host: Host;
  readonly rounds: number;
  /** What times are compared by; the other clock's stand beneath them. */
  readonly clock: Clock;
  /** The machine's load average of one minute before and after: our own is in the latter. */
  readonly load: { readonly before: number; readonly after: number };
  /** Contestants and parts that were left out, each with the reason. */
  readonly leftOut: readonly string[];
  /** Parts that ended with an error, which is among what was left out. */
  readonly failed: readonly string[];
  readonly parts: readonly PartResult[];
  readonly groups: readonly GroupResult[];
}

export interface PartResult {
  readonly name: string;
  readonly figures: readonly Figure[];
}

export function allGoalsMet({ parts, groups }: BenchResult): boolean {
  return (
    groups.every(({ goals }) => goals.every(({ isMet }) => isMet)) &&
    parts.every(({ figures }) => figures.every(({ goal }) => goal === undefined || goal.isMet))
  );
}
