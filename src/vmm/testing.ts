/**
 * Test doubles for VMs without an engine and without waiting: a processor whose instructions are a TypeScript
 * function, a board with one port for each thing a guest can ask for, and an event loop in simulated time.
 */

import { err, MiB, ok } from "../base/index.ts";
import { Ps2Keyboard, Ps2Mouse } from "../devices/ps2/index.ts";
import type { Frame, TextScreen } from "../devices/vga/index.ts";
import type { CodeProfileFinding, CpuState, MachineBus, SegmentState, VcpuExit } from "../hw/index.ts";
import { PC_PLATFORM, pcMemoryMap } from "../machine/index.ts";
import type { CaseButton, Connector } from "../machine/index.ts";
import type { BoardConfig, RemovableDrive } from "../machine/index.ts";
import { FakeHostSockets } from "../net/testing.ts";
import type { AcceleratorChoice, ExecutionStatistics, MeasuredVcpu, StopStatistics } from "./accelerator.ts";
import type { Board } from "./board.ts";
import type { HostTimer, Scheduling, TimerPrecision, TimeSliceLength } from "./scheduling.ts";
import type { VirtualMachineParts } from "./virtual-machine.ts";
import { parseVmDefinition } from "./vm-definition.ts";
import type { VmDefinitionInput } from "./vm-definition.ts";

/** An event loop that jumps to the next timer when everybody waits. Slices take time only if a program says so. */
export class SimulatedScheduling implements Scheduling {
  #nowNs = 1_000;
  readonly #timers = new Set<{ readonly deadlineNs: number; readonly callback: () => void }>();
  /** Times at which somebody waited for nothing but a yield. */
  yields = 0;
  /** Those that timers were asked for with. */
  readonly precisions = new Set<TimerPrecision | undefined>();

  nowNs(): number {
    return this.#nowNs;
  }

  /** Host time passes, as while a slice runs. */
  advance(deltaNs: number): void {
    this.#nowNs += deltaNs;
  }

