/**
 * The groups of figures that have a goal, and their geometric means: one number for a kind of work, in which twice as
 * fast here and half as fast there cancel out.
 */

import type { ReferenceName } from "./contestant.ts";
import { LABELS } from "./contestant.ts";
import type { Figure } from "./figures.ts";
import { geometricMean, median } from "./statistics.ts";

/** Each says what must be reached (`least`, `most`) and what is aimed at. */
export type Goal =
  /** The geometric mean of how many times faster than the reference. */
  | { readonly kind: "faster"; readonly than: ReferenceName; readonly least: number; readonly aim: number }
  /** No member is slower than the reference. */
  | { readonly kind: "none-slower"; readonly than: ReferenceName }
  /** The geometric mean of how many times the reference's time ours is. */
  | { readonly kind: "within"; readonly of: ReferenceName; readonly most: number; readonly aim: number }
  /** The worst of our own medians, whatever the others do. */
  | { readonly kind: "own"; readonly most: number; readonly aim: number };

export interface Group {
  readonly title: string;
  readonly goals: readonly Goal[];
}

const OS_GOALS = [{ kind: "faster", than: "qemuTcg", least: 1, aim: 2 }] as const;

export const GROUPS = {
  cpuKernels: {
    title: "CPU kernels",
    goals: [
      { kind: "faster", than: "qemuTcg", least: 1.7, aim: 2.5 },
      { kind: "none-slower", than: "qemuTcg" },
      { kind: "within", of: "native", most: 4.5, aim: 2.5 },
    ],
  },
  /** No goal of its own: shows what the mean of all kernels owes to floating point. */
  integerKernels: { title: "integer kernels", goals: [] },
  floatingPoint: {
    title: "floating point",
    goals: [{ kind: "faster", than: "qemuTcg", least: 4, aim: 8 }],
  },
  kernels32: {
    title: "32-bit kernels",
    goals: [{ kind: "faster", than: "v86", least: 4, aim: 8 }],
  },
  shellLoop: { title: "shell loop", goals: [{ kind: "faster", than: "qemuTcg", least: 1.8, aim: 3 }] },
  osWork: { title: "OS work", goals: OS_GOALS },
  realPrograms: { title: "real programs", goals: OS_GOALS },
  disks: { title: "disk on virtio", goals: OS_GOALS },
  network: { title: "TCP by virtio", goals: OS_GOALS },
  boot: { title: "boot to init", goals: [{ kind: "faster", than: "qemuTcg", least: 1, aim: 2 }] },
  deviceExit: { title: "exit to a device and back, ns", goals: [{ kind: "own", most: 100, aim: 20 }] },
  pauses: { title: "longest pause for translation, ms", goals: [{ kind: "own", most: 20, aim: 20 }] },
} as const satisfies Record<string, Group>;

export type GroupName = keyof typeof GROUPS;

export interface GoalResult {
  readonly goal: Goal;
  /** The goal in words, and who misses it where that can be said. */
  readonly sentence: string;
  readonly value: number;
  readonly isMet: boolean;
  readonly isAimMet: boolean;
}

export interface GroupResult {
  readonly name: GroupName;
  readonly title: string;
  /** Names of the figures in it. */
  readonly members: readonly string[];
  /** Geometric means over the members that have the ratio. */
  readonly faster: Readonly<Partial<Record<ReferenceName, number>>>;
  /** Goals whose reference took part. */
  readonly goals: readonly GoalResult[];
}

/** The groups that have a figure. */
export function groupResults(figures: readonly Figure[]): GroupResult[] {
  return Object.keys(GROUPS)
    .filter(isGroup)
    .flatMap((name) => {
      const members = figures.filter(({ groups }) => groups.includes(name));
      return members.length === 0 ? [] : [groupResult(name, members)];
    });
}

function groupResult(name: GroupName, members: readonly Figure[]): GroupResult {
  const group: Group = GROUPS[name];
  const faster: Partial<Record<ReferenceName, number>> = {};
  for (const reference of ["qemuTcg", "v86", "native"] as const) {
    const ratios = ratiosTo(members, reference);
    if (ratios.length > 0) faster[reference] = geometricMean(ratios);
  }
  return {
    name,
    title: group.title,
    members: members.map((member) => member.name),
    faster,
    goals: group.goals.flatMap((goal) => goalResult(goal, members)),
  };
}

function goalResult(goal: Goal, members: readonly Figure[]): GoalResult[] {
  switch (goal.kind) {
    case "faster": {
      const ratios = ratiosTo(members, goal.than);
      if (ratios.length === 0) return [];
      const value = geometricMean(ratios);
      const sentence = `at least ${goal.least}× faster than ${LABELS[goal.than]} (aim ${goal.aim}×)`;
      return [{ goal, sentence, value, isMet: value >= goal.least, isAimMet: value >= goal.aim }];
    }
    case "none-slower": {
      const ratios = ratiosTo(members, goal.than);
      if (ratios.length === 0) return [];
      const value = Math.min(...ratios);
      const slower = members.filter(({ faster }) => (faster[goal.than] ?? 1) < 1).map(({ name }) => name);
      const sentence = `none slower than ${LABELS[goal.than]}${slower.length === 0 ? "" : `: ${slower.join(", ")}`}`;
      return [{ goal, sentence, value, isMet: value >= 1, isAimMet: value >= 1 }];
    }
    case "within": {
      const ratios = ratiosTo(members, goal.of);
      if (ratios.length === 0) return [];
      const value = 1 / geometricMean(ratios);
      const sentence = `within ${goal.most}× of ${LABELS[goal.of]} (aim ${goal.aim}×)`;
      return [{ goal, sentence, value, isMet: value <= goal.most, isAimMet: value <= goal.aim }];
    }
    case "own": {
      const own = members.flatMap(({ samples }) =>
        samples.typevisor === undefined ? [] : [median(samples.typevisor)],
      );
      if (own.length === 0) return [];
      const value = Math.max(...own);
      const sentence = `at most ${goal.most} (aim ${goal.aim})`;
      return [{ goal, sentence, value, isMet: value <= goal.most, isAimMet: value <= goal.aim }];
    }
  }
}

function ratiosTo(members: readonly Figure[], reference: ReferenceName): number[] {
  return members.flatMap(({ faster }) => faster[reference] ?? []);
}

export const isGroup = (name: string): name is GroupName => Object.hasOwn(GROUPS, name);
