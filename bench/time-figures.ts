/** Times by both clocks: the one that was asked for enters the groups, the other one stands beneath it. */

import { figure } from "./figures.ts";
import type { Figure } from "./figures.ts";
import type { GroupName } from "./groups.ts";
import type { Clock } from "./part.ts";
import { samplesOf } from "./rounds.ts";
import type { Rounds } from "./rounds.ts";

export interface BothTimes {
  readonly wallSeconds: number;
  /** Of all processes and threads, those that compile too. */
  readonly processorSeconds: number;
}

export function timeFigures<T>(
  clock: Clock,
  name: string,
  rounds: Rounds<T>,
  timesOf: (result: T) => BothTimes | undefined,
  groups: readonly GroupName[] = [],
): Figure[] {
  const wall = samplesOf(rounds, (result) => timesOf(result)?.wallSeconds ?? NaN);
  const processor = samplesOf(rounds, (result) => timesOf(result)?.processorSeconds ?? NaN);
  return clock === "wall"
    ? [figure(name, "s", wall, { groups }), figure("  processor time", "s", processor)]
    : [figure(name, "s", processor, { groups }), figure("  wall time", "s", wall)];
}
