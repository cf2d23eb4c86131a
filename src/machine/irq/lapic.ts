/**
 * Local APIC in xAPIC mode (Intel SDM volume 3A, chapter 11 "APIC" — chapter 10 in editions before 2023): priorities,
 * local interrupts, interprocessor interrupts, timer.
 *
 * Its two pins are LINT0, to which the 8259s are wired, and LINT1, which is NMI. While the APIC is disabled by
 * IA32_APIC_BASE the processor's INTR pin hears the 8259s directly.
 *
 * Missing on purpose: x2APIC (not in CPUID), moving the register block away from FEE00000 (#GP), SMI and the
 * performance counter and thermal interrupts (their LVT entries are stored, nothing raises them), EOI broadcast
 * suppression, focus processors.
 */

import { assert, bit } from "../../base/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import type {
  AccessSize,
  Clock,
  Device,
  DeviceState,
  IrqLine,
  MmioHandler,
  RegisterHooks,
  Timers,
} from "../../hw/index.ts";
import { DELIVERY_MODE } from "./lapic-bus.ts";
import type { ApicBus, InterruptMessage, MessageTarget } from "./lapic-bus.ts";
import { LapicTimer, TSC_IS_GUEST_TIME } from "./lapic-timer.ts";
import type { LapicTimerMode, TscTime } from "./lapic-timer.ts";

export const LOCAL_APIC_GPA = 0xfee00000;
export const LOCAL_APIC_BYTES = 0x1000;

const LVT_MASKED = 1 << 16;

/** Table 11-1. Registers are 32 bits wide, 16 bytes apart. */
const REGISTERS = defineRegisters({
  id: { at: 0x020, size: 4, reset: 0, writable: 0xff000000 },
  /** Version 14h with six LVT entries. */
  version: { at: 0x030, size: 4, reset: 0x00050014, writable: 0 },
  tpr: { at: 0x080, size: 4, reset: 0, writable: 0xff, write: "taskPriorityWritten" },
  apr: { at: 0x090, size: 4, reset: 0, writable: 0 },
  ppr: { at: 0x0a0, size: 4, access: "ro", read: "readProcessorPriority" },
  eoi: { at: 0x0b0, size: 4, access: "wo", write: "endOfInterrupt" },
  rrd: { at: 0x0c0, size: 4, reset: 0, writable: 0 },
  ldr: { at: 0x0d0, size: 4, reset: 0, writable: 0xff000000 },
  dfr: { at: 0x0e0, size: 4, reset: 0xffffffff, writable: 0xf0000000 },
  svr: { at: 0x0f0, size: 4, reset: 0xff, writable: 0x3ff, write: "spuriousVectorWritten" },
  isr0: { at: 0x100, size: 4, reset: 0, access: "ro" },
  isr1: { at: 0x110, size: 4, reset: 0, access: "ro" },
  isr2: { at: 0x120, size: 4, reset: 0, access: "ro" },
  isr3: { at: 0x130, size: 4, reset: 0, access: "ro" },
  isr4: { at: 0x140, size: 4, reset: 0, access: "ro" },
  isr5: { at: 0x150, size: 4, reset: 0, access: "ro" },
  isr6: { at: 0x160, size: 4, reset: 0, access: "ro" },
  isr7: { at: 0x170, size: 4, reset: 0, access: "ro" },
  tmr0: { at: 0x180, size: 4, reset: 0, access: "ro" },
  tmr1: { at: 0x190, size: 4, reset: 0, access: "ro" },
  tmr2: { at: 0x1a0, size: 4, reset: 0, access: "ro" },
  tmr3: { at: 0x1b0, size: 4, reset: 0, access: "ro" },
  tmr4: { at: 0x1c0, size: 4, reset: 0, access: "ro" },
  tmr5: { at: 0x1d0, size: 4, reset: 0, access: "ro" },
  tmr6: { at: 0x1e0, size: 4, reset: 0, access: "ro" },
  tmr7: { at: 0x1f0, size: 4, reset: 0, access: "ro" },
  irr0: { at: 0x200, size: 4, reset: 0, access: "ro" },
  irr1: { at: 0x210, size: 4, reset: 0, access: "ro" },
  irr2: { at: 0x220, size: 4, reset: 0, access: "ro" },
  irr3: { at: 0x230, size: 4, reset: 0, access: "ro" },
  irr4: { at: 0x240, size: 4, reset: 0, access: "ro" },
  irr5: { at: 0x250, size: 4, reset: 0, access: "ro" },
  irr6: { at: 0x260, size: 4, reset: 0, access: "ro" },
  irr7: { at: 0x270, size: 4, reset: 0, access: "ro" },
  esr: { at: 0x280, size: 4, reset: 0, writable: 0, write: "errorStatusWritten" },
  icrLow: { at: 0x300, size: 4, reset: 0, writable: 0x000ccfff, write: "interruptCommandWritten" },
  icrHigh: { at: 0x310, size: 4, reset: 0, writable: 0xff000000 },
  lvtTimer: { at: 0x320, size: 4, reset: LVT_MASKED, writable: 0x000700ff, write: "timerLvtWritten" },
  lvtThermal: { at: 0x330, size: 4, reset: LVT_MASKED, writable: 0x000107ff, write: "lvtWritten" },
  lvtPerformance: { at: 0x340, size: 4, reset: LVT_MASKED, writable: 0x000107ff, write: "lvtWritten" },
  lvtLint0: { at: 0x350, size: 4, reset: LVT_MASKED, writable: 0x0001a7ff, write: "lvtWritten" },
  lvtLint1: { at: 0x360, size: 4, reset: LVT_MASKED, writable: 0x0001a7ff, write: "lvtWritten" },
  lvtError: { at: 0x370, size: 4, reset: LVT_MASKED, writable: 0x000100ff, write: "lvtWritten" },
  initialCount: { at: 0x380, size: 4, reset: 0, write: "initialCountWritten" },
  currentCount: { at: 0x390, size: 4, access: "ro", read: "readCurrentCount" },
  divideConfiguration: { at: 0x3e0, size: 4, reset: 0, writable: 0xb, write: "divideWritten" },
});

