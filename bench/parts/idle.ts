/** Processor time and memory of a Linux guest that waits at its prompt. */

import { emulatorsAmong, EMULATORS } from "../emulator.ts";
import { figure } from "../figures.ts";
import { measureIdle } from "../idle.ts";
import type { MemoryUse } from "../../src/platform/node/index.ts";
import type { Part } from "../part.ts";
import { interleave, samplesOf } from "../rounds.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";

const MB = 1e6;
const MOST_PROCESSOR_PERCENT = 2;
const MOST_OVERHEAD_MB = 120;

const MEMORY = [
  ["  of it without the program's files", (memory) => memory.overhead - memory.parts.programFiles],
  ["  of it unchanged files of the program", (memory) => memory.parts.programFiles],
  ["  of it the engine's prefix", (memory) => memory.parts.enginePrefix],
  ["  of it compiled code", (memory) => memory.parts.compiledCode],
  ["  of it heaps and the rest", (memory) => memory.parts.anonymousRest],
  ["idle: touched guest RAM", (memory) => memory.touchedGuestRam],
  ["idle: resident, all together", (memory) => memory.resident],
] as const satisfies readonly (readonly [string, (memory: MemoryUse) => number])[];

export const idle: Part = {
  summary: "processor time and memory of an idle Linux amd64",
  contestants: ["typevisor", "qemuTcg"],
  async run(bench) {
    const guest = await bench.guest(PRIMARY_GUEST);
    const rounds = await interleave(bench, emulatorsAmong(bench.contestants), (name) =>
      measureIdle(EMULATORS[name], guest),
    );
    return [
      figure(
        "idle: processor time",
        "% of a core",
        samplesOf(rounds, ({ processorPercent }) => processorPercent),
        { most: MOST_PROCESSOR_PERCENT },
      ),
      figure(
        "idle: memory beyond touched guest RAM",
        "MB",
        samplesOf(rounds, ({ memory }) => memory.overhead / MB),
        { most: MOST_OVERHEAD_MB },
      ),
      ...MEMORY.map(([name, bytesOf]) =>
        figure(
          name,
          "MB",
          samplesOf(rounds, ({ memory }) => bytesOf(memory) / MB),
        ),
      ),
    ];
  },
};
