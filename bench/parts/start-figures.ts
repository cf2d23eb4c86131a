/** The start of a guest, which several parts measure. */

import type { Figure } from "../figures.ts";
import type { GroupName } from "../groups.ts";
import type { Clock } from "../part.ts";
import type { Rounds } from "../rounds.ts";
import type { BothTimes } from "../time-figures.ts";
import { timeFigures } from "../time-figures.ts";

export const PRIMARY_GUEST = "linux-amd64";

export function startFigures<T>(
  clock: Clock,
  guest: string,
  rounds: Rounds<T>,
  startOf: (result: T) => BothTimes,
  groups: readonly GroupName[] = [],
): Figure[] {
  return timeFigures(clock, `${guest}: process start to mark`, rounds, startOf, groups);
}
