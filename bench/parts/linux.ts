/** Linux amd64 from process start to its mark, and a loop in its shell, which the host's busybox runs too. */

import { emulatorsAmong, EMULATORS } from "../emulator.ts";
import { GuestSession } from "../guest-session.ts";
import type { Bench, Part } from "../part.ts";
import { interleave, mapRounds } from "../rounds.ts";
import type { Rounds } from "../rounds.ts";
import type { BothTimes } from "../time-figures.ts";
import { nativeLoop, timeShellLoop } from "../shell-loop.ts";
import { startGuest } from "../start.ts";
import { timeFigures } from "../time-figures.ts";
import { missing } from "../tools.ts";
import { PRIMARY_GUEST, startFigures } from "./start-figures.ts";

export const linux: Part = {
  summary: "Linux amd64: start and shell loop",
  contestants: ["typevisor", "qemuTcg", "native"],
  async run(bench) {
    const guest = await bench.guest(PRIMARY_GUEST);
    const rounds = await interleave(bench, emulatorsAmong(bench.contestants), async (name) => {
      const session = new GuestSession(EMULATORS[name].command(guest));
      try {
        return { start: await startGuest(session, guest), loop: await timeShellLoop(session) };
      } finally {
        await session.stop();
      }
    });
    const loops = {
      ...mapRounds(rounds, ({ loop }) => loop),
      ...(bench.contestants.includes("native") ? nativeLoops(bench) : {}),
    };
    return [
      ...startFigures(bench.clock, PRIMARY_GUEST, rounds, ({ start }) => start, ["boot"]),
      ...timeFigures(bench.clock, "shell loop", loops, (time) => time, ["shellLoop"]),
    ];
  },
};

/** The guest has a static busybox of the same release. */
function nativeLoops({ rounds, leaveOut }: Bench): Rounds<BothTimes> {
  const sentence = missing("busybox");
  if (sentence !== undefined) {
    leaveOut(`the shell loop natively: ${sentence}`);
    return {};
  }
  return { native: Array.from({ length: rounds }, nativeLoop) };
}
