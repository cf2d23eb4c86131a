/** A result as a run of the bench gives it, with small round numbers. */

import { figure } from "../../bench/figures.ts";
import type { Figure } from "../../bench/figures.ts";
import { groupResults } from "../../bench/groups.ts";
import type { BenchResult } from "../../bench/result.ts";

export function resultOf(figures: readonly Figure[]): BenchResult {
  return {
    format: 2,
    startedAt: "2026-01-01T00:00:00.000Z",
    host: {
      processor: "a <fast> processor",
      cores: 2,
      kernel: "6.1",
      node: "v26.1.0",
      tools: { qemu: "QEMU emulator version 7.2.1 (Debian)" },
      commit: "abc",
    },
    rounds: 1,
    clock: "wall",
    load: { before: 0.1, after: 1 },
    leftOut: ["v86: v86 is missing: npm install --no-save v86"],
    failed: [],
    parts: [{ name: "kernels", figures }],
    groups: groupResults(figures),
  };
}

/** Twice and eight times as fast as TCG: four times; a quarter of the processor's own speed. */
export const TWO_KERNELS: readonly Figure[] = [
  figure("slow", "s", { typevisor: [1], qemuTcg: [2], native: [0.25] }, { groups: ["cpuKernels"] }),
  figure("quick", "s", { typevisor: [1], qemuTcg: [8], native: [0.25] }, { groups: ["cpuKernels"] }),
];

/** Half as fast as TCG and twice as fast as v86. */
export const KERNEL_32: Figure = figure(
  "fib",
  "s",
  { typevisor: [2], qemuTcg: [1], v86: [4], native: [0.5] },
  { groups: ["kernels32"] },
);
