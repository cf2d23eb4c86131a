/**
 * Power management: function 3 of Intel's 82371AB PIIX4 (order 290562, chapter 7) with its I/O block — the ACPI event,
 * control, timer and general purpose registers — and the APM control ports B2h and B3h.
 *
 * On a real PC, writing to the APM port calls the firmware, which switches to ACPI mode; here the function does that
 * itself. PIIX4 proper would raise the SCI as IRQ 9; the board connects it. The SMBus, which this function places, is a
 * device of its own. Missing on purpose: sleep states other than soft-off, device idle timers, GPIO pins and throttling
 * (reserved). There are no SMIs; SeaBIOS would wait for one for ever, if DEVACTB did not say that they have been seen to.
 */

import { ticksAtNs, nsAtTicks } from "../../base/index.ts";
import type { Releasable } from "../../base/index.ts";
import {
  definePciRegisters,
  defineRegisters,
  PCI_PIN,
  PciConfigSpace,
  RegisterFile,
  reservedBytes,
  StateReader,
} from "../../hw/index.ts";
import type {
  AccessSize,
  Clock,
  DeviceState,
  IrqLine,
  PciFunction,
  PortBus,
  PortHandler,
  RegisterHooks,
  Timer,
  Timers,
} from "../../hw/index.ts";
import type { Piix4Smbus } from "./piix4-smbus.ts";

const CONFIG_REGISTERS = definePciRegisters({
  pmba: { at: 0x40, size: 4, reset: 0x01, writable: 0xffc0, write: "blockMoved" },
  /** DEVACTB, without effect but that it says that writes to the APM port are acted upon (bit 25, APMC_EN). */
  devactb: { at: 0x58, size: 4, reset: 0x0200_0000 },
  pmregmisc: { at: 0x80, reset: 0, writable: 0x01, write: "blockMoved" },
  smbba: { at: 0x90, size: 4, reset: 0x01, writable: 0xfff0, write: "smbusMoved" },
  smbhstcfg: { at: 0xd2, reset: 0, writable: 0x0f, write: "smbusMoved" },
  smbslvc: { at: 0xd3, reset: 0 },
  smbshdw1: { at: 0xd4, reset: 0 },
  smbshdw2: { at: 0xd5, reset: 0 },
});
const PMREGMISC_ENABLE = 1 << 0;
/** Host controller enable, and where its interrupt goes: 000 SMI#, 100 IRQ 9. */
const SMBHSTCFG = { enable: 1 << 0, interruptSelect: 7 << 1, irq9: 4 << 1 } as const;

const DECLARED_BLOCK_REGISTERS = defineRegisters({
  pmsts: {
    at: 0x00,
    size: 2,
    reset: 0,
    writable: 0,
    clearedByOnes: 0x8d31,
    read: "readStatus",
    write: "statusWritten",
  },
  pmen: { at: 0x02, size: 2, reset: 0, writable: 0x0521, write: "update" },
  pmcntrl: { at: 0x04, size: 2, reset: 0, writable: 0x1c07, write: "controlWritten" },
  pmtmr: { at: 0x08, size: 4, access: "ro", read: "readTimer" },
  gpsts: { at: 0x0c, size: 2, reset: 0, writable: 0, clearedByOnes: 0x0f81, write: "update" },
  gpen: { at: 0x0e, size: 2, reset: 0, writable: 0x0f01, write: "update" },
});
const BLOCK_BYTES = 0x40;
/** The I/O block at PMBA. */
const BLOCK_REGISTERS = defineRegisters({
  ...DECLARED_BLOCK_REGISTERS,
  ...reservedBytes(DECLARED_BLOCK_REGISTERS, 0, BLOCK_BYTES),
});
const APM_REGISTERS = defineRegisters({
  apmc: { at: 0, reset: 0, write: "apmCommand" },
  apms: { at: 1, reset: 0 },
});

const PMSTS = { timerOverflow: 1 << 0, powerButton: 1 << 8 } as const;
/** The sleep button is wired to GPI1#. */
export const SLEEP_BUTTON_GPE = 9;
const PMCNTRL = { sciEnable: 1 << 0, sleepEnable: 1 << 13 } as const;
const SLEEP_TYPE_SHIFT = 10;
const SLEEP_TYPE_MASK = 7;
const SLEEP_TYPE_SOFT_OFF = 0;

