/**
 * The engine behind the accelerator contract of `hw`: one vCPU per machine, whose state lives in the engine's part of
 * the VM's WebAssembly memory.
 */

import { assert } from "../../base/index.ts";
import type { Clock } from "../../base/index.ts";
import { cpuModel } from "../../cpu/index.ts";
import { Engine, ENGINE_PREFIX_BYTES } from "../../engine/index.ts";
import type { EngineStatistics } from "../../engine/index.ts";
import type {
  Accelerator,
  CodeProfileFinding,
  CodeProfileTask,
  CpuState,
  MachineBus,
  MemorySlot,
  RunBudget,
  Vcpu,
  VcpuExit,
} from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";

/** What the accelerator needs of the VM's memory before guest RAM. */
export const WASM_ACCELERATOR_PREFIX_BYTES = ENGINE_PREFIX_BYTES;

export interface WasmAcceleratorConfig {
  /** The compiled core, build/core.wasm; one module serves any number of machines. */
  readonly core: WebAssembly.Module;
  /** Created with a reserved prefix of {@link WASM_ACCELERATOR_PREFIX_BYTES}. */
  readonly ram: GuestRam;
  /** Guest time: the source of the TSC. */
  readonly clock: Clock;
  /** The host's own time in nanoseconds, for what the statistics say about the guest's stops. */
  readonly monotonicNs: () => number;
  /** "interpreter" never compiles hot regions; "regions" compiles all code at its first execution, for tests. */
  readonly tier: "auto" | "interpreter" | "regions";
  /** CPU model and features as `--cpu` takes them. */
  readonly cpu: string;
  /** Random bytes, from which RDRAND and RDSEED take theirs. */
  readonly entropy: (byteCount: number) => Uint8Array;
  /** What an earlier run of the guest has learnt about its code, or that this one shall. */
  readonly codeProfile?: CodeProfileTask | undefined;
  /** What CPUID answers in the hypervisor range, from the machine that has the paravirtual devices behind it. */
  readonly hypervisorLeaves: readonly HypervisorLeaf[];
}

export interface HypervisorLeaf {
  readonly leaf: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

const EXITS: Readonly<Record<VcpuExit["kind"], VcpuExit>> = {
  slice: { kind: "slice" },
  halt: { kind: "halt" },
  shutdown: { kind: "shutdown" },
  requested: { kind: "requested" },
};

const ENTROPY_POOL_BYTES = 256;

/** Random bytes asked for in advance, so that an instruction does not wait for the host each time. */
class EntropyPool {
  readonly #source: (byteCount: number) => Uint8Array;
  #pool: DataView = new DataView(new ArrayBuffer(0));
  #next = 0;

  constructor(source: (byteCount: number) => Uint8Array) {
    this.#source = source;
  }

  nextU32(): number {
    if (this.#next === this.#pool.byteLength) {
      const bytes = this.#source(ENTROPY_POOL_BYTES);
      assert(bytes.length === ENTROPY_POOL_BYTES, "as many random bytes as were asked for");
      this.#pool = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#next = 0;
    }
    const value = this.#pool.getUint32(this.#next, true);
    this.#next += 4;
    return value;
  }
}

export class WasmAccelerator implements Accelerator {
  readonly name = "wasm";
  readonly #config: WasmAcceleratorConfig;

  constructor(config: WasmAcceleratorConfig) {
    assert(
      config.ram.base === WASM_ACCELERATOR_PREFIX_BYTES,
      "guest RAM begins where the engine's part ends",
    );
    this.#config = config;
  }

  createVcpu(bus: MachineBus): WasmVcpu {
    return new WasmVcpu(this.#config, bus);
  }
}

export class WasmVcpu implements Vcpu {
  readonly #engine: Engine;
  readonly #bus: MachineBus;

  constructor(config: WasmAcceleratorConfig, bus: MachineBus) {
    const { core, ram, clock, tier, cpu, hypervisorLeaves, codeProfile } = config;
    const random = new EntropyPool(config.entropy);
    this.#bus = bus;
    this.#engine = new Engine({
      core,
      memory: ram.memory,
      ramSizeBytes: ram.sizeBytes,
      memorySizeBytes: ram.sizeBytes + ram.slotMemory.length,
      cpu: cpuModel(cpu),
      tier,
      ...(codeProfile === undefined ? {} : { codeProfile }),
      hypervisorLeaves: hypervisorLeaves.map((leaf) => ({ ...leaf, subleaf: 0 })),
      host: {
        readPort: (port, size) => bus.readPort(port, size),
        writePort: (port, size, value) => bus.writePort(port, size, value),
        readMmio: (gpa, size) => bus.readMmio(gpa, size),
        writeMmio: (gpa, size, value) => bus.writeMmio(gpa, size, value),
        acknowledgeInterrupt: () => bus.acknowledgeInterrupt(),
        readMsr: (index) => bus.readMsr(index),
        writeMsr: (index, value) => bus.writeMsr(index, value),
        entropyU32: () => random.nextU32(),
        nowNs: () => clock.nowNs(),
        monotonicNs: config.monotonicNs,
        taskPriorityChanged: (priorityClass) => bus.taskPriorityChanged(priorityClass),
        tscOffsetChanged: (offsetNs) => bus.tscOffsetChanged(offsetNs),
      },
    });
  }

  run(budget: RunBudget): VcpuExit {
    return EXITS[this.#engine.run(budget.maxInstructions)];
  }

  setInterruptLine(level: boolean): void {
    this.#engine.setInterruptLine(level);
  }

  raiseNmi(): void {
    this.#engine.raiseNmi();
  }

  requestExit(): void {
    this.#engine.requestExit();
  }

  memoryWritten(gpa: number, lengthBytes: number): void {
    this.#engine.memoryWritten(gpa, lengthBytes);
  }

  setMemorySlot(gpa: number, lengthBytes: number, slot: MemorySlot): void {
    this.#engine.setMemorySlot(gpa, lengthBytes, slot);
  }

  setA20(enabled: boolean): void {
    this.#engine.setA20(enabled);
  }

  setTaskPriority(priorityClass: number): void {
    this.#engine.setTaskPriority(priorityClass);
  }

  reset(): void {
    this.#engine.reset();
  }

  init(): void {
    this.#engine.init();
  }

  getState(): CpuState {
    return this.#engine.registers.read();
  }

  setState(state: CpuState): void {
    this.#engine.registers.write(state);
    this.#bus.taskPriorityChanged(Number(state.cr8));
  }

  get instructionsRetired(): bigint {
    return this.#engine.instructionsRetired;
  }

  /** What has been found out about the guest's code, if there was something to find out; asked for once. */
  codeProfile(): CodeProfileFinding | undefined {
    return this.#engine.codeProfile();
  }

  /** What the engine has done since it was made. */
  get statistics(): EngineStatistics {
    return this.#engine.statistics;
  }
}
