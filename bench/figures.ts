/** What was measured, as data: the samples of each round, and what follows from them. */

import { median, pairedRatio } from "./statistics.ts";

export type Unit = "s" | "% of a core" | "MB";

/** One value per round. */
export interface Samples {
  readonly typevisor: readonly number[];
  readonly qemuTcg: readonly number[];
  /** The same on the host itself, where that makes sense. */
  readonly native?: readonly number[];
}

/** The most that is allowed: of the ratio to TCG, or of our own median. */
export interface Goal {
  readonly of: "ratio" | "typevisor";
  readonly most: number;
}

export interface Figure {
  readonly name: string;
  readonly unit: Unit;
  readonly medians: { readonly typevisor: number; readonly qemuTcg: number; readonly native?: number };
  /** Our value relative to TCG's; undefined for what has no meaningful ratio. */
  readonly ratio?: number;
  readonly goal?: Goal & { readonly isMet: boolean };
  readonly samples: Samples;
}

export interface FigureOptions {
  readonly goal?: Goal;
  /** Times have a ratio unless this says otherwise. */
  readonly hasRatio?: boolean;
}

export function figure(name: string, unit: Unit, samples: Samples, options: FigureOptions = {}): Figure {
  const { goal, hasRatio = unit === "s" } = options;
  const ratio = pairedRatio(samples.typevisor, samples.qemuTcg);
  const ours = median(samples.typevisor);
  return {
    name,
    unit,
    medians: {
      typevisor: ours,
      qemuTcg: median(samples.qemuTcg),
      ...(samples.native === undefined ? {} : { native: median(samples.native) }),
    },
    ...(hasRatio ? { ratio } : {}),
    ...(goal === undefined
      ? {}
      : { goal: { ...goal, isMet: (goal.of === "ratio" ? ratio : ours) <= goal.most } }),
    samples,
  };
}