  setTimer(delayNs: number, callback: () => void, precision?: TimerPrecision): HostTimer {
    this.precisions.add(precision);
    const timer = { deadlineNs: this.#nowNs + delayNs, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  async yieldToEvents(): Promise<void> {
    this.yields++;
    await settle(YIELD_TURNS);
  }

  /** Lets everybody run, and jumps from timer to timer, until `deltaNs` of host time have passed. */
  async run(deltaNs: number): Promise<void> {
    const endNs = this.#nowNs + deltaNs;
    for (;;) {
      await settle(RUN_TURNS);
      const [next] = [...this.#timers].sort((a, b) => a.deadlineNs - b.deadlineNs);
      if (next === undefined || next.deadlineNs > endNs) break;
      this.#timers.delete(next);
      this.#nowNs = Math.max(this.#nowNs, next.deadlineNs);
      next.callback();
    }
    this.#nowNs = Math.max(this.#nowNs, endNs);
    await settle(RUN_TURNS);
  }
}

/** Turns of the microtask queue: enough for promises that wait on promises, and for several yields. */
const YIELD_TURNS = 20;
const RUN_TURNS = 5 * YIELD_TURNS;

async function settle(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await Promise.resolve();
}

/** One slice of a scripted guest. */
export type GuestProgram = (cpu: ScriptedVcpu, maxInstructions: number) => VcpuExit["kind"];

/** Ports of the scripted board. */
export const SCRIPTED_PORTS = {
  ...{ serial: 0x3f8, secondSerial: 0x2f8, printer: 0x378 },
  ...{ powerOff: 0x600, reset: 0xcf9, processorReset: 0x64, debugExit: 0xf4 },
} as const;

const FLAT: SegmentState = { selector: 8, base: 0n, limit: 0xffffffff, attributes: 0xc09b };

export const POWER_ON: CpuState = {
  gpr: Array.from({ length: 16 }, () => 0n),
  rip: 0xfff0n,
  rflags: 2n,
  cs: FLAT,
  ss: FLAT,
  ds: FLAT,
  es: FLAT,
  fs: FLAT,
  gs: FLAT,
  ldtr: FLAT,
  tr: FLAT,
  gdtr: { base: 0n, limit: 0 },
  idtr: { base: 0n, limit: 0 },
  cr0: 0n,
  cr2: 0n,
  cr3: 0n,
  cr4: 0n,
  cr8: 0n,
  efer: 0n,
};

export class ScriptedVcpu implements MeasuredVcpu {
  readonly bus: MachineBus;
  readonly #program: GuestProgram;
  #state = POWER_ON;
  #retired = 0n;
  #isExitRequested = false;
  interruptLine = false;
  resets = 0;
  inits = 0;
  /** What it says about the guest's code. */
  found: CodeProfileFinding | undefined;
  /** Budgets of the slices so far. */
  readonly budgets: number[] = [];

  constructor(bus: MachineBus, program: GuestProgram) {
    this.bus = bus;
    this.#program = program;
  }

  run(budget: { readonly maxInstructions: number }): VcpuExit {
    this.budgets.push(budget.maxInstructions);
    const kind = this.#program(this, budget.maxInstructions);
    if (!this.#isExitRequested) return { kind };
    this.#isExitRequested = false;
    return { kind: "requested" };
  }

  /** For programs: instructions were retired. */
  retire(count: number): void {
    this.#retired += BigInt(count);
  }

  get isExitRequested(): boolean {
    return this.#isExitRequested;
  }

  setInterruptLine(level: boolean): void {
    this.interruptLine = level;
  }

  raiseNmi(): void {}

  memoryWritten(): void {}
  setMemorySlot(): void {}
  setA20(): void {}

  setTaskPriority(): void {}

  requestExit(): void {
    this.#isExitRequested = true;
  }

  reset(): void {
    this.resets++;
    this.#state = POWER_ON;
  }

  init(): void {
    this.inits++;
    this.#state = POWER_ON;
  }

  getState(): CpuState {
    return this.#state;
  }

  setState(state: CpuState): void {
    this.#state = state;
  }

  get instructionsRetired(): bigint {
    return this.#retired;
  }

  codeProfile(): CodeProfileFinding | undefined {
    return this.found;
  }

  get statistics(): ExecutionStatistics {
    return {
      instructionsRetired: this.#retired,
      instructionsInRegions: 0n,
      blocksTranslated: 0,
      codeCacheBytes: 0,
      codeCacheLimitBytes: 0,
      blocksEvicted: 0n,
      regionsCompiled: 0,
      regionsInstalled: 0,
      regionsEvicted: 0,
      regionMemoryBytes: 0,
      regionMemoryLimitBytes: 0,
      profileBlocks: 0,
      profileBlocksMet: 0,
      regionsPutOff: 0,
      portAccesses: 0n,
      mmioAccesses: 0n,
      interrupts: 0n,
      exceptions: 0n,
      translationStops: NO_STOPS,
      compilationStops: NO_STOPS,
      evictionStops: NO_STOPS,
    };
  }
}

const NO_STOPS: StopStatistics = {
  count: 0,
  totalNs: 0,
  longestNs: 0,
  p50Ns: 0,
  p99Ns: 0,
  histogram: [],
};

/**
 * A board whose ports are SCRIPTED_PORTS; serial input raises the interrupt line until it is read. Input of the second
 * port is sent back to it.
 */
export class ScriptedBoard implements Board {
  readonly bus: MachineBus;
  readonly memoryMap;
  readonly balloon = undefined;
  readonly keyboard: Ps2Keyboard;
  readonly mouse = new Ps2Mouse();
  readonly platform = PC_PLATFORM;
  serveFirmware(): undefined {
    return undefined;
  }

  removableDrives: readonly (RemovableDrive | undefined)[] = [];
  readonly rsdpGpa = undefined;
  readonly parts: BoardConfig;
  readonly input: number[] = [];
  /** Input bytes that fit into the port. */
  inputCapacity = 16;
  resets = 0;
  readyCalls = 0;
  /** Pressed, in order; the interrupt line is raised. */
  readonly buttons: CaseButton[] = [];
  wasRefused = false;

  /** Where firmware goes on after a reset of the processor alone; undefined when it begins anew. */
  resumption: CpuState | undefined;

  readonly #screen: () => TextScreen | undefined;

  constructor(parts: BoardConfig, screen: () => TextScreen | undefined = () => undefined) {
    this.parts = parts;
    this.keyboard = new Ps2Keyboard(parts);
    this.#screen = screen;
    this.memoryMap = pcMemoryMap(parts.ram.sizeBytes);
    const { events, pins } = parts;
    this.bus = {
      readPort: () => {
        const byte = this.input.shift();
        pins.interrupt.set(this.input.length > 0);
        return byte ?? 0;
      },
      writePort: (port, _size, value) => {
        if (port === SCRIPTED_PORTS.serial) this.wasRefused = !events.serialOutput(value, "com1");
        if (port === SCRIPTED_PORTS.secondSerial) events.serialOutput(value, "com2");
        if (port === SCRIPTED_PORTS.printer) events.serialOutput(value, "lpt1");
        if (port === SCRIPTED_PORTS.powerOff) events.powerOff();
        if (port === SCRIPTED_PORTS.reset) events.reset();
        if (port === SCRIPTED_PORTS.processorReset) events.processorReset();
        if (port === SCRIPTED_PORTS.debugExit) events.debugExit(value);
      },
      readMmio: () => 0,
      writeMmio: () => undefined,
      acknowledgeInterrupt: () => 0x20,
      readMsr: () => undefined,
      writeMsr: () => false,
      taskPriorityChanged: () => undefined,
      tscOffsetChanged: () => undefined,
    };
  }

  reset(): void {
    this.resets++;
  }

  get resumesAfterReset(): boolean {
    return this.resumption !== undefined;
  }

  resume(state: CpuState): CpuState {
    return this.resumption ?? state;
  }

  serialInput(bytes: Uint8Array, connector: Connector = "com1"): number {
    if (connector !== "com1") {
      for (const byte of bytes) this.parts.events.serialOutput(byte, connector);
      return bytes.length;
    }
    const taken = bytes.subarray(0, this.inputCapacity - this.input.length);
    this.input.push(...taken);
    if (this.input.length > 0) this.parts.pins.interrupt.set(true);
    return taken.length;
  }

  serialReady(): void {
    this.readyCalls++;
    this.wasRefused = false;
    this.parts.pins.interrupt.set(true);
  }

  pressButton(button: CaseButton): void {
    this.buttons.push(button);
    this.parts.pins.interrupt.set(true);
  }

  frame(): Frame | undefined {
    return { width: 2, height: 1, pixels: Uint8Array.of(255, 0, 0, 255, 0, 0, 255, 255) };
  }

  textScreen(): TextScreen | undefined {
    return this.#screen();
  }
}

/** A multiboot kernel of one page that enters `code` in flat 32-bit protected mode; without code, at its header. */
export function smallestKernel(code: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  const loadGpa = MiB;
  const flags = 1 << 16;
  const codeOffset = 8 * 4;
  const entryGpa = code.length === 0 ? loadGpa : loadGpa + codeOffset;
  const header = [0x1badb002, flags, -(0x1badb002 + flags), loadGpa, loadGpa, loadGpa + 4096, 0, entryGpa];
  for (const [index, value] of header.entries()) view.setUint32(4 * index, value, true);
  bytes.set(code, codeOffset);
  return bytes;
}

/** A VM's parts around a scripted guest, and the doubles to look at. */
export interface ScriptedParts extends VirtualMachineParts {
  readonly scheduling: SimulatedScheduling;
  readonly outputs: Uint8Array[];
  /** Input bytes that the guest's port took. */
  inputTaken(): number;
  /** How often it was time to tidy up. */
  tidyUps(): number;
  /** What lengths of time slices it has asked for. */
  readonly timeSlices: readonly TimeSliceLength[];
  /** What it has told about the guest's code. */
  readonly findings: readonly CodeProfileFinding[];
  board(): ScriptedBoard;
  vcpu(): ScriptedVcpu;
}

export function scriptedParts(program: GuestProgram, input: VmDefinitionInput = {}): ScriptedParts {
  const definition = parseVmDefinition({ kernel: "kernel", memory: 4 * MiB, ...input });
  if (!definition.ok) throw new Error(definition.error.message);
  let board: ScriptedBoard | undefined;
  let vcpu: ScriptedVcpu | undefined;
  let taken = 0;
  let tidyUps = 0;
  const timeSlices: TimeSliceLength[] = [];
  const findings: CodeProfileFinding[] = [];
  const outputs: Uint8Array[] = [];
  const accelerator: AcceleratorChoice = {
    name: "scripted",
    reservedPrefixBytes: 0,
    createVcpu: ({ bus }) => (vcpu = new ScriptedVcpu(bus, program)),
  };
  const madeLater = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error("the VM has not been created");
    return part;
  };
  const unused = (): Promise<never> => Promise.reject(new Error("nothing is compressed"));
  return {
    definition: definition.value,
    readImages: () =>
      Promise.resolve(
        ok({
          kernel: { name: "kernel", bytes: smallestKernel() },
          protocol: "auto",
          modules: [],
          commandLine: "",
        }),
      ),
    drives: [],
    mediaFiles: {
      open: () => Promise.resolve(err("no-file", "There are no files.")),
      isSame: () => Promise.resolve(false),
    },
    networkHost: () =>
      Promise.resolve({
        sockets: new FakeHostSockets(),
        openCapture: (path) => err("capture", `The capture file ${path} cannot be written here.`),
      }),
    decompressors: { gunzip: unused, unzstd: unused, unxz: unused, lz4Decoder: unused },
    accelerator,
    prepareBoard: () => Promise.resolve((parts) => (board = new ScriptedBoard(parts))),
    scheduling: new SimulatedScheduling(),
    wallClockNs: () => 0n,
    entropy: (byteCount) => new Uint8Array(byteCount),
    serial: { output: (chunk) => void outputs.push(chunk), inputTaken: (count) => (taken += count) },
    tidyUp: () => void tidyUps++,
    preferTimeSlices: (length) => void timeSlices.push(length),
    timeSlices,
    codeProfile: undefined,
    codeProfileFound: (found) => void findings.push(found),
    findings,
    outputs,
    inputTaken: () => taken,
    tidyUps: () => tidyUps,
    board: () => madeLater(board),
    vcpu: () => madeLater(vcpu),
  };
}
