/**
 * The CPU kernels in Linux amd64, the same program natively. In each round every emulator boots its guest anew, so that
 * nothing translated in one round helps the next; then they take turns kernel by kernel, so that the times which are
 * compared were taken within seconds of each other. A guest that waits at its prompt takes next to no time.
 */

import { readFileSync } from "node:fs";
import type { ContestantName } from "../contestant.ts";
import { emulatorsAmong, EMULATORS } from "../emulator.ts";
import { withFiles } from "../guest-files.ts";
import { GuestSession } from "../guest-session.ts";
import { buildKernels, isFloatKernel, KERNELS } from "../kernel-build.ts";
import { KernelResults } from "../kernel-results.ts";
import { runNatively, timeKernel } from "../kernel-run.ts";
import type { KernelRun } from "../kernel-run.ts";
import type { Part } from "../part.ts";
import { turns } from "../rounds.ts";
import { startGuest } from "../start.ts";
import { PRIMARY_GUEST } from "./start-figures.ts";

/** Long enough for the prompt of a shell to be complete. */
const QUIET_MS = 400;

export const kernels: Part = {
  summary: "CPU kernels in Linux amd64",
  contestants: ["typevisor", "qemuTcg", "native"],
  needs: ["gcc"],
  workloads: KERNELS,
  async run(bench) {
    const program = buildKernels("linux64");
    const guest = withFiles(await bench.guest(PRIMARY_GUEST), [
      { kind: "directory", path: "bench" },
      { kind: "file", path: "bench/kernels", mode: 0o755, data: readFileSync(program) },
    ]);
    const results = new KernelResults();
    for (let round = 0; round < bench.rounds; round++) {
      bench.progress(`round ${round + 1} of ${bench.rounds}`);
      const sessions = new Map<ContestantName, GuestSession>();
      try {
        for (const name of emulatorsAmong(turns(bench.contestants, round))) {
          const session = new GuestSession(EMULATORS[name].command(guest));
          sessions.set(name, session);
          await startGuest(session, guest);
        }
        for (const kernel of bench.workloads) {
          for (const name of turns(bench.contestants, round)) {
            const session = sessions.get(name);
            const run =
              session === undefined ? await runNatively(program, kernel) : await runInGuest(session, kernel);
            results.add(kernel, name, run);
          }
        }
      } finally {
        for (const session of sessions.values()) await session.stop();
      }
    }
    return results.figures(bench.clock, (kernel) =>
      isFloatKernel(kernel) ? ["cpuKernels", "floatingPoint"] : ["cpuKernels", "integerKernels"],
    );
  },
};

async function runInGuest(session: GuestSession, kernel: string): Promise<KernelRun> {
  await session.waitForQuiet(QUIET_MS);
  session.type(`/bench/kernels ${kernel}\n`);
  return timeKernel(session, kernel);
}
