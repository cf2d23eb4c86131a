/** Commands in the shell of Linux amd64, each on a different path of an emulator. They have no goal. */

import { emulatorsAmong, EMULATORS } from "../emulator.ts";
import { GuestSession } from "../guest-session.ts";
import type { Part } from "../part.ts";
import { interleave } from "../rounds.ts";
import type { BothTimes } from "../time-figures.ts";
import { startGuest } from "../start.ts";
import { timeFigures } from "../time-figures.ts";
import { timeWorkload, WORKLOAD_NAMES } from "../workloads.ts";
import type { WorkloadName } from "../workloads.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";

export const workloads: Part = {
  summary: "commands in the shell of Linux amd64",
  contestants: ["typevisor", "qemuTcg"],
  async run(bench) {
    const guest = await bench.guest(PRIMARY_GUEST);
    const names = WORKLOAD_NAMES;
    const rounds = await interleave(bench, emulatorsAmong(bench.contestants), async (emulator) => {
      const session = new GuestSession(EMULATORS[emulator].command(guest));
      try {
        await startGuest(session, guest);
        const times = new Map<WorkloadName, BothTimes>();
        for (const name of names) times.set(name, await timeWorkload(session, name));
        return times;
      } finally {
        await session.stop();
      }
    });
    return names.flatMap((name) => timeFigures(bench.clock, name, rounds, (times) => times.get(name)));
  },
};
