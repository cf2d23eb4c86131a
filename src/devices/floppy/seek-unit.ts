/**
 * The part of an 82077AA that moves heads (data sheet, sections 5.2.2 to 5.2.4 and 5.2.9): where it takes each drive's to
 * be, seeks under way side by side, and what SENSE INTERRUPT STATUS has to tell of each drive.
 */

import { defined } from "../../base/index.ts";
import type { Clock, DeviceState, StateReader, Timer, Timers } from "../../hw/index.ts";
import { ST0 } from "./commands.ts";
import type { FloppyDrive } from "./floppy-drive.ts";
import { STEP_NS } from "./transfer.ts";

export interface SeekUnitConfig {
  readonly clock: Clock;
  readonly timers: Timers;
  drive(number: number): FloppyDrive | undefined;
  /** A seek has ended. */
  finished(): void;
}

interface SeekState {
  /** PCN: where the heads are, or will be when the seek under way has ended. */
  cylinder: number;
  /** A seek under way, and the ST0 with which it will end. */
  seek: { readonly st0: number; readonly timer: Timer } | undefined;
  /** ST0 to be sensed. */
  attention: number | undefined;
}

const DRIVES = 4;
/** Step pulses of a RECALIBRATE that finds no track 0. */
const RECALIBRATE_STEPS = 79;
const MAX_CYLINDER = 0xff;
/** Before the first step, or instead of one. */
const START_NS = 50_000;

export class SeekUnit {
  readonly #config: SeekUnitConfig;
  #drives: readonly SeekState[] = newDrives();

  constructor(config: SeekUnitConfig) {
    this.#config = config;
  }

  reset(): void {
    for (const { seek } of this.#drives) seek?.timer.cancel();
    this.#drives = newDrives();
  }

  /** Bits by drive: seeking, or sought and not sensed. */
  get busyDrives(): number {
    return this.#drives.reduce((bits, { seek, attention }, number) => {
      const isBusy = seek !== undefined || (attention !== undefined && isSeekEnd(attention));
      return isBusy ? bits | (1 << number) : bits;
    }, 0);
  }

  /** PCN by drive. */
  get cylinders(): number[] {
    return this.#drives.map(({ cylinder }) => cylinder);
  }

  /** Whether a seek has ended and was not sensed. */
  get hasSeekEnded(): boolean {
    return this.#drives.some(({ attention }) => attention !== undefined && isSeekEnd(attention));
  }

  /** The polling after a reset: the ready line of every drive has changed. */
  allChanged(): void {
    this.#drives.forEach((drive, number) => (drive.attention = ST0.polled | number));
  }

  /** Takes what there is to tell of the first drive. */
  sense(): { readonly st0: number; readonly cylinder: number } | undefined {
    const drive = this.#drives.find(({ attention }) => attention !== undefined);
    if (drive?.attention === undefined) return undefined;
    const st0 = drive.attention;
    drive.attention = undefined;
    return { st0, cylinder: drive.cylinder };
  }

  seek(number: number, cylinder: number): void {
    const steps = this.moveTo(number, cylinder);
    this.#begin(number, ST0.seekEnd | number, steps);
  }

  /** As many steps as asked for, whatever the controller takes its place to be; the PCN goes along. */
  seekBy(number: number, cylinders: number): void {
    const state = this.#at(number);
    this.#config.drive(number)?.step(cylinders);
    state.cylinder = (state.cylinder + cylinders) & MAX_CYLINDER;
    this.#begin(number, ST0.seekEnd | number, Math.abs(cylinders));
  }

  recalibrate(number: number): void {
    const drive = this.#config.drive(number);
    let steps = 0;
    for (; steps < RECALIBRATE_STEPS && drive?.isAtTrack0 !== true; steps++) drive?.step(-1);
    const isFound = drive?.isAtTrack0 === true;
    const st0 = ST0.seekEnd | (isFound ? 0 : ST0.equipmentCheck | ST0.abnormal);
    this.#at(number).cylinder = 0;
    this.#begin(number, st0 | number, steps);
  }

  /** Steps to a cylinder without telling: an implied seek. Gives the number of steps. */
  moveTo(number: number, cylinder: number): number {
    const state = this.#at(number);
    const steps = cylinder - state.cylinder;
    this.#config.drive(number)?.step(steps);
    state.cylinder = cylinder;
    return Math.abs(steps);
  }

  save(): DeviceState {
    return {
      drives: this.#drives.map(({ cylinder, seek, attention }) => ({
        cylinder,
        seek: seek === undefined ? null : seek.st0,
        attention: attention ?? null,
      })),
    };
  }

  restore(reader: StateReader): void {
    this.reset();
    reader.children("drives", DRIVES).forEach((saved, number) => {
      const state = this.#at(number);
      state.cylinder = saved.u8("cylinder");
      state.attention = saved.isNull("attention") ? undefined : saved.u8("attention");
      if (!saved.isNull("seek")) this.#begin(number, saved.u8("seek"), 0);
    });
  }

  #at(number: number): SeekState {
    return defined(this.#drives[number], "commands select one of four drives");
  }

  /** The heads move at once; the controller knows, and tells, when the steps' time has passed. */
  #begin(number: number, st0: number, steps: number): void {
    const state = this.#at(number);
    state.seek?.timer.cancel();
    state.attention = undefined;
    const { clock, timers } = this.#config;
    const timer = timers.schedule(clock.nowNs() + START_NS + steps * STEP_NS, () => {
      state.seek = undefined;
      state.attention = st0;
      this.#config.finished();
    });
    state.seek = { st0, timer };
  }
}

function isSeekEnd(st0: number): boolean {
  return (st0 & ST0.polled) !== ST0.polled;
}

function newDrives(): readonly SeekState[] {
  return Array.from({ length: DRIVES }, () => ({ cylinder: 0, seek: undefined, attention: undefined }));
}
