/**
 * The accelerator boundary: a virtual CPU that runs until something outside it is needed, in the manner of KVM.
 * Port and MMIO accesses are calls to the MachineBus while it runs, not exits. A device cannot tell which
 * accelerator runs it. Deliberately missing: more than one vCPU per machine.
 */

import type { MachineBus } from "./bus.ts";

/** How long run() may take before it returns a "slice" exit. */
export interface RunBudget {
  /** Guest instructions; a run may overshoot by a block. */
  readonly maxInstructions: number;
}

export type VcpuExit =
  /** The budget is used up. */
  | { readonly kind: "slice" }
  /** HLT with interrupts enabled and none pending: wait for the interrupt line or an NMI. */
  | { readonly kind: "halt" }
  /** Triple fault. */
  | { readonly kind: "shutdown" }
  /** requestExit() was called, from a bus callback or between runs. */
  | { readonly kind: "requested" };

export interface SegmentState {
  readonly selector: number;
  readonly base: bigint;
  /** In bytes, after granularity. */
  readonly limit: number;
  /** Bits 0–7 type, S, DPL, P; 12–15 AVL, L, D/B, G: descriptor bits 40–55 (as SDM 3C 24.4.1 without bit 16). */
  readonly attributes: number;
}

export interface TableRegister {
  readonly base: bigint;
  readonly limit: number;
}

/** Architectural state for boot, dumps and snapshots; a cold path, hence bigint. */
export interface CpuState {
  /** rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 … r15: the encoding's order. */
  readonly gpr: readonly bigint[];
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly cs: SegmentState;
  readonly ss: SegmentState;
  readonly ds: SegmentState;
  readonly es: SegmentState;
  readonly fs: SegmentState;
  readonly gs: SegmentState;
  readonly ldtr: SegmentState;
  readonly tr: SegmentState;
  readonly gdtr: TableRegister;
  readonly idtr: TableRegister;
  readonly cr0: bigint;
  readonly cr2: bigint;
  readonly cr3: bigint;
  readonly cr4: bigint;
  readonly cr8: bigint;
  readonly efer: bigint;
}

export interface Vcpu {
  run(budget: RunBudget): VcpuExit;
  /** Level of the INTR pin. While it is high and RFLAGS.IF allows, the vCPU calls acknowledgeInterrupt(). */
  setInterruptLine(level: boolean): void;
  /** Latches a non-maskable interrupt. */
  raiseNmi(): void;
  /** The local APIC's task priority class, 0–15, has been set by other means than CR8. */
  setTaskPriority(priorityClass: number): void;
  /** Makes the current run(), or else the next one, return "requested" at the next block end. */
  requestExit(): void;
  /** Level of the A20M# pin: while low, bit 20 of every physical address reads as 0. */
  setA20(enabled: boolean): void;
  /**
   * Guest RAM [gpa, gpa + lengthBytes) is about to be changed by somebody else (DMA): its translations are dropped. Memory
   * of slots has its addresses as in {@link MemorySlot}.
   */
  memoryWritten(gpa: number, lengthBytes: number): void;
  /**
   * Puts memory or devices into [gpa, gpa + lengthBytes), whole pages below 1 MiB or above RAM. Between runs, or from a port
   * or MMIO access of the guest.
   */
  setMemorySlot(gpa: number, lengthBytes: number, slot: MemorySlot): void;
  /** Power-on state: real mode at F000:FFF0. */
  reset(): void;
  /** The INIT# pin: as {@link reset}, but floating-point and SSE registers, MSRs and the TSC keep their values. SDM 3A 9.1. */
  init(): void;
  getState(): CpuState;
  setState(state: CpuState): void;
  /** Instructions retired since creation. */
  readonly instructionsRetired: bigint;
}

/** What is seen at a range of guest-physical addresses. */
export type MemorySlot =
  /** RAM below its end, devices above it: what there is without a slot. */
  | { readonly kind: "none" }
  /** Devices, or nothing, in the place of RAM. */
  | { readonly kind: "device" }
  /** Bytes of the VM's memory from `offset` on, which counts RAM first; writes to what is not writable go to the bus. */
  | { readonly kind: "memory"; readonly offset: number; readonly isWritable: boolean };

/** Makes the vCPU of one machine; guest RAM was given to the accelerator when it was made. */
export interface Accelerator {
  readonly name: string;
  createVcpu(bus: MachineBus): Vcpu;
}
