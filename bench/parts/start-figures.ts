/** The figures of a guest's start, which several parts have. */

import { figure } from "../figures.ts";
import type { Figure, Samples } from "../figures.ts";
import type { GroupName } from "../groups.ts";

export const PRIMARY_GUEST = "linux-amd64";

export interface StartSamples {
  readonly wallSeconds: Samples;
  readonly processorSeconds: Samples;
  readonly groups?: readonly GroupName[];
}

export function startFigures(guest: string, samples: StartSamples): Figure[] {
  return [
    figure(`${guest}: process start to mark`, "s", samples.wallSeconds, { groups: samples.groups ?? [] }),
    figure(`${guest}: processor time until then`, "s", samples.processorSeconds),
  ];
}
