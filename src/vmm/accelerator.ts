/** The accelerator as the VM is given it: hw's contract, and what a report can say about how the code was run. */

import type { Clock, CodeProfileFinding, CodeProfileTask, MachineBus, Vcpu } from "../hw/index.ts";
import type { CpuidLeaf } from "../machine/index.ts";
import type { GuestRam } from "../memory/index.ts";
import type { VmDefinition } from "./vm-definition.ts";

/** Counts since the vCPU was made. */
export interface ExecutionStatistics {
  readonly instructionsRetired: bigint;
  /** Of these, run by compiled code. */
  readonly instructionsInRegions: bigint;
  readonly blocksTranslated: number;
  /** What translated blocks take, those that are no longer valid too, and what they may take. */
  readonly codeCacheBytes: number;
  readonly codeCacheLimitBytes: number;
  /** Blocks that had to go so that others found room. */
  readonly blocksEvicted: bigint;
  readonly regionsCompiled: number;
  /** Of these, those that can be entered now, and those that had to go so that others found room. */
  readonly regionsInstalled: number;
  readonly regionsEvicted: number;
  /** An estimate of what the installed ones take in the host, and what they may. */
  readonly regionMemoryBytes: number;
  readonly regionMemoryLimitBytes: number;
  /** Of the code profile that was given: its hot blocks, those met, and how often compiling was put off for it. */
  readonly profileBlocks: number;
  readonly profileBlocksMet: number;
  readonly regionsPutOff: number;
  readonly portAccesses: bigint;
  readonly mmioAccesses: bigint;
  readonly interrupts: bigint;
  readonly exceptions: bigint;
  /** How long the guest stood still while a block was translated, and while a region was compiled. */
  readonly translationStops: StopStatistics;
  readonly compilationStops: StopStatistics;
  /** Of the stops for translation, what making room in the code cache took. */
  readonly evictionStops: StopStatistics;
}

/** A distribution of times for which the guest did not run. */
export interface StopStatistics {
  readonly count: number;
  readonly totalNs: number;
  readonly longestNs: number;
  /** Half of the stops, and 99 of 100, were not longer; 0 when there was none. */
  readonly p50Ns: number;
  readonly p99Ns: number;
  /** Stops not longer than a bound and longer than the bound before it; bounds without stops are left out. */
  readonly histogram: readonly { readonly upToNs: number; readonly count: number }[];
}

export interface MeasuredVcpu extends Vcpu {
  readonly statistics: ExecutionStatistics;
  /** What has been found out about the guest's code; undefined when there was nothing to find out. Asked for once. */
  codeProfile(): CodeProfileFinding | undefined;
}

/** How to run a VM's code; the application chooses. */
export interface AcceleratorChoice {
  readonly name: string;
  /** Bytes of the VM's memory before guest RAM that the accelerator needs for itself. */
  readonly reservedPrefixBytes: number;
  createVcpu(parts: {
    readonly ram: GuestRam;
    readonly clock: Clock;
    /** The host's own time, which does not stop with the guest's. */
    readonly monotonicNs: () => number;
    readonly tier: VmDefinition["tier"];
    readonly cpu: VmDefinition["cpu"];
    readonly entropy: (byteCount: number) => Uint8Array;
    readonly codeProfile: CodeProfileTask | undefined;
    readonly bus: MachineBus;
    readonly hypervisorLeaves: readonly CpuidLeaf[];
  }): MeasuredVcpu;
}
