/** Linux amd64 from process start to its mark, and a loop in its shell, which the host's busybox runs too. */

import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FetchedGuest } from "../../src/apps/cli/guests/index.ts";
import { emulatorsAmong, EMULATORS } from "../emulator.ts";
import type { EmulatorName, Machine } from "../emulator.ts";
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

/** TCG keeps nothing between starts: beside it stands its only one. */
const SECOND_START = `${PRIMARY_GUEST}: the same with the profile of an earlier start`;
/** A guest tells what it has learnt when it waits for long for the first time. */
const LEARNING_QUIET_MS = 2000;

export const linux: Part = {
  summary: "Linux amd64: start and shell loop",
  contestants: ["typevisor", "qemuTcg", "native"],
  async run(bench) {
    const guest = await bench.guest(PRIMARY_GUEST);
    await using cache = await mkdtempDisposable(join(tmpdir(), "typevisor-bench-"));
    const again = new SecondStart({ ...guest, cacheFolder: cache.path });
    const rounds = await interleave(bench, emulatorsAmong(bench.contestants), async (name) => {
      const first = await startAndLoop(name, guest);
      return { ...first, second: name === "typevisor" ? await again.time() : first.start };
    });
    const loops = {
      ...mapRounds(rounds, ({ loop }) => loop),
      ...(bench.contestants.includes("native") ? nativeLoops(bench) : {}),
    };
    return [
      ...startFigures(bench.clock, PRIMARY_GUEST, rounds, ({ start }) => start, ["boot"]),
      ...timeFigures(bench.clock, SECOND_START, rounds, ({ second }) => second),
      ...timeFigures(bench.clock, "shell loop", loops, (time) => time, ["shellLoop"]),
    ];
  },
};

async function startAndLoop(name: EmulatorName, guest: FetchedGuest) {
  const session = new GuestSession(EMULATORS[name].command(guest));
  try {
    return { start: await startGuest(session, guest), loop: await timeShellLoop(session) };
  } finally {
    await session.stop();
  }
}

/** Starts of a kernel of which an earlier start, which is not timed, has left a profile. */
class SecondStart {
  readonly #guest: FetchedGuest & Machine;
  #hasLearnt = false;

  constructor(guest: FetchedGuest & Machine) {
    this.#guest = guest;
  }

  async time(): Promise<BothTimes> {
    if (!this.#hasLearnt) await this.#start(LEARNING_QUIET_MS);
    this.#hasLearnt = true;
    return await this.#start(0);
  }

  async #start(quietMs: number): Promise<BothTimes> {
    const session = new GuestSession(EMULATORS.typevisor.command(this.#guest));
    try {
      const times = await startGuest(session, this.#guest);
      await session.waitForQuiet(quietMs);
      return times;
    } finally {
      await session.stop();
    }
  }
}

/** The guest has a static busybox of the same release. */
function nativeLoops({ rounds, leaveOut }: Bench): Rounds<BothTimes> {
  const sentence = missing("busybox");
  if (sentence !== undefined) {
    leaveOut(`the shell loop natively: ${sentence}`);
    return {};
  }
  return { native: Array.from({ length: rounds }, nativeLoop) };
}
