/** What it costs to leave guest code for a device's register and come back: a multiboot guest's loops, less an empty one. */

import { timeExits } from "../device-exits.ts";
import { emulatorsAmong, EMULATORS } from "../emulator.ts";
import { figure } from "../figures.ts";
import type { Part } from "../part.ts";
import { interleave, samplesOf } from "../rounds.ts";

const REPETITIONS = 5;

export const deviceExits: Part = {
  summary: "exits to a device and back: port and MMIO",
  contestants: ["typevisor", "qemuTcg"],
  needs: ["gcc"],
  async run(bench) {
    const rounds = await interleave(bench, emulatorsAmong(bench.contestants), (name) =>
      timeExits(EMULATORS[name], REPETITIONS),
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
