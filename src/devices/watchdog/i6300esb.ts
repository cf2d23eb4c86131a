/**
 * The watchdog of Intel's 6300ESB I/O Controller Hub (order 300641, chapter 15), which Linux (i6300esb), the BSDs and
 * Windows' driver collections know: a counter of two stages. The end of the first is noted, that of the second drives
 * WDT_TOUT#, which the board has connected to what the user wants to happen.
 *
 * Deliberately missing: the interrupt of the first stage, which goes to an I/O APIC or an SMI of that chip that no other
 * has: that it is due shows in WDT_INT_ACT.
 */

import { NS_PER_S } from "../../base/index.ts";
import {
  asMmio,
  definePciRegisters,
  defineRegisters,
  PciConfigSpace,
  RegisterFile,
  StateReader,
} from "../../hw/index.ts";
import type {
  AccessSize,
  Clock,
  DeviceState,
  PciBuses,
  PciFunction,
  RegisterHooks,
  Timer,
  Timers,
} from "../../hw/index.ts";

const CONFIG_REGISTERS = definePciRegisters({
  wdtConfig: { at: 0x60, size: 2, reset: 0, writable: 0x27 },
  wdtLock: { at: 0x68, reset: 0, writable: 0x07, write: "lockWritten" },
});
const CONFIG = { interruptType: 3, interruptDisabled: 3, fastClock: 1 << 2, outputDisabled: 1 << 5 } as const;
const LOCK = { locked: 1 << 0, enable: 1 << 1, freeRunning: 1 << 2 } as const;

const PRELOAD_MASK = 0xf_ffff;
const MEMORY_REGISTERS = defineRegisters({
  preload1: { at: 0x0, size: 4, reset: PRELOAD_MASK, writable: PRELOAD_MASK, write: "preload1Written" },
  preload2: { at: 0x4, size: 4, reset: PRELOAD_MASK, writable: PRELOAD_MASK, write: "preload2Written" },
  generalInterruptStatus: { at: 0x8, size: 4, reset: 0, writable: 0, clearedByOnes: 0x01 },
  reload: { at: 0xc, size: 2, read: "readReload", write: "reloadWritten" },
  reserved: { at: 0xe, size: 2, reset: 0, writable: 0 },
});
const MEMORY_BYTES = 16;
const RELOAD = { reload: 1 << 8, timedOut: 1 << 9 } as const;
/** The two writes to the reload register that let the next write to any register of memory through. */
const UNLOCK = [0x80, 0x86] as const;

const PCI_CLOCK_HZ = 33_000_000;
/** Clocks of a unit of the preload values: about a millisecond, or about a microsecond. */
const UNIT_CLOCKS = { slow: 2 ** 15, fast: 2 ** 5 } as const;

export interface I6300EsbConfig {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly buses: PciBuses;
  /** WDT_TOUT# went low; not called from within the guest's accesses. */
  readonly onTimeout: () => void;
}

