/**
 * Diskette controller: Intel 82077AA (data sheet of 1994, order number 290166; section numbers are its own) in PC/AT mode:
 * registers, reset and polling, command and result phases, the commands that move no data. What moves data is
 * transfer.ts; drives and formats are in files of their own.
 *
 * Deliberately missing: the status registers A and B of its PS/2 modes, which an AT does not have and which read as all
 * ones; tape drives (TDR is storage); the SCAN commands of older controllers and PART ID of newer ones, which are
 * invalid, as in this chip. Timing parameters, precompensation and perpendicular recording are kept and have no effect.
 */

import { assert } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import type {
  Clock,
  Device,
  DeviceState,
  IrqLine,
  IsaDmaChannel,
  RegisterHooks,
  Timer,
  Timers,
} from "../../hw/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import { commandOf, MAX_COMMAND_BYTES, MAX_RESULT_BYTES, SELECT, ST0, ST3 } from "./commands.ts";
import type { CommandRow, ControlCommand } from "./commands.ts";
import type { FloppyDrive } from "./floppy-drive.ts";
import { DATA_RATES_KBPS } from "./formats.ts";
import type { DataRateKbps } from "./formats.ts";
import { SeekUnit } from "./seek-unit.ts";
import { FloppyTransfer } from "./transfer.ts";

export interface Fdc82077aaConfig {
  readonly clock: Clock;
  readonly timers: Timers;
  /** IRQ 6. */
  readonly irq: IrqLine;
  /** DMA channel 2. */
  readonly dma: IsaDmaChannel;
  /** By drive number; at most four. */
  readonly drives: readonly FloppyDrive[];
}

/** Ports from the base, 3F0h; the one at 6 is the fixed disk controller's. */
export const FDC_PORTS = { first: { at: 0, lengthBytes: 6 }, second: { at: 7, lengthBytes: 1 } } as const;
export const MAX_FLOPPY_DRIVES = 4;
const RATE_AT_RESET = 2;

const REGISTERS = defineRegisters({
  dor: { at: 2, reset: 0, write: "digitalOutputWritten" },
  /** Bits 2 to 7 are not driven. */
  tdr: { at: 3, reset: 0, writable: 0x03, read: "readTapeDrive" },
  msr: { at: 4, access: "ro", read: "readMainStatus" },
  dsr: { at: 4, access: "wo", reset: RATE_AT_RESET, write: "dataRateSelectWritten" },
  fifo: { at: 5, read: "readFifo", write: "fifoWritten" },
  dir: { at: 7, access: "ro", read: "readDigitalInput" },
  ccr: { at: 7, access: "wo", reset: RATE_AT_RESET, write: "configurationControlWritten" },
});

const DOR = { drive: 0x03, notReset: 0x04, dmaGate: 0x08, motors: 0x10 } as const;
const DSR = { rate: 0x03, powerDown: 0x40, reset: 0x80 } as const;
const MSR = { busy: 0x10, nonDma: 0x20, toHost: 0x40, ready: 0x80 } as const;
const DISK_CHANGED = 0x80;
const UNDRIVEN = { tdr: 0xfc, dir: 0x7f } as const;

/** CONFIGURE's bytes at reset: FIFO disabled, polling, no implied seeks (table 5-10). */
const CONFIGURE = { impliedSeek: 0x40, fifoDisabled: 0x20, pollDisabled: 0x10, threshold: 0x0f } as const;
const PERPENDICULAR = { overwrite: 0x80, drives: 0x3c, gapAndGate: 0x03 } as const;
const RELATIVE_SEEK_IN = 0x40;
const NON_DMA = 0x01;
const LOCK = 0x80;
const VERSION_ENHANCED = 0x90;
const FIFO_BYTES = 16;
/** From the end of a reset to the interrupt of the first polling. */
const POLL_NS = 50_000;

/** What commands set, as DUMPREG gives it back. */
interface Settings {
  /** SRT and HUT of SPECIFY. */
  readonly stepAndUnload: number;
  /** HLT and ND of SPECIFY. */
  readonly loadAndNonDma: number;
  readonly isLocked: boolean;
  readonly perpendicular: number;
  /** EIS, EFIFO, POLL and FIFOTHR of CONFIGURE. */
  readonly configuration: number;
  readonly precompensationTrack: number;
}

const POWER_ON: Settings = {
  stepAndUnload: 0,
  loadAndNonDma: 0,
  isLocked: false,
  perpendicular: 0,
  configuration: CONFIGURE.fifoDisabled,
  precompensationTrack: 0,
};