/** 256 bits each, by 32: interrupts in service, triggered by level, requested. */
const ISR = ["isr0", "isr1", "isr2", "isr3", "isr4", "isr5", "isr6", "isr7"] as const;
const TMR = ["tmr0", "tmr1", "tmr2", "tmr3", "tmr4", "tmr5", "tmr6", "tmr7"] as const;
const IRR = ["irr0", "irr1", "irr2", "irr3", "irr4", "irr5", "irr6", "irr7"] as const;
type VectorBits = typeof ISR | typeof TMR | typeof IRR;

const LVTS = ["lvtTimer", "lvtThermal", "lvtPerformance", "lvtLint0", "lvtLint1", "lvtError"] as const;

const SVR_ENABLED = 1 << 8;
/** Vectors below are the processor's exceptions. */
const FIRST_LEGAL_VECTOR = 16;
const ESR = { sendIllegalVector: 1 << 5, receiveIllegalVector: 1 << 6, illegalRegister: 1 << 7 } as const;
const ICR = { logical: 1 << 11, assert: 1 << 14, level: 1 << 15 } as const;
const SHORTHAND = { none: 0, self: 1, all: 2, others: 3 } as const;
const TIMER_MODES: readonly (LapicTimerMode | undefined)[] = [
  "one-shot",
  "periodic",
  "tsc-deadline",
  undefined,
];
/** Divide configuration bits 3, 1 and 0, joined. */
const DIVISORS = [2, 4, 8, 16, 32, 64, 128, 1] as const;
const DFR_FLAT = 0xf;

const MSR_APIC_BASE = 0x1b;
const MSR_TSC_DEADLINE = 0x6e0;
const APIC_BASE = { bootstrap: 1n << 8n, enable: 1n << 11n } as const;
const APIC_BASE_ADDRESS = BigInt(LOCAL_APIC_GPA);

/** No vector: lower than any. */
const NONE = -1;

/** The processor this APIC belongs to. */
export interface LocalApicCpu {
  setInterruptLine(level: boolean): void;
  raiseNmi(): void;
  /** The task priority class has changed other than through taskPriorityClass: CR8 shows it. */
  setTaskPriority(priorityClass: number): void;
  /** INIT and STARTUP from another processor; a machine of one never gets them. */
  initialize?(): void;
  startUp?(vector: number): void;
}

export interface LocalApicConfig {
  readonly apicId: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly bus: ApicBus;
  readonly cpu: LocalApicCpu;
  /** The 8259s' INTA cycle, for interrupts that came through LINT0 as ExtINT. */
  readonly acknowledgeExternal: () => number;
  readonly tsc?: TscTime;
}

