/**
 * Several busy guests on one core: each says with a mark that it has done another unit of the same work. The marks of
 * all are counted for a while, beside the processor time that all their processes and threads used.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "./contestant.ts";
import type { Emulator, Machine } from "./emulator.ts";
import { GuestSession } from "./guest-session.ts";
import { memoryUse } from "../src/platform/node/index.ts";
import { treeThreadSeconds } from "./proc.ts";
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
const WATCH_MS = 10_000;
const LIMIT_MS = 600_000;

export interface Work {
  /** Units of all guests together, by the clock and by the processor time that they were given. */
  readonly perSecond: number;
  readonly perProcessorSecond: number;
  /** Of one VM, in the mean. */
  readonly overheadBytes: number;
}

const onOneCore = ({ program, arguments: words }: Command): Command => ({
  program: "taskset",
  arguments: ["--cpu-list", `${CORE}`, program, ...words],
});

/** `place` has one task, which works for ever. */
export async function workTogether(
  emulator: Emulator,
  place: TaskPlace,
  machine: Machine,
  count: number,
): Promise<Work> {
  const sessions = Array.from(
    { length: count },
    () => new GuestSession(onOneCore(place.command(emulator.name))),
  );
  try {
    await Promise.all(
      sessions.map(async (session) => {
        await servesTasks(session);
        session.type("0 run\n");
        await session.waitFor(UNITS_BEFORE, LIMIT_MS);
      }),
    );
    const processorSeconds = (): number =>
      sessions.reduce((sum, session) => sum + treeThreadSeconds(session.pid), 0);
    const unitsSoFar = (): number => sessions.reduce((sum, session) => sum + session.count(UNIT), 0);
    const before = { ms: performance.now(), processor: processorSeconds(), units: unitsSoFar() };
    await sleep(WATCH_MS);
    const units = unitsSoFar() - before.units;
    const memory = {
      prefixBytes: emulator.memoryPrefixBytes,
      behindMaxBytes: emulator.memoryBehindMaxBytes,
      ramBytes: machine.memorySizeBytes,
    };
    return {
      perSecond: (1000 * units) / (performance.now() - before.ms),
      perProcessorSecond: units / (processorSeconds() - before.processor),
      overheadBytes:
        sessions.reduce(
          (sum, session) => sum + memoryUse(emulator.vmProcess(session.pid), memory).overhead,
          0,
        ) / count,
    };
  } finally {
    await Promise.all(sessions.map((session) => session.stop()));
  }
}
