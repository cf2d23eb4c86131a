/** Tasks as figures: done by everybody in each round, their results compared, wall and processor time of each. */

import type { ContestantName } from "./contestant.ts";
import type { Figure } from "./figures.ts";
import type { GroupName } from "./groups.ts";
import type { Bench } from "./part.ts";
import { interleave } from "./rounds.ts";
import type { Rounds } from "./rounds.ts";
import { missingForNative } from "./task-place.ts";
import type { TaskPlace } from "./task-place.ts";
import { timeTasks } from "./tasks.ts";
import { timeFigures } from "./time-figures.ts";
import type { Task, TaskTime } from "./tasks.ts";

/** Who can do tasks here. */
export function doersOfTasks(bench: Bench): ContestantName[] {
  const sentence = bench.contestants.includes("native") ? missingForNative() : undefined;
  if (sentence === undefined) return [...bench.contestants];
  bench.leaveOut(sentence);
  return bench.contestants.filter((name) => name !== "native");
}

export async function taskFigures(
  bench: Bench,
  doers: readonly ContestantName[],
  { place, tasks, group }: { place: TaskPlace; tasks: readonly Task[]; group: GroupName },
): Promise<Figure[]> {
  const rounds = await interleave(bench, doers, (name) =>
    timeTasks(place.command(name), tasks, bench.progress),
  );
  return tasks.flatMap((task, index) => {
    const timeOf = (times: readonly TaskTime[]): TaskTime | undefined => times[index];
    assertSameResult(task, rounds, (times) => timeOf(times)?.result);
    return timeFigures(bench.clock, task.name, rounds, timeOf, [group]);
  });
}

/** Whoever computes something else has not done the work, and its time would mean nothing. */
function assertSameResult<T>(
  task: Task,
  rounds: Rounds<T>,
  resultOf: (result: T) => string | undefined,
): void {
  const results = new Map<string | undefined, string>();
  for (const [contestant, values] of Object.entries(rounds)) {
    for (const value of values) results.set(resultOf(value), contestant);
  }
  if (results.size === 1) return;
  const list = [...results].map(([result, contestant]) => `${contestant} "${result ?? "nothing"}"`);
  throw new Error(`${task.name} has several results: ${list.join(", ")}`);
}
