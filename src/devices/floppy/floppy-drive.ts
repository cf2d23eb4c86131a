/**
 * A diskette drive: the medium in it, where its heads stand, the motor, and the lines that a controller sees of it.
 * Sectors with deleted data marks are remembered while the diskette is in the drive: an image has no place for them.
 */

import { assert, err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import type { DeviceState, StateReader } from "../../hw/index.ts";
import {
  FLOPPY_DRIVE_TYPES,
  FLOPPY_FORMATS,
  FLOPPY_SECTOR_BYTES,
  floppyFormatOf,
  MAX_FLOPPY_SECTORS,
  SPARE_CYLINDERS,
} from "./formats.ts";
import type { DataRateKbps, FloppyDriveName, FloppyDriveType, FloppyFormat } from "./formats.ts";

interface Medium {
  readonly format: FloppyFormat;
  readonly device: BlockDevice;
  readonly rateKbps: DataRateKbps;
}

/** What passes under one head. */
export interface FloppyTrack {
  readonly device: BlockDevice;
  /** Of its sectors' IDs. */
  readonly cylinder: number;
  readonly head: number;
  readonly sectorCount: number;
  /** Number of its first sector in the image. */
  readonly firstSector: number;
}

const DELETED_BYTES = MAX_FLOPPY_SECTORS / 8;

export class FloppyDrive {
  readonly type: FloppyDriveType;
  readonly name: FloppyDriveName;
  isMotorOn = false;
  #medium: Medium | undefined;
  #cylinder = 0;
  /** DSKCHG: active from when the diskette left, or from power-on, until the heads step with one inside. */
  #isChanged = true;
  readonly #deleted = new Uint8Array(DELETED_BYTES);

  constructor(name: FloppyDriveName) {
    this.name = name;
    this.type = FLOPPY_DRIVE_TYPES[name];
  }

  /** The drive that was made for the diskette, with it inside. */
  static forMedium(device: BlockDevice): Result<FloppyDrive> {
    const format = floppyFormatOf(device.sizeBytes);
    if (format === undefined) return unknownFormat(device.sizeBytes);
    const drive = new FloppyDrive(format.drive);
    const inserted = drive.insert(device);
    return inserted.ok ? ok(drive) : inserted;
  }

  // The operator's side.

  /** Puts a diskette in; the drive has to be empty. */
  insert(device: BlockDevice): Result<void> {
    assert(this.#medium === undefined, "the drive is empty");
    const format = floppyFormatOf(device.sizeBytes);
    if (format === undefined) return unknownFormat(device.sizeBytes);
    const rateKbps = this.type.reads[format.drive];
    if (rateKbps === undefined) {
      return err("floppy-format", `A drive for ${this.name} diskettes cannot read one of ${format.name}.`);
    }
    this.#medium = { format, device, rateKbps };
    this.#isChanged = true;
    this.#deleted.fill(0);
    return ok(undefined);
  }

  /** Takes the diskette out, whose owner is the caller again; undefined when there is none. */
  eject(): BlockDevice | undefined {
    const device = this.#medium?.device;
    this.#medium = undefined;
    this.#isChanged = true;
    return device;
  }

  get medium(): BlockDevice | undefined {
    return this.#medium?.device;
  }

  // The controller's side.

  get isAtTrack0(): boolean {
    return this.#cylinder === 0;
  }

  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** Without a diskette nothing keeps the sensor's light from its other side: protected. */
  get isWriteProtected(): boolean {
    return this.#medium?.device.isReadOnly ?? true;
  }

  /** Whether index pulses come: a diskette turns. */
  get isTurning(): boolean {
    return this.isMotorOn && this.#medium !== undefined;
  }

  /** Steps the heads by as many cylinders, as far as they go. */
  step(cylinders: number): void {
    if (cylinders === 0) return;
    const last = this.type.cylinders + SPARE_CYLINDERS - 1;
    this.#cylinder = Math.min(Math.max(this.#cylinder + cylinders, 0), last);
    if (this.#medium !== undefined) this.#isChanged = false;
  }

  /** The track under `head` as far as it can be read at `rateKbps`; undefined where no address mark is found. */
  track(head: number, rateKbps: DataRateKbps): FloppyTrack | undefined {
    const medium = this.#medium;
    if (medium === undefined || medium.rateKbps !== rateKbps) return undefined;
    const { cylinders, heads, sectorsPerTrack } = medium.format;
    // The heads of a drive for 80 tracks step twice for each track of a diskette of 40.
    const stepsPerTrack = this.type.cylinders / cylinders;
    const cylinder = this.#cylinder / stepsPerTrack;
    if (!Number.isInteger(cylinder) || cylinder >= cylinders || head >= heads) return undefined;
    return {
      device: medium.device,
      cylinder,
      head,
      sectorCount: sectorsPerTrack,
      firstSector: (cylinder * heads + head) * sectorsPerTrack,
    };
  }

  isDeleted(sector: number): boolean {
    return ((this.#deleted[sector >> 3] ?? 0) & (1 << (sector & 7))) !== 0;
  }

  setDeleted(sector: number, isDeleted: boolean): void {
    const others = (this.#deleted[sector >> 3] ?? 0) & ~(1 << (sector & 7));
    this.#deleted[sector >> 3] = others | (isDeleted ? 1 << (sector & 7) : 0);
  }

  // Lifecycle. The diskette stays what and where it is.

  /** As at power-on, the heads on track 0. */
  reset(): void {
    this.isMotorOn = false;
    this.#cylinder = 0;
    this.#isChanged = true;
  }

  save(): DeviceState {
    return {
      isMotorOn: this.isMotorOn,
      cylinder: this.#cylinder,
      isChanged: this.#isChanged,
      deleted: this.#deleted.slice(),
    };
  }

  restore(reader: StateReader): void {
    this.isMotorOn = reader.boolean("isMotorOn");
    this.#cylinder = reader.integer("cylinder", this.type.cylinders + SPARE_CYLINDERS - 1);
    this.#isChanged = reader.boolean("isChanged");
    this.#deleted.set(reader.bytes("deleted", DELETED_BYTES));
  }
}

function unknownFormat(sizeBytes: number): Result<never> {
  const names = FLOPPY_FORMATS.map(({ name }) => name).join(", ");
  return err(
    "floppy-format",
    `No diskette has ${sizeBytes / FLOPPY_SECTOR_BYTES} sectors of 512 bytes; images of ${names} are known.`,
  );
}