export class Fdc82077aa implements Device, RegisterHooks<typeof REGISTERS> {
  readonly name = "fdc";
  readonly registers = new RegisterFile(REGISTERS, this);
  readonly #config: Fdc82077aaConfig;
  readonly #transfer: FloppyTransfer;
  readonly #seeks: SeekUnit;
  #settings: Settings = POWER_ON;
  #rate = RATE_AT_RESET;
  #isPoweredDown = false;
  /** The command phase so far, and what is left of the result phase. */
  #command: number[] = [];
  #result: number[] = [];
  /** Causes of INT: a result to be read, a byte to be moved, drives to be sensed. */
  #isResultNew = false;
  #isBurstDue = false;
  #isSenseDue = false;
  #pollTimer: Timer | undefined;

  constructor(config: Fdc82077aaConfig) {
    assert(config.drives.length <= MAX_FLOPPY_DRIVES, "the controller has four drive selects");
    this.#config = config;
    const { clock, timers, dma, drives } = config;
    const drive = (number: number): FloppyDrive | undefined => drives[number];
    this.#seeks = new SeekUnit({
      clock,
      timers,
      drive,
      finished: () => {
        this.#isSenseDue = true;
        this.#drive();
      },
    });
    this.#transfer = new FloppyTransfer({
      clock,
      timers,
      dma,
      drive,
      rateKbps: () => this.#rateKbps,
      isNonDma: () => (this.#settings.loadAndNonDma & NON_DMA) !== 0,
      seek: (number, cylinder) => this.#seeks.moveTo(number, cylinder),
      hostRequestChanged: () => {
        if (this.#transfer.startsBurst(this.#burstBytes)) this.#isBurstDue = true;
        this.#drive();
      },
      finished: (result) => {
        this.#isBurstDue = false;
        this.#isResultNew = true;
        this.#enterResult(result);
      },
    });
  }

  // The operator's side.

  /** Puts a diskette into an empty drive. */
  insert(drive: number, device: BlockDevice): Result<void> {
    return this.#driveAt(drive).insert(device);
  }

  /** Takes the diskette out. What was under way with it is dropped; its owner closes it, which waits for writes. */
  eject(drive: number): BlockDevice | undefined {
    this.#transfer.mediumLeft(drive);
    this.#isBurstDue &&= this.#transfer.hostRequest !== undefined;
    this.#drive();
    return this.#driveAt(drive).eject();
  }

  // Registers.

  digitalOutputWritten(written: number, before: number): void {
    this.#config.drives.forEach((drive, number) => {
      drive.isMotorOn = (written & (DOR.motors << number)) !== 0;
    });
    const changed = written ^ before;
    if ((changed & DOR.notReset) !== 0) {
      if ((written & DOR.notReset) === 0) this.#enterReset();
      else this.#leaveReset();
    }
    this.#drive();
  }

  readTapeDrive(stored: number): number {
    return stored | UNDRIVEN.tdr;
  }

  readMainStatus(): number {
    if (this.#isHeld) return 0;
    const seeking = this.#seeks.busyDrives;
    if (this.#transfer.isActive) {
      const request = this.#transfer.hostRequest;
      const isNonDma = (this.#settings.loadAndNonDma & NON_DMA) !== 0;
      const ready = request === undefined ? 0 : MSR.ready | (request === "in" ? MSR.toHost : 0);
      return seeking | MSR.busy | (isNonDma ? MSR.nonDma : 0) | ready;
    }
    if (this.#result.length > 0) return seeking | MSR.ready | MSR.toHost | MSR.busy;
    return seeking | MSR.ready | (this.#command.length > 0 ? MSR.busy : 0);
  }

  dataRateSelectWritten(written: number): void {
    this.#rate = written & DSR.rate;
    this.#isPoweredDown ||= (written & DSR.powerDown) !== 0;
    if ((written & DSR.reset) === 0) return;
    // This reset ends by itself.
    this.registers.values.dsr &= ~DSR.reset;
    this.#enterReset();
    if ((this.registers.values.dor & DOR.notReset) !== 0) this.#leaveReset();
    this.#drive();
  }

  readFifo(): number {
    if (this.#isHeld) return 0;
    if (this.#transfer.hostRequest === "in") {
      this.#isBurstDue = false;
      this.#drive();
      return this.#transfer.takeByte();
    }
    // The first byte read takes the interrupt back.
    this.#isResultNew = false;
    this.#drive();
    return this.#result.shift() ?? 0;
  }

  fifoWritten(written: number): void {
    if (this.#isHeld) return;
    if (this.#transfer.hostRequest === "out") {
      this.#isBurstDue = false;
      this.#drive();
      this.#transfer.giveByte(written);
      return;
    }
    if (this.#transfer.isActive || this.#result.length > 0) return;
    this.#command.push(written);
    const row = commandOf(this.#command[0] ?? 0);
    if (row !== undefined && this.#command.length < row.lengthBytes) return;
    const bytes = this.#command;
    this.#command = [];
    this.#execute(row, bytes);
  }

  /** The changed line of the drive that is selected. */
  readDigitalInput(): number {
    const selected = this.#config.drives[this.registers.values.dor & DOR.drive];
    return UNDRIVEN.dir | (selected?.isChanged === true ? DISK_CHANGED : 0);
  }

  configurationControlWritten(written: number): void {
    this.#rate = written & DSR.rate;
  }

  // Lifecycle.

  reset(): void {
    this.registers.reset();
    this.#rate = RATE_AT_RESET;
    this.#settings = POWER_ON;
    this.#enterReset();
    this.#transfer.reset();
    for (const drive of this.#config.drives) drive.reset();
    this.#drive();
  }

  save(): DeviceState {
    return {
      registers: this.registers.save(),
      settings: { ...this.#settings },
      rate: this.#rate,
      isPoweredDown: this.#isPoweredDown,
      command: [...this.#command],
      result: [...this.#result],
      isResultNew: this.#isResultNew,
      isBurstDue: this.#isBurstDue,
      isSenseDue: this.#isSenseDue,
      isPollDue: this.#pollTimer !== undefined,
      seeks: this.#seeks.save(),
      transfer: this.#transfer.save(),
      drives: this.#config.drives.map((drive) => drive.save()),
    };
  }

  restore(state: DeviceState): void {
    const { drives } = this.#config;
    const reader = new StateReader(this.name, state);
    this.registers.restore(reader.object("registers"), "fdc.registers");
    const settings = reader.child("settings");
    this.#settings = {
      stepAndUnload: settings.u8("stepAndUnload"),
      loadAndNonDma: settings.u8("loadAndNonDma"),
      isLocked: settings.boolean("isLocked"),
      perpendicular: settings.u8("perpendicular"),
      configuration: settings.u8("configuration"),
      precompensationTrack: settings.u8("precompensationTrack"),
    };
    this.#rate = reader.integer("rate", DSR.rate);
    this.#isPoweredDown = reader.boolean("isPoweredDown");
    this.#command = reader.integers("command", MAX_COMMAND_BYTES, 0xff);
    this.#result = reader.integers("result", MAX_RESULT_BYTES, 0xff);
    reader.children("drives", drives.length).forEach((drive, number) => drives[number]?.restore(drive));
    this.#seeks.restore(reader.child("seeks"));
    this.#transfer.restore(reader.child("transfer"));
    this.#pollTimer?.cancel();
    this.#pollTimer = undefined;
    if (reader.boolean("isPollDue")) this.#leaveReset();
    this.#isResultNew = reader.boolean("isResultNew");
    this.#isBurstDue = reader.boolean("isBurstDue");
    this.#isSenseDue = reader.boolean("isSenseDue");
    this.#drive();
  }

  // Reset (section 4).

  get #isHeld(): boolean {
    return (this.registers.values.dor & DOR.notReset) === 0 || this.#isPoweredDown;
  }

  /** What a software reset does; LOCK keeps the FIFO's configuration. */
  #enterReset(): void {
    this.#transfer.abort();
    this.#seeks.reset();
    this.#pollTimer?.cancel();
    this.#pollTimer = undefined;
    this.#isPoweredDown = false;
    this.#command = [];
    this.#result = [];
    this.#isResultNew = false;
    this.#isBurstDue = false;
    this.#isSenseDue = false;
    const { isLocked, configuration, precompensationTrack, perpendicular } = this.#settings;
    const fifo = CONFIGURE.fifoDisabled | CONFIGURE.threshold;
    this.#settings = {
      ...this.#settings,
      configuration: isLocked ? configuration & fifo : POWER_ON.configuration,
      precompensationTrack: isLocked ? precompensationTrack : 0,
      perpendicular: perpendicular & ~PERPENDICULAR.gapAndGate,
    };
  }

  /** The first polling finds all drives changed, by one interrupt. */
  #leaveReset(): void {
    this.#pollTimer?.cancel();
    this.#pollTimer = this.#config.timers.schedule(this.#config.clock.nowNs() + POLL_NS, () => {
      this.#pollTimer = undefined;
      this.#seeks.allChanged();
      this.#isSenseDue = true;
      this.#drive();
    });
  }

  // Commands.

  #execute(row: CommandRow | undefined, bytes: readonly number[]): void {
    if (row === undefined) return this.#enterResult([ST0.invalid]);
    if (row.kind === "control") return this.#enterResult(this.#control(row.name, bytes));
    const isSeekImplied = (this.#settings.configuration & CONFIGURE.impliedSeek) !== 0;
    this.#transfer.start(row.name, bytes, isSeekImplied);
  }

  /** Runs a command that moves no data and gives its result, of no bytes for some. */
  #control(
    name: ControlCommand,
    [first = 0, second = 0, third = 0, fourth = 0]: readonly number[],
  ): number[] {
    const settings = this.#settings;
    const drive = second & SELECT.drive;
    switch (name) {
      case "specify":
        this.#settings = { ...settings, stepAndUnload: second, loadAndNonDma: third };
        return [];
      case "configure":
        this.#settings = { ...settings, configuration: third & 0x7f, precompensationTrack: fourth };
        if ((third & CONFIGURE.pollDisabled) !== 0) this.#cancelPoll();
        return [];
      case "perpendicularMode": {
        const replaced = (second & PERPENDICULAR.overwrite) === 0 ? 0 : PERPENDICULAR.drives;
        const kept = settings.perpendicular & PERPENDICULAR.drives & ~replaced;
        const perpendicular = kept | (second & (replaced | PERPENDICULAR.gapAndGate));
        this.#settings = { ...settings, perpendicular };
        return [];
      }
      case "lock":
        this.#settings = { ...settings, isLocked: (first & LOCK) !== 0 };
        return [(first & LOCK) >> 3];
      case "version":
        return [VERSION_ENHANCED];
      case "dumpRegisters":
        return this.#dump();
      case "senseDriveStatus":
        return [this.#driveStatus(second)];
      case "recalibrate":
        this.#seeks.recalibrate(drive);
        return [];
      case "seek":
        this.#seeks.seek(drive, third);
        return [];
      case "relativeSeek":
        this.#seeks.seekBy(drive, (first & RELATIVE_SEEK_IN) === 0 ? -third : third);
        return [];
      case "senseInterruptStatus":
        return this.#sense();
    }
  }

  /** Takes INT back; another seek that has ended raises it again, the rest of a polling does not. */
  #sense(): number[] {
    this.#isSenseDue = false;
    this.#drive();
    const sensed = this.#seeks.sense();
    if (sensed === undefined) return [ST0.invalid];
    this.#isSenseDue = this.#seeks.hasSeekEnded;
    this.#drive();
    return [sensed.st0, sensed.cylinder];
  }

  #dump(): number[] {
    const { stepAndUnload, loadAndNonDma, isLocked, perpendicular, configuration, precompensationTrack } =
      this.#settings;
    return [
      ...this.#seeks.cylinders,
      stepAndUnload,
      loadAndNonDma,
      this.#transfer.lastSectorParameter,
      (isLocked ? LOCK : 0) | perpendicular,
      configuration,
      precompensationTrack,
    ];
  }

  #driveStatus(select: number): number {
    const drive = this.#config.drives[select & SELECT.drive];
    const lines =
      (drive?.isAtTrack0 === true ? ST3.track0 : 0) |
      (drive?.isWriteProtected === true ? ST3.writeProtected : 0);
    return (select & (SELECT.drive | SELECT.head)) | ST3.always | lines;
  }

  #cancelPoll(): void {
    this.#pollTimer?.cancel();
    this.#pollTimer = undefined;
  }

  #enterResult(result: readonly number[]): void {
    this.#result = [...result];
    this.#drive();
  }

  // Workings.

  /** The FIFO asks the host once it is full, or empty; disabled, for each byte. */
  get #burstBytes(): number {
    return (this.#settings.configuration & CONFIGURE.fifoDisabled) === 0 ? FIFO_BYTES : 1;
  }

  get #rateKbps(): DataRateKbps {
    return DATA_RATES_KBPS[this.#rate] ?? DATA_RATES_KBPS[RATE_AT_RESET];
  }

  #driveAt(number: number): FloppyDrive {
    const drive = this.#config.drives[number];
    assert(drive !== undefined, `there is a drive ${number}`);
    return drive;
  }

  /** Drives INT, which DMAGATE lets through. */
  #drive(): void {
    const isRequested = this.#isResultNew || this.#isBurstDue || this.#isSenseDue;
    this.#config.irq.set(isRequested && (this.registers.values.dor & DOR.dmaGate) !== 0);
  }
}
