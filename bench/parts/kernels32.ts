/**
 * The CPU kernels as a multiboot kernel of 32 bits, without an operating system: what v86, which has no 64-bit mode,
 * can run too. Natively the same code is a 32-bit Linux program. Every run is a process of its own.
 */

import type { ContestantName } from "../contestant.ts";
import { EMULATORS } from "../emulator.ts";
import { buildKernels, KERNELS } from "../kernel-build.ts";
import { KernelResults } from "../kernel-results.ts";
import { runInEmulator, runNatively } from "../kernel-run.ts";
import type { KernelRun } from "../kernel-run.ts";
import type { Part } from "../part.ts";
import { turns } from "../rounds.ts";

const MEMORY_SIZE_BYTES = 64 * 1024 * 1024;

export const kernels32: Part = {
  summary: "the same in 32-bit code without an operating system",
  contestants: ["typevisor", "qemuTcg", "v86", "native"],
  needs: ["gcc", "gcc32"],
  workloads: KERNELS,
  async run(bench) {
    const program = buildKernels("linux32");
    const kernelPath = buildKernels("multiboot32");
    const run = (name: ContestantName, kernel: string): Promise<KernelRun> => {
      if (name === "native") return runNatively(program, kernel);
      const machine = { kernelPath, commandLine: kernel, memorySizeBytes: MEMORY_SIZE_BYTES };
      return runInEmulator(EMULATORS[name].command(machine), kernel);
    };
    const results = new KernelResults();
    for (let round = 0; round < bench.rounds; round++) {
      bench.progress(`round ${round + 1} of ${bench.rounds}`);
      for (const kernel of bench.workloads) {
        for (const name of turns(bench.contestants, round)) {
          results.add(kernel, name, await run(name, kernel));
        }
      }
    }
    return results.figures(bench.clock, () => ["kernels32"]);
  },
};
