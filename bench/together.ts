/**
 * Several busy guests on one core: each says with a mark that it has done another unit of the same work. The marks of
 * those that run are counted for a while, beside the processor time that all their processes and threads use, while the
 * others are stopped. One guest and many take turns every few seconds, since a core of a machine that others use too is now
 * faster, now slower.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "./contestant.ts";
import { emulatorMemory } from "./emulator.ts";
import type { Emulator, Machine } from "./emulator.ts";
import { GuestSession } from "./guest-session.ts";
import { treeThreadSeconds } from "./proc.ts";
import { turns } from "./rounds.ts";
import { median } from "./statistics.ts";
import type { TaskPlace } from "./task-place.ts";
import { servesTasks } from "./tasks.ts";

/** The core that all are bound to; the bench itself may be on any. */
const CORE = 0;
/**
 * Units after which a guest's loop is compiled and its emulator at rest. Each guest does them: what were still to come
 * would be done once by one guest in the same time in which eight do it eight times.
 */
const UNITS_BEFORE = ".".repeat(100);
const UNIT = /\./g;
/** Pairs of one guest and many, others in each. */
const PAIRS = 10;
/** What guests' start took for a while has been given back. */
const REST_MS = 8_000;
/** Guests that were stopped make up for ticks of their timers. */
const SETTLE_MS = 300;
const WATCH_ONE_MS = 1_200;
const WATCH_MANY_MS = 2_400;
const LIMIT_MS = 600_000;

/** Of so many guests together. */
export interface Work {
  /** Units of all, by the clock and by the processor time that they were given. */
  readonly perSecond: number;
  readonly perProcessorSecond: number;
  /** By processor time, of what one guest does: the median of the pairs. */
  readonly shareOfOne: number;
  /** Of one, in the mean, when so many have been started. */
  readonly overheadBytes: number;
}

const onOneCore = ({ program, arguments: words }: Command): Command => ({
  program: "taskset",
  arguments: ["--cpu-list", `${CORE}`, program, ...words],
});

/** `place` has one task, which works for ever; the counts rise from 1. */
export async function workTogether(
  emulator: Emulator,
  place: TaskPlace,
  machine: Machine,
  counts: readonly number[],
): Promise<readonly Work[]> {
  const overheadOf = ({ pid }: GuestSession): number =>
    emulatorMemory(emulator, pid, machine.memorySizeBytes).overhead;
  const sessions: GuestSession[] = [];
  try {
    const overheads: number[] = [];
    for (const count of counts) {
      for (const session of sessions) session.pause();
      await startMore(sessions, count, onOneCore(place.command(emulator.name)));
      for (const session of sessions) session.resume();
      await sleep(REST_MS);
      overheads.push(sum(sessions, overheadOf) / count);
    }
    for (const session of sessions) session.pause();
    const pairs = new Map(counts.map((count): [number, Pair[]] => [count, []]));
    for (let index = 0; index < PAIRS; index++) {
      const turned = turns(sessions, index);
      for (const [count, watched] of pairs) {
        const one = await watch(turned.slice(0, 1), WATCH_ONE_MS);
        const many = count === 1 ? one : await watch(turned.slice(0, count), WATCH_MANY_MS);
        watched.push({ one, many });
      }
    }
    return [...pairs.values()].map((watched, index) => ({
      ...rates(watched.map(({ many }) => many)),
      shareOfOne: median(
        watched.map(({ one, many }) => rates([many]).perProcessorSecond / rates([one]).perProcessorSecond),
      ),
      overheadBytes: overheads[index] ?? NaN,
    }));
  } finally {
    await Promise.all(sessions.map((session) => session.stop()));
  }
}

/** Until there are `count`, all of which have worked for a while. */
async function startMore(sessions: GuestSession[], count: number, command: Command): Promise<void> {
  const started = Array.from({ length: count - sessions.length }, () => new GuestSession(command));
  sessions.push(...started);
  await Promise.all(
    started.map(async (session) => {
      await servesTasks(session);
      session.type("0 run\n");
      await session.waitFor(UNITS_BEFORE, LIMIT_MS);
    }),
  );
}

interface Watched {
  readonly units: number;
  readonly seconds: number;
  readonly processorSeconds: number;
}

/** One after the other. */
interface Pair {
  readonly one: Watched;
  readonly many: Watched;
}

/** Lets these run for a while, which are stopped before and behind. */
async function watch(sessions: readonly GuestSession[], watchMs: number): Promise<Watched> {
  const now = (): Watched => ({
    units: sum(sessions, (session) => session.count(UNIT)),
    seconds: performance.now() / 1000,
    processorSeconds: sum(sessions, ({ pid }) => treeThreadSeconds(pid)),
  });
  for (const session of sessions) session.resume();
  await sleep(SETTLE_MS);
  const before = now();
  await sleep(watchMs);
  const after = now();
  for (const session of sessions) session.pause();
  return {
    units: after.units - before.units,
    seconds: after.seconds - before.seconds,
    processorSeconds: after.processorSeconds - before.processorSeconds,
  };
}

function rates(watched: readonly Watched[]): Pick<Work, "perSecond" | "perProcessorSecond"> {
  const units = sum(watched, (each) => each.units);
  return {
    perSecond: units / sum(watched, ({ seconds }) => seconds),
    perProcessorSecond: units / sum(watched, ({ processorSeconds }) => processorSeconds),
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
