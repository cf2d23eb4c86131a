/**
 * How long a guest stands still while its code is translated or compiled: `typevisor run --stats` says it, after Linux
 * amd64 has booted, run a shell loop and commands on different paths of the engine, and powered off.
 */

import type { Command } from "../contestant.ts";
import { EMULATORS } from "../emulator.ts";
import { figure } from "../figures.ts";
import type { Figure } from "../figures.ts";
import { GuestSession } from "../guest-session.ts";
import type { Part } from "../part.ts";
import { interleave, samplesOf } from "../rounds.ts";
import type { Rounds } from "../rounds.ts";
import { timeShellLoop } from "../shell-loop.ts";
import { startGuest } from "../start.ts";
import { decodeStops } from "../stops.ts";
import type { Stops } from "../stops.ts";
import { timeWorkload, WORKLOAD_NAMES } from "../workloads.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";

const END_LIMIT_MS = 60_000;

const withStatistics = ({ program, arguments: words }: Command): Command => ({
  program,
  arguments: [...words, "--stats", "--format", "json"],
});

export const pauses: Part = {
  summary: "how long the guest stands still for translation and compilation",
  contestants: ["typevisor"],
  async run(bench) {
    const guest = await bench.guest(PRIMARY_GUEST);
    const rounds = await interleave(bench, bench.contestants, async () => {
      const session = new GuestSession(withStatistics(EMULATORS.typevisor.command(guest)));
      try {
        await startGuest(session, guest);
        await timeShellLoop(session);
        for (const name of WORKLOAD_NAMES) await timeWorkload(session, name);
        session.type("exit\n");
        return decodeStops(await session.end(END_LIMIT_MS));
      } finally {
        await session.stop();
      }
    });
    return [
      ...stopFigures("compilation", rounds, (stops) => stops.compilation),
      ...stopFigures("translation", rounds, (stops) => stops.translation),
    ];
  },
};

type AllStops = ReturnType<typeof decodeStops>;

function stopFigures(what: string, rounds: Rounds<AllStops>, of: (stops: AllStops) => Stops): Figure[] {
  const samples = (value: (stops: Stops) => number) => samplesOf(rounds, (stops) => value(of(stops)));
  return [
    figure(
      `longest stop for ${what}`,
      "ms",
      samples(({ longestMs }) => longestMs),
      { groups: ["pauses"] },
    ),
    figure(
      "  99 % up to",
      "ms",
      samples(({ p99Ms }) => p99Ms),
    ),
    figure(
      "  half up to",
      "ms",
      samples(({ p50Ms }) => p50Ms),
    ),
    figure(
      "  all together",
      "s",
      samples(({ totalSeconds }) => totalSeconds),
    ),
  ];
}