export class I6300Esb
  implements PciFunction, RegisterHooks<typeof CONFIG_REGISTERS>, RegisterHooks<typeof MEMORY_REGISTERS>
{
  readonly name = "i6300esb";
  readonly #registers = new RegisterFile(CONFIG_REGISTERS, this);
  readonly #memory = new RegisterFile(MEMORY_REGISTERS, this);
  readonly #config: PciConfigSpace;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #onTimeout: () => void;
  /** How much of the sequence has been written. */
  #unlockStep = 0;
  /** The stage that is counted; 0 while there is none. */
  #stage = 0;
  #endNs = 0;
  #timer: Timer | undefined;
  /** WDT_TOUT#, which is low when it is asserted. */
  #isOutputLow = false;
  /** WDT_TIMEOUT survives a reset: it tells the next system why there was one. */
  #hasTimedOut = false;

  constructor({ clock, timers, buses, onTimeout }: I6300EsbConfig) {
    this.#clock = clock;
    this.#timers = timers;
    this.#onTimeout = onTimeout;
    this.#config = new PciConfigSpace({
      name: this.name,
      identity: { vendorId: 0x8086, deviceId: 0x25ab, baseClass: 0x08, subClass: 0x80 },
      bars: [{ kind: "memory", sizeBytes: MEMORY_BYTES, handler: asMmio(this.#memory) }],
      buses,
      registers: this.#registers,
    });
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.#config.write(offset, size, value);
  }

  reset(): void {
    this.#config.reset();
    this.#memory.reset();
    this.#unlockStep = 0;
    this.#isOutputLow = false;
    this.#stop();
  }

  save(): DeviceState {
    return {
      config: this.#config.save(),
      memory: this.#memory.save(),
      unlockStep: this.#unlockStep,
      stage: this.#stage,
      endNs: this.#endNs,
      isOutputLow: this.#isOutputLow,
      hasTimedOut: this.#hasTimedOut,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#config.restore(reader.object("config"));
    this.#memory.restore(reader.object("memory"), `${this.name}.memory`);
    this.#unlockStep = reader.integer("unlockStep", UNLOCK.length);
    this.#isOutputLow = reader.boolean("isOutputLow");
    this.#hasTimedOut = reader.boolean("hasTimedOut");
    this.#stop();
    const stage = reader.integer("stage", 2);
    if (stage !== 0) this.#countTo(stage, reader.number("endNs"));
  }

  // Register hooks.

  readReserved(): number {
    return 0;
  }

  /** Once locked, the register keeps its value until a reset. */
  lockWritten(_written: number, before: number): void {
    const { values } = this.#registers;
    if ((before & LOCK.locked) !== 0) {
      values.wdtLock = before;
      return;
    }
    const { wdtLock } = values;
    if ((wdtLock & LOCK.enable) === 0) this.#stop();
    else if ((before & LOCK.enable) === 0) this.#begin();
  }

  preload1Written(_written: number, before: number): void {
    if (!this.#takeUnlocked()) this.#memory.values.preload1 = before;
  }

  preload2Written(_written: number, before: number): void {
    if (!this.#takeUnlocked()) this.#memory.values.preload2 = before;
  }

  readReload(): number {
    return this.#hasTimedOut ? RELOAD.timedOut : 0;
  }

  reloadWritten(written: number): void {
    if (this.#takeUnlocked()) {
      if ((written & RELOAD.timedOut) !== 0) this.#hasTimedOut = false;
      if ((written & RELOAD.reload) !== 0 && this.#stage !== 0) this.#begin();
    } else if (written === UNLOCK[this.#unlockStep]) {
      this.#unlockStep++;
    } else {
      this.#unlockStep = written === UNLOCK[0] ? 1 : 0;
    }
  }

  // Workings.

  get #isFreeRunning(): boolean {
    return (this.#registers.values.wdtLock & LOCK.freeRunning) !== 0;
  }

  /** Whether the sequence is complete; it counts for one write. */
  #takeUnlocked(): boolean {
    const isUnlocked = this.#unlockStep === UNLOCK.length;
    if (isUnlocked) this.#unlockStep = 0;
    return isUnlocked;
  }

  /** Free running, it uses the second preload value alone. */
  #begin(): void {
    this.#count(this.#isFreeRunning ? 2 : 1);
  }

  #count(stage: number): void {
    const { preload1, preload2 } = this.#memory.values;
    const isFast = (this.#registers.values.wdtConfig & CONFIG.fastClock) !== 0;
    // A stage without length would never let the guest run.
    const units = Math.max(1, stage === 1 ? preload1 : preload2);
    const clocks = units * (isFast ? UNIT_CLOCKS.fast : UNIT_CLOCKS.slow);
    this.#countTo(stage, this.#clock.nowNs() + (clocks * NS_PER_S) / PCI_CLOCK_HZ);
  }

  #countTo(stage: number, endNs: number): void {
    this.#stop();
    this.#stage = stage;
    this.#endNs = endNs;
    this.#timer = this.#timers.schedule(endNs, () => this.#stageEnds(stage));
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stage = 0;
    this.#endNs = 0;
  }

  #stageEnds(stage: number): void {
    const { wdtConfig } = this.#registers.values;
    if (stage === 1) {
      const interrupts = (wdtConfig & CONFIG.interruptType) !== CONFIG.interruptDisabled;
      if (interrupts) this.#memory.values.generalInterruptStatus |= 1;
      this.#count(2);
      return;
    }
    this.#hasTimedOut = true;
    const wasLow = this.#isOutputLow;
    if (this.#isFreeRunning) {
      this.#isOutputLow = !wasLow;
      this.#count(2);
    } else {
      this.#isOutputLow = true;
      this.#stop();
    }
    const isDriven = (wdtConfig & CONFIG.outputDisabled) === 0;
    if (isDriven && this.#isOutputLow && !wasLow) this.#onTimeout();
  }
}
