/** The accelerator as the VM is given it: hw's contract, and what a report can say about how the code was run. */

import type { Clock, MachineBus, Vcpu } from "../hw/index.ts";
import type { CpuidLeaf } from "../machine/index.ts";
import type { GuestRam } from "../memory/index.ts";
import type { VmDefinition } from "./vm-definition.ts";

/** Counts since the vCPU was made. */
export interface ExecutionStatistics {
  readonly instructionsRetired: bigint;
  /** Of these, run by compiled code. */
  readonly instructionsInRegions: bigint;
  readonly blocksTranslated: number;
  readonly regionsCompiled: number;
  readonly portAccesses: bigint;
  readonly mmioAccesses: bigint;
  readonly interrupts: bigint;
  readonly exceptions: bigint;
}

export interface MeasuredVcpu extends Vcpu {
  readonly statistics: ExecutionStatistics;
}

/** How to run a VM's code; the application chooses. */
export interface AcceleratorChoice {
  readonly name: string;
  /** Bytes of the VM's memory before guest RAM that the accelerator needs for itself. */
  readonly reservedPrefixBytes: number;
  createVcpu(parts: {
    readonly ram: GuestRam;
    readonly clock: Clock;
    readonly tier: VmDefinition["tier"];
    readonly cpu: VmDefinition["cpu"];
    readonly entropy: (byteCount: number) => Uint8Array;
    readonly bus: MachineBus;
    readonly hypervisorLeaves: readonly CpuidLeaf[];
  }): MeasuredVcpu;
}
