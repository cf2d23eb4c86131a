/**
 * Drives as the BIOS numbers them, with the geometry that programs address them by: diskettes from 00h, hard disks from
 * 80h, a CD from which the system was booted at E0h or in the place of one of the others (El Torito emulation).
 */

import type { BlockDevice, BlockResult } from "../../block/index.ts";
import { SECTOR_BYTES } from "../../block/index.ts";
import { assert, KiB } from "../../base/index.ts";
import { FLOPPY_DRIVE_TYPES, FLOPPY_FORMATS, formatSizeBytes } from "../../devices/floppy/formats.ts";

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** A drive whose medium may be taken out and another put in. */
export interface BiosMedium {
  /** Undefined when there is none, or its tray is open. */
  readonly device: BlockDevice | undefined;
  readonly tray?: BiosTray;
}

/** The tray of a drive that programs lock and open. */
export interface BiosTray {
  setLocked(isLocked: boolean): void;
  /** False while it is locked. */
  openTray(): boolean;
}

export interface BiosDrive {
  readonly number: number;
  readonly kind: "diskette" | "disk" | "cd";
  readonly geometry: Geometry;
  readonly sectorBytes: number;
  readonly sectorCount: number;
  readonly isReadOnly: boolean;
  /** Where the medium can be changed: what this describes was in the drive when it was last looked at. */
  readonly medium?: BiosMedium;
  readonly device?: BlockDevice | undefined;
  /** INT 13h, AH = 08h: 1 to 6 for diskettes, 0 otherwise. */
  readonly disketteType: number;
  /** In units of sectorBytes. */
  read(sector: number, target: Uint8Array): Promise<BlockResult>;
  write(sector: number, source: Uint8Array): Promise<BlockResult>;
}

export const FIRST_DISK = 0x80;
export const CD_DRIVE = 0xe0;
export const CD_SECTOR_BYTES = 2048;

const USUAL_DISKETTE_BYTES = 1440 * KiB;
const SECTORS_PER_TRACK_MAX = 63;
const CYLINDERS_MAX = 1024;
/** The least number of heads with which a disk has at most 1,024 cylinders: LBA-assisted translation. */
const HEADS = [16, 32, 64, 128, 255] as const;

export function diskGeometry(sectorCount: number): Geometry {
  const cylindersWith = (heads: number): number => Math.floor(sectorCount / (heads * SECTORS_PER_TRACK_MAX));
  const heads =
    HEADS.find((count) => cylindersWith(count) <= CYLINDERS_MAX) ?? HEADS[HEADS.length - 1] ?? 255;
  return {
    cylinders: Math.min(Math.max(1, cylindersWith(heads)), CYLINDERS_MAX),
    heads,
    sectorsPerTrack: SECTORS_PER_TRACK_MAX,
  };
}

/** By the size of the medium, which has that of a format or, as a part of a CD, less. */
export function disketteGeometry(sizeBytes: number): { readonly geometry: Geometry; readonly type: number } {
  const format = FLOPPY_FORMATS.find((candidate) => formatSizeBytes(candidate) >= sizeBytes);
  assert(format !== undefined, "a diskette is not larger than the largest format");
  const { cylinders, heads, sectorsPerTrack, drive } = format;
  return { geometry: { cylinders, heads, sectorsPerTrack }, type: FLOPPY_DRIVE_TYPES[drive].cmosType };
}

export function hardDisk(number: number, device: BlockDevice): BiosDrive {
  const sectorCount = device.sizeBytes / SECTOR_BYTES;
  return {
    ...wholeDevice(device, SECTOR_BYTES),
    number,
    kind: "disk",
    geometry: diskGeometry(sectorCount),
    disketteType: 0,
  };
}

/** What is in the drive now; an empty drive has the geometry of the usual diskettes, and no sectors. */
export function disketteDrive(number: number, medium: BiosMedium): BiosDrive {
  const { device } = medium;
  const { geometry, type } = disketteGeometry(device?.sizeBytes ?? USUAL_DISKETTE_BYTES);
  const sectors = device === undefined ? NO_SECTORS : wholeDevice(device, SECTOR_BYTES);
  return { ...sectors, medium, device, number, kind: "diskette", geometry, disketteType: type };
}

/** What is in the drive now; an empty drive has no sectors. */
export function cdDrive(medium: BiosMedium): BiosDrive {
  const { device } = medium;
  const geometry = { cylinders: 1, heads: 1, sectorsPerTrack: 1 };
  return {
    ...(device === undefined ? NO_SECTORS : wholeDevice(device, CD_SECTOR_BYTES)),
    sectorBytes: CD_SECTOR_BYTES,
    medium,
    device,
    number: CD_DRIVE,
    kind: "cd",
    geometry,
    disketteType: 0,
    isReadOnly: true,
  };
}

/** An image on the CD that is in a drive now, from a sector on, as a diskette or hard disk (El Torito 1.0, section 2). */
export function emulatedDrive(
  kind: "diskette" | "disk",
  cd: BiosMedium,
  imageSector: number,
  shape: { readonly geometry: Geometry; readonly sectorCount: number; readonly disketteType: number },
): BiosDrive {
  const start = imageSector * CD_SECTOR_BYTES;
  const { device } = cd;
  return {
    number: kind === "disk" ? FIRST_DISK : 0,
    kind,
    ...shape,
    sectorBytes: SECTOR_BYTES,
    isReadOnly: true,
    read: async (sector, target) =>
      device === undefined || cd.device !== device
        ? EMPTY
        : await device.read(start + sector * SECTOR_BYTES, target),
    write: () =>
      Promise.resolve({ ok: false, error: { code: "disk-read-only", message: "A CD cannot be written." } }),
  };
}

const EMPTY: BlockResult = { ok: false, error: { code: "disk-io", message: "The drive is empty." } };
const NO_SECTORS = {
  sectorBytes: SECTOR_BYTES,
  sectorCount: 0,
  isReadOnly: true,
  read: () => Promise.resolve(EMPTY),
  write: () => Promise.resolve(EMPTY),
} as const;

function wholeDevice(
  device: BlockDevice,
  sectorBytes: number,
): Pick<BiosDrive, "sectorBytes" | "sectorCount" | "isReadOnly" | "read" | "write"> {
  return {
    sectorBytes,
    sectorCount: Math.floor(device.sizeBytes / sectorBytes),
    isReadOnly: device.isReadOnly,
    read: (sector, target) => device.read(sector * sectorBytes, target),
    write: (sector, source) => device.write(sector * sectorBytes, source),
  };
}
