/** The start of the other guests with a mark on their serial port. */

import { emulatorsAmong, EMULATORS } from "../emulator.ts";
import type { Figure } from "../figures.ts";
import { GuestSession } from "../guest-session.ts";
import type { Part } from "../part.ts";
import { interleave } from "../rounds.ts";
import { startGuest } from "../start.ts";
import { startFigures } from "./start-figures.ts";

const GUESTS = ["linux-i386", "gnumach"];

export const others: Part = {
  summary: "start of the other guests",
  contestants: ["typevisor", "qemuTcg"],
  async run(bench) {
    const figures: Figure[] = [];
    for (const name of GUESTS) {
      const guest = await bench.guest(name);
      const rounds = await interleave(bench, emulatorsAmong(bench.contestants), async (emulator) => {
        const session = new GuestSession(EMULATORS[emulator].command(guest));
        try {
          return await startGuest(session, guest);
        } finally {
          await session.stop();
        }
      });
      figures.push(...startFigures(bench.clock, name, rounds, (start) => start));
    }
    return figures;
  },
};
