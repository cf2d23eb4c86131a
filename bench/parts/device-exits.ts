/** What it costs to leave guest code for a device's register and come back: a multiboot guest's loops, less an empty one. */

import { MiB } from "../../src/base/index.ts";
import type { Command } from "../contestant.ts";
import { emulatorsAmong, EMULATORS } from "../emulator.ts";
import { figure } from "../figures.ts";
import { GuestSession } from "../guest-session.ts";
import type { Part } from "../part.ts";
import { interleave, samplesOf } from "../rounds.ts";
import { buildStaticProgram } from "../static-program.ts";

/** The guest's letters for its loops. */
const LOOPS = { empty: "e", portRead: "i", portWrite: "o", mmioRead: "m" } as const;
type Loop = keyof typeof LOOPS;

/** COUNT of programs/device-exits.S. */
const ITERATIONS = 2_000_000;
/** The first run of a loop also translates it; of the others the shortest was disturbed least. */
const REPETITIONS = 5;
const LIMIT_MS = 120_000;
const MEMORY_BYTES = 16 * MiB;

const FLAGS = ["-m32", "-nostdlib", "-Wl,-N,-Ttext=0x100000,--build-id=none,--no-warn-rwx-segments"];

/** Nanoseconds per iteration of each loop. */
async function timeLoops(command: Command): Promise<Record<Loop, number>> {
  const session = new GuestSession(command);
  try {
    await session.waitFor("@ready", LIMIT_MS);
    const shortest = { empty: Infinity, portRead: Infinity, portWrite: Infinity, mmioRead: Infinity };
    for (let repetition = 0; repetition < REPETITIONS; repetition++) {
      for (const loop of ["empty", "portRead", "portWrite", "mmioRead"] as const) {
        const startMs = session.nowMs();
        session.type(LOOPS[loop]);
        const endMs = await session.waitFor("@done", LIMIT_MS);
        shortest[loop] = Math.min(shortest[loop], ((endMs - startMs) * 1e6) / ITERATIONS);
      }
    }
    return shortest;
  } finally {
    await session.stop();
  }
}

export const deviceExits: Part = {
  summary: "exits to a device and back: port and MMIO",
  contestants: ["typevisor", "qemuTcg"],
  needs: ["gcc"],
  async run(bench) {
    const machine = {
      kernelPath: buildStaticProgram("device-exits.S", ...FLAGS),
      commandLine: "",
      memorySizeBytes: MEMORY_BYTES,
    };
    const rounds = await interleave(bench, emulatorsAmong(bench.contestants), (name) =>
      timeLoops(EMULATORS[name].command(machine)),
    );
    return (
      [
        ["port read", "portRead"],
        ["port write", "portWrite"],
        ["MMIO read", "mmioRead"],
      ] as const
    ).map(([name, loop]) =>
      figure(
        `${name} and back`,
        "ns",
        samplesOf(rounds, (times) => times[loop] - times.empty),
        { groups: ["deviceExit"] },
      ),
    );
  },
};
