/** What a VM has done so far. Plain data with cumulative counts; rates are the reader's to compute. */

import type { NetworkStatistics } from "../net/index.ts";
import type { ExecutionStatistics } from "./accelerator.ts";
import type { ExitCounts } from "./machine-loop.ts";

export interface VmStatistics {
  /** Host time since the start, with pauses; 0 before. */
  readonly wallTimeNs: number;
  /** Guest time: without pauses. */
  readonly guestTimeNs: number;
  readonly execution: ExecutionStatistics;
  /** Returns of the vCPU to the machine loop. */
  readonly exits: ExitCounts;
  /** Resets, by the guest or the operator. */
  readonly resets: number;
  /** Of each network card, in their order. */
  readonly networks: readonly NetworkStatistics[];
}
