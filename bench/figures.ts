/** What was measured, as data: the samples of each round, and what follows from them. */

import { SUBJECT } from "./contestant.ts";
import type { PerContestant, ReferenceName } from "./contestant.ts";
import type { GroupName } from "./groups.ts";
import { median, pairedRatio } from "./statistics.ts";

export const UNITS = ["s", "ms", "ns", "per s", "% of a core", "%", "MB"] as const;

export type Unit = (typeof UNITS)[number];

/** One value per round and contestant; those who took part have a value in every round. */
export type Samples = PerContestant<readonly number[]>;

export interface Figure {
  readonly name: string;
  readonly unit: Unit;
  /** The groups whose means it enters. */
  readonly groups: readonly GroupName[];
  readonly medians: PerContestant<number>;
  /** How many times faster we are than each other contestant; below 1 we are slower. Only of times and rates. */
  readonly faster: Readonly<Partial<Record<ReferenceName, number>>>;
  /** The most that our own median may be, if there is such a limit. */
  readonly goal?: { readonly most: number; readonly isMet: boolean };
  readonly samples: Samples;
}

export interface FigureOptions {
  readonly groups?: readonly GroupName[];
  readonly most?: number;
}

const REFERENCES = ["qemuTcg", "v86", "native"] as const satisfies readonly ReferenceName[];
const TIMES: readonly Unit[] = ["s", "ms", "ns"];

export function figure(name: string, unit: Unit, samples: Samples, options: FigureOptions = {}): Figure {
  const { groups = [], most } = options;
  const ours = samples[SUBJECT];
  const medians: Partial<Record<keyof Samples, number>> = {};
  if (ours !== undefined) medians[SUBJECT] = median(ours);
  const faster: Partial<Record<ReferenceName, number>> = {};
  for (const reference of REFERENCES) {
    const theirs = samples[reference];
    if (theirs === undefined) continue;
    medians[reference] = median(theirs);
    if (ours === undefined) continue;
    if (TIMES.includes(unit)) faster[reference] = pairedRatio(theirs, ours);
    else if (unit === "per s") faster[reference] = pairedRatio(ours, theirs);
  }
  const own = medians[SUBJECT];
  return {
    name,
    unit,
    groups,
    medians,
    faster,
    ...(most === undefined || own === undefined ? {} : { goal: { most, isMet: own <= most } }),
    samples,
  };
}