/** What the FADT tells the OS to write to the APM port. */
export const ACPI_ENABLE = 0xf1;
export const ACPI_DISABLE = 0xf0;

export const APM_PORT_BASE = 0xb2;
export const APM_PORT_BYTES = 2;

export const PM_TIMER_HZ = 3_579_545;
const TIMER_MASK = 0xffffff;
/** The overflow status is set each time the timer's top bit changes. */
const HALF_TURN_TICKS = 0x800000;

export interface Piix4PmConfig {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly ports: PortBus;
  readonly sci: IrqLine;
  readonly smbus: Piix4Smbus;
  /** The guest entered the soft-off state; called from within its port write. */
  readonly onPowerOff: () => void;
}

export class Piix4Pm
  implements
    PciFunction,
    RegisterHooks<typeof CONFIG_REGISTERS>,
    RegisterHooks<typeof BLOCK_REGISTERS>,
    RegisterHooks<typeof APM_REGISTERS>
{
  readonly name = "piix4-pm";
  readonly #registers = new RegisterFile(CONFIG_REGISTERS, this);
  readonly #config = new PciConfigSpace({
    name: this.name,
    identity: {
      vendorId: 0x8086,
      deviceId: 0x7113,
      revisionId: 0x03,
      baseClass: 0x06,
      subClass: 0x80,
      commandWritable: 0x0001,
      status: 0x0280,
      interruptPin: PCI_PIN.inta,
    },
    registers: this.#registers,
  });
  readonly #block = new RegisterFile(BLOCK_REGISTERS, this);
  readonly #apm = new RegisterFile(APM_REGISTERS, this);
  /** The APM ports, which the board claims. */
  readonly apmPorts: PortHandler = {
    readPort: (offset, size) => this.#apm.read(offset, size),
    writePort: (offset, size, value) => this.#apm.write(offset, size, value),
  };
  readonly #blockPorts: PortHandler = {
    readPort: (offset, size) => this.#block.read(offset, size),
    writePort: (offset, size, value) => this.#block.write(offset, size, value),
  };
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #ports: PortBus;
  readonly #sci: IrqLine;
  readonly #smbus: Piix4Smbus;
  readonly #onPowerOff: () => void;
  #mapped: { base: number; claim: Releasable } | undefined;
  /** Half turns of the timer that have been acknowledged by clearing the overflow status. */
  #acknowledgedHalfTurns = 0;
  #overflowTimer: Timer | undefined;
  #ignoredSleeps = 0;

  constructor(config: Piix4PmConfig) {
    this.#clock = config.clock;
    this.#timers = config.timers;
    this.#ports = config.ports;
    this.#sci = config.sci;
    this.#smbus = config.smbus;
    this.#onPowerOff = config.onPowerOff;
  }

  /** Where PMBA and SMBBA say that the ports are; 0 until somebody has said so. */
  get bases(): { readonly ioBase: number; readonly smbusIoBase: number } {
    const { pmba, smbba } = this.#registers.values;
    return { ioBase: pmba & 0xffc0, smbusIoBase: smbba & 0xfff0 };
  }

  /** Sleep states that were asked for although no table offers them. */
  get ignoredSleeps(): number {
    return this.#ignoredSleeps;
  }

  /** The power button: an ACPI guest shuts down, others take no notice. */
  pressPowerButton(): void {
    this.#block.values.pmsts |= PMSTS.powerButton;
    this.update();
  }

  /** The sleep button, for which PIIX4 has no register of its own: a general purpose event. */
  pressSleepButton(): void {
    this.#block.values.gpsts |= 1 << SLEEP_BUTTON_GPE;
    this.update();
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.#config.write(offset, size, value);
  }

  reset(): void {
    this.#config.reset();
    this.#block.reset();
    this.#apm.reset();
    this.#acknowledgedHalfTurns = this.#halfTurns();
    this.blockMoved();
    this.smbusMoved();
    this.update();
  }

  save(): DeviceState {
    return {
      config: this.#config.save(),
      block: this.#block.save(),
      apm: this.#apm.save(),
      acknowledgedHalfTurns: this.#acknowledgedHalfTurns,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#config.restore(reader.object("config"));
    this.#block.restore(reader.object("block"), `${this.name}.block`);
    this.#apm.restore(reader.object("apm"), `${this.name}.apm`);
    this.#acknowledgedHalfTurns = reader.integer("acknowledgedHalfTurns", Number.MAX_SAFE_INTEGER);
    this.blockMoved();
    this.smbusMoved();
    this.update();
  }

  // Register hooks.

  readReserved(): number {
    return 0;
  }

  /** Decodes the I/O block where PMBA puts it, while PMREGMISC enables it. */
  blockMoved(): void {
    const { pmba, pmregmisc } = this.#registers.values;
    const base = (pmba & 0xffc0) >>> 0;
    const wanted = (pmregmisc & PMREGMISC_ENABLE) === 0 || base === 0 ? undefined : base;
    if (this.#mapped?.base === wanted) return;
    this.#mapped?.claim.release();
    this.#mapped = undefined;
    if (wanted === undefined) return;
    const claim = this.#ports.tryClaim(this.name, wanted, BLOCK_BYTES, this.#blockPorts);
    if (claim !== undefined) this.#mapped = { base: wanted, claim };
  }

  smbusMoved(): void {
    const { smbba, smbhstcfg } = this.#registers.values;
    const base = smbba & 0xfff0;
    const isDecoded = (smbhstcfg & SMBHSTCFG.enable) !== 0 && base !== 0;
    const interrupts = (smbhstcfg & SMBHSTCFG.interruptSelect) === SMBHSTCFG.irq9;
    this.#smbus.place(isDecoded ? base : undefined, interrupts);
  }

  readStatus(stored: number): number {
    return stored | (this.#hasOverflown() ? PMSTS.timerOverflow : 0);
  }

  statusWritten(written: number): void {
    if ((written & PMSTS.timerOverflow) !== 0) this.#acknowledgedHalfTurns = this.#halfTurns();
    this.update();
  }

  controlWritten(written: number): void {
    if ((written & PMCNTRL.sleepEnable) !== 0) {
      const type = (written >>> SLEEP_TYPE_SHIFT) & SLEEP_TYPE_MASK;
      if (type === SLEEP_TYPE_SOFT_OFF) this.#onPowerOff();
      else this.#ignoredSleeps++;
    }
    this.update();
  }

  readTimer(): number {
    return ticksAtNs(this.#clock.nowNs(), PM_TIMER_HZ) & TIMER_MASK;
  }

  apmCommand(command: number): void {
    const { values } = this.#block;
    if (command === ACPI_ENABLE) values.pmcntrl |= PMCNTRL.sciEnable;
    else if (command === ACPI_DISABLE) values.pmcntrl &= ~PMCNTRL.sciEnable;
    this.update();
  }

  /** Sets the SCI's level, and waits for the timer's next overflow where that would raise it. */
  update(): void {
    const { pmsts, pmen, pmcntrl, gpsts, gpen } = this.#block.values;
    const pending = (this.readStatus(pmsts) & pmen) | (gpsts & gpen);
    this.#sci.set(pending !== 0 && (pmcntrl & PMCNTRL.sciEnable) !== 0);

    this.#overflowTimer?.cancel();
    this.#overflowTimer = undefined;
    if ((pmen & PMSTS.timerOverflow) === 0 || this.#hasOverflown()) return;
    const nextNs = nsAtTicks((this.#halfTurns() + 1) * HALF_TURN_TICKS, PM_TIMER_HZ);
    this.#overflowTimer = this.#timers.schedule(nextNs, () => this.update());
  }

  // Workings.

  #halfTurns(): number {
    return Math.floor(ticksAtNs(this.#clock.nowNs(), PM_TIMER_HZ) / HALF_TURN_TICKS);
  }

  #hasOverflown(): boolean {
    return this.#halfTurns() !== this.#acknowledgedHalfTurns;
  }
}
