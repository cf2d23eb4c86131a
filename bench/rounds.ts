/**
 * Rounds in which every contestant takes its turn, so that a load which comes and goes weighs on all of them. Who goes
 * first changes from round to round, since what runs later finds warmer caches and a hotter processor.
 */

import { LABELS } from "./contestant.ts";
import type { ContestantName, PerContestant } from "./contestant.ts";
import type { Samples } from "./figures.ts";
import type { Bench } from "./part.ts";

/** What each contestant gave, one result per round. */
export type Rounds<T> = PerContestant<readonly T[]>;

/** Contestants, or others who take turns, in the order of one round. */
export function turns<T>(all: readonly T[], round: number): readonly T[] {
  const first = all.length === 0 ? 0 : round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

export async function interleave<T, Name extends ContestantName>(
  { rounds, progress }: Pick<Bench, "rounds" | "progress">,
  names: readonly Name[],
  measure: (name: Name) => Promise<T>,
): Promise<Rounds<T>> {
  const results = new Map<ContestantName, T[]>();
  for (let round = 0; round < rounds; round++) {
    for (const name of turns(names, round)) {
      progress(`round ${round + 1} of ${rounds}: ${LABELS[name]}`);
      const result = await measure(name);
      results.set(name, [...(results.get(name) ?? []), result]);
    }
  }
  return Object.fromEntries(results);
}

/** The same of each result. */
export function mapRounds<T, U>(rounds: Rounds<T>, of: (result: T) => U): Rounds<U> {
  return {
    ...(rounds.typevisor && { typevisor: rounds.typevisor.map(of) }),
    ...(rounds.qemuTcg && { qemuTcg: rounds.qemuTcg.map(of) }),
    ...(rounds.v86 && { v86: rounds.v86.map(of) }),
    ...(rounds.native && { native: rounds.native.map(of) }),
  };
}

/** One number of each result. */
export function samplesOf<T>(rounds: Rounds<T>, of: (result: T) => number): Samples {
  return mapRounds(rounds, of);
}