export class LocalApic implements Device, MmioHandler, MessageTarget, RegisterHooks<typeof REGISTERS> {
  readonly name: string;
  readonly registers = new RegisterFile(REGISTERS, this);
  /** Input from the 8259 pair. */
  readonly lint0: IrqLine = { set: (level) => this.#pinChanged("lvtLint0", level) };
  /** Input of NMI sources. */
  readonly lint1: IrqLine = { set: (level) => this.#pinChanged("lvtLint1", level) };
  readonly #config: LocalApicConfig;
  readonly #timer: LapicTimer;
  readonly #pins = { lvtLint0: false, lvtLint1: false };
  #apicBase: bigint;
  /** Errors since ESR was last written. */
  #errors = 0;

  constructor(config: LocalApicConfig) {
    this.name = `lapic${config.apicId}`;
    this.#config = config;
    const tsc = config.tsc ?? TSC_IS_GUEST_TIME;
    this.#timer = new LapicTimer(config.clock, config.timers, tsc, () => this.#raiseLocal("lvtTimer"));
    this.#apicBase = this.#resetBase;
    this.registers.values.id = (config.apicId << 24) >>> 0;
    config.bus.attachLocalApic(this);
  }

  // The processor's side.

  /** The vector to be taken now. A request that went away meanwhile gives the spurious vector. */
  acknowledgeInterrupt(): number {
    const vector = this.#deliverableVector();
    if (vector !== NONE) {
      this.#setBit(IRR, vector, false);
      this.#setBit(ISR, vector, true);
      this.update();
      return vector;
    }
    if (this.#hasExternal) return this.#config.acknowledgeExternal();
    this.update();
    return this.registers.values.svr & 0xff;
  }

  /** CR8, the upper half of the task priority. */
  get taskPriorityClass(): number {
    return this.registers.values.tpr >>> 4;
  }

  set taskPriorityClass(priorityClass: number) {
    this.registers.values.tpr = (priorityClass & 0xf) << 4;
    this.update();
  }

  /** The TSC has another relation to guest time: a deadline in its ticks comes at another time. */
  tscChanged(): void {
    this.#timer.tscChanged();
  }

  /** IA32_APIC_BASE and IA32_TSC_DEADLINE; undefined for other MSRs. */
  readMsr(index: number): bigint | undefined {
    if (index === MSR_APIC_BASE) return this.#apicBase;
    if (index === MSR_TSC_DEADLINE) return this.#timer.tscDeadline;
    return undefined;
  }

  /** False (#GP) for other MSRs, reserved bits, x2APIC mode and another address. */
  writeMsr(index: number, value: bigint): boolean {
    if (index === MSR_TSC_DEADLINE) {
      this.#timer.setTscDeadline(value);
      return true;
    }
    if (index !== MSR_APIC_BASE) return false;
    if ((value & ~(APIC_BASE.bootstrap | APIC_BASE.enable)) !== APIC_BASE_ADDRESS) return false;
    const wasEnabled = this.#isEnabled;
    this.#apicBase = APIC_BASE_ADDRESS | (value & APIC_BASE.enable) | (this.#resetBase & APIC_BASE.bootstrap);
    // Disabling loses all state, as after reset (11.4.3).
    if (wasEnabled && !this.#isEnabled) this.#resetRegisters();
    this.update();
    return true;
  }

  /**
   * What firmware does before it starts an operating system (MultiProcessor Specification 1.4, section 3.6.2.2): the
   * 8259s reach the processor through LINT0, NMI through LINT1.
   */
  enterVirtualWireMode(): void {
    this.writeMmio(REGISTERS.svr.at, 4, SVR_ENABLED | 0xff);
    this.writeMmio(REGISTERS.lvtLint0.at, 4, DELIVERY_MODE.extInt << 8);
    this.writeMmio(REGISTERS.lvtLint1.at, 4, DELIVERY_MODE.nmi << 8);
  }

  // The bus's side.

  get apicId(): number {
    return this.registers.values.id >>> 24;
  }

  get processorPriority(): number {
    const { tpr } = this.registers.values;
    const inService = this.#highest(ISR);
    return inService !== NONE && inService >>> 4 > tpr >>> 4 ? inService & 0xf0 : tpr;
  }

  get acceptsFixed(): boolean {
    return this.#isEnabled && (this.registers.values.svr & SVR_ENABLED) !== 0;
  }

  matchesLogical(destination: number): boolean {
    const logicalId = this.registers.values.ldr >>> 24;
    if (this.registers.values.dfr >>> 28 === DFR_FLAT) return (destination & logicalId) !== 0;
    // Cluster model: cluster in the upper, member bits in the lower half; cluster 15 is all of them.
    const cluster = destination >>> 4;
    return (cluster === 0xf || cluster === logicalId >>> 4) && (destination & logicalId & 0xf) !== 0;
  }

  receive(message: InterruptMessage): void {
    switch (message.deliveryMode) {
      case DELIVERY_MODE.fixed:
      case DELIVERY_MODE.lowestPriority:
        this.#accept(message.vector, message.isLevel);
        break;
      case DELIVERY_MODE.nmi:
        this.#config.cpu.raiseNmi();
        break;
      case DELIVERY_MODE.init:
        this.#config.cpu.initialize?.();
        break;
      case DELIVERY_MODE.startUp:
        this.#config.cpu.startUp?.(message.vector);
        break;
    }
  }

  readMmio(offset: number, size: AccessSize): number {
    if (!this.#isEnabled) return size === 4 ? 0xffffffff : (1 << (8 * size)) - 1;
    const before = this.registers.unmappedAccesses;
    const value = this.registers.read(offset, size);
    if (this.registers.unmappedAccesses === before) return value;
    this.#error(ESR.illegalRegister);
    return 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (!this.#isEnabled) return;
    const before = this.registers.unmappedAccesses;
    this.registers.write(offset, size, value);
    if (this.registers.unmappedAccesses !== before) this.#error(ESR.illegalRegister);
  }

  // Lifecycle.

  reset(): void {
    this.#apicBase = this.#resetBase;
    this.#resetRegisters();
    this.update();
  }

  save(): DeviceState {
    return {
      registers: this.registers.save(),
      timer: this.#timer.save(),
      isEnabled: this.#isEnabled,
      errors: this.#errors,
      lint0: this.#pins.lvtLint0,
      lint1: this.#pins.lvtLint1,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.registers.restore(reader.object("registers"), `${this.name}.registers`);
    this.#timer.restore(reader.object("timer"), `${this.name}.timer`);
    this.#apicBase = reader.boolean("isEnabled") ? this.#resetBase : this.#resetBase & ~APIC_BASE.enable;
    this.#errors = reader.u8("errors");
    this.#pins.lvtLint0 = reader.boolean("lint0");
    this.#pins.lvtLint1 = reader.boolean("lint1");
    this.#config.cpu.setTaskPriority(this.taskPriorityClass);
    this.update();
  }

  // Register hooks.

  readProcessorPriority(): number {
    return this.processorPriority;
  }

  taskPriorityWritten(): void {
    this.#config.cpu.setTaskPriority(this.taskPriorityClass);
    this.update();
  }

  endOfInterrupt(): void {
    const vector = this.#highest(ISR);
    if (vector === NONE) return;
    this.#setBit(ISR, vector, false);
    if (this.#hasBit(TMR, vector)) this.#config.bus.broadcastEoi(vector);
    this.update();
  }

  spuriousVectorWritten(): void {
    this.lvtWritten();
  }

  errorStatusWritten(): void {
    this.registers.values.esr = this.#errors;
    this.#errors = 0;
  }

  interruptCommandWritten(): void {
    const { icrLow, icrHigh } = this.registers.values;
    const deliveryMode = (icrLow >>> 8) & 7;
    const isLevel = (icrLow & ICR.level) !== 0;
    // The level de-assertion of INIT synchronised arbitration identities once, and does nothing now (11.6.1).
    if (deliveryMode === DELIVERY_MODE.init && isLevel && (icrLow & ICR.assert) === 0) return;
    const vector = icrLow & 0xff;
    const isFixed = deliveryMode === DELIVERY_MODE.fixed || deliveryMode === DELIVERY_MODE.lowestPriority;
    if (isFixed && vector < FIRST_LEGAL_VECTOR) {
      this.#error(ESR.sendIllegalVector);
      return;
    }
    const message: InterruptMessage = {
      destination: icrHigh >>> 24,
      isLogical: (icrLow & ICR.logical) !== 0,
      deliveryMode,
      vector,
      // Interprocessor interrupts are always edge-triggered (table 11-3).
      isLevel: false,
    };
    const shorthand = (icrLow >>> 18) & 3;
    if (shorthand === SHORTHAND.none) this.#config.bus.deliver(message);
    else if (shorthand === SHORTHAND.self) this.receive(message);
    else this.#config.bus.broadcast(message, shorthand === SHORTHAND.others ? this : undefined);
  }

  /** While the APIC is disabled by software every entry is masked and stays so (11.4.7.2). */
  lvtWritten(): void {
    const { values } = this.registers;
    if ((values.svr & SVR_ENABLED) === 0) for (const lvt of LVTS) values[lvt] |= LVT_MASKED;
    this.update();
  }

  timerLvtWritten(): void {
    const mode = TIMER_MODES[(this.registers.values.lvtTimer >>> 17) & 3];
    // The reserved mode changes nothing.
    if (mode !== undefined) this.#timer.setMode(mode);
    this.lvtWritten();
  }

  initialCountWritten(count: number): void {
    this.#timer.setInitialCount(count);
  }

  readCurrentCount(): number {
    return this.#timer.currentCount;
  }

  divideWritten(): void {
    const { divideConfiguration } = this.registers.values;
    const index = (divideConfiguration & 3) | ((divideConfiguration & 8) >>> 1);
    this.#timer.setDivisor(DIVISORS[index] ?? 2);
  }

  /** Makes the processor's interrupt line agree with what is pending. */
  update(): void {
    this.#config.cpu.setInterruptLine(this.#deliverableVector() !== NONE || this.#hasExternal);
  }

  // Workings.

  get #resetBase(): bigint {
    return APIC_BASE_ADDRESS | APIC_BASE.enable | (this.#config.apicId === 0 ? APIC_BASE.bootstrap : 0n);
  }

  get #isEnabled(): boolean {
    return (this.#apicBase & APIC_BASE.enable) !== 0n;
  }

  /** The 8259s ask for an interrupt and are connected to the processor. */
  get #hasExternal(): boolean {
    if (!this.#pins.lvtLint0) return false;
    if (!this.#isEnabled) return true;
    const { lvtLint0 } = this.registers.values;
    return (lvtLint0 & LVT_MASKED) === 0 && ((lvtLint0 >>> 8) & 7) === DELIVERY_MODE.extInt;
  }

  #resetRegisters(): void {
    this.registers.reset();
    this.registers.values.id = (this.#config.apicId << 24) >>> 0;
    this.#config.cpu.setTaskPriority(0);
    this.#timer.reset();
    this.#errors = 0;
  }

  #pinChanged(pin: "lvtLint0" | "lvtLint1", level: boolean): void {
    const rises = level && !this.#pins[pin];
    this.#pins[pin] = level;
    if (rises) {
      if (this.#isEnabled) this.#raiseLocal(pin);
      else if (pin === "lvtLint1") this.#config.cpu.raiseNmi();
    }
    this.update();
  }

  #raiseLocal(lvt: (typeof LVTS)[number]): void {
    const entry = this.registers.values[lvt];
    if ((entry & LVT_MASKED) !== 0) return;
    // The timer and error entries have no delivery mode: these bits are zero, which is "fixed".
    const mode = (entry >>> 8) & 7;
    if (mode === DELIVERY_MODE.fixed) this.#accept(entry & 0xff, false);
    else if (mode === DELIVERY_MODE.nmi) this.#config.cpu.raiseNmi();
  }

  #accept(vector: number, isLevel: boolean): void {
    if (vector < FIRST_LEGAL_VECTOR) {
      this.#error(ESR.receiveIllegalVector);
      return;
    }
    this.#setBit(IRR, vector, true);
    this.#setBit(TMR, vector, isLevel);
    this.update();
  }

  #error(error: number): void {
    const isNew = (this.#errors & error) === 0;
    this.#errors |= error;
    // An illegal vector in the error entry itself must not recurse.
    const { lvtError } = this.registers.values;
    if (isNew && (lvtError & 0xff) >= FIRST_LEGAL_VECTOR) this.#raiseLocal("lvtError");
  }

  /** The highest request whose class is above the processor's priority. */
  #deliverableVector(): number {
    if (!this.acceptsFixed) return NONE;
    const vector = this.#highest(IRR);
    return vector !== NONE && vector >>> 4 > this.processorPriority >>> 4 ? vector : NONE;
  }

  #highest(bits: VectorBits): number {
    for (let word = 7; word >= 0; word--) {
      const value = this.#word(bits, word);
      if (value !== 0) return word * 32 + 31 - Math.clz32(value);
    }
    return NONE;
  }

  #word(bits: VectorBits, index: number): number {
    const name = bits[index];
    assert(name !== undefined, "vectors are below 256");
    return this.registers.values[name];
  }

  #hasBit(bits: VectorBits, vector: number): boolean {
    return bit(this.#word(bits, vector >>> 5), vector & 31);
  }

  #setBit(bits: VectorBits, vector: number, value: boolean): void {
    const name = bits[vector >>> 5];
    assert(name !== undefined, "vectors are below 256");
    const mask = 1 << (vector & 31);
    const { values } = this.registers;
    values[name] = (value ? values[name] | mask : values[name] & ~mask) >>> 0;
  }
}
