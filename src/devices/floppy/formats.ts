/**
 * The formats of PC diskettes, told apart by the size of their images, and the drives that read them. All have sectors of
 * 512 bytes, numbered from 1, sides one after the other within a cylinder, as an image of all sectors holds them.
 *
 * Deliberately missing: other sector sizes, single density, and image formats with headers.
 */

/** Bits per second by the data rate select bits of DSR and CCR (82077AA data sheet, table 2-5). */
export const DATA_RATES_KBPS = [500, 300, 250, 1000] as const;
export type DataRateKbps = (typeof DATA_RATES_KBPS)[number];

export interface FloppyFormat {
  readonly name: string;
  readonly cylinders: number;
  readonly heads: 1 | 2;
  readonly sectorsPerTrack: number;
  /** The drive it was made for. */
  readonly drive: FloppyDriveName;
}

export type FloppyDriveName = "360K" | "1.2M" | "720K" | "1.44M" | "2.88M";

export interface FloppyDriveType {
  /** Of CMOS byte 10h. 2.88M has two, AMI's 5 and IBM's 6; SeaBIOS knows only the first and takes the other for 160K. */
  readonly cmosType: number;
  /** Tracks per side of what it was made for; the heads go {@link SPARE_CYLINDERS} further. */
  readonly cylinders: 40 | 80;
  /** The rate at which it reads what was made for which drive. A 1.2M drive turns 360K diskettes faster: 300 for 250. */
  readonly reads: Readonly<Partial<Record<FloppyDriveName, DataRateKbps>>>;
}

export const FLOPPY_DRIVE_TYPES: Readonly<Record<FloppyDriveName, FloppyDriveType>> = {
  "360K": { cmosType: 1, cylinders: 40, reads: { "360K": 250 } },
  "1.2M": { cmosType: 2, cylinders: 80, reads: { "1.2M": 500, "360K": 300 } },
  "720K": { cmosType: 3, cylinders: 80, reads: { "720K": 250 } },
  "1.44M": { cmosType: 4, cylinders: 80, reads: { "1.44M": 500, "720K": 250 } },
  "2.88M": { cmosType: 5, cylinders: 80, reads: { "2.88M": 1000, "1.44M": 500, "720K": 250 } },
};

export const FLOPPY_FORMATS: readonly FloppyFormat[] = [
  { name: "160K", cylinders: 40, heads: 1, sectorsPerTrack: 8, drive: "360K" },
  { name: "180K", cylinders: 40, heads: 1, sectorsPerTrack: 9, drive: "360K" },
  { name: "320K", cylinders: 40, heads: 2, sectorsPerTrack: 8, drive: "360K" },
  { name: "360K", cylinders: 40, heads: 2, sectorsPerTrack: 9, drive: "360K" },
  { name: "720K", cylinders: 80, heads: 2, sectorsPerTrack: 9, drive: "720K" },
  { name: "1.2M", cylinders: 80, heads: 2, sectorsPerTrack: 15, drive: "1.2M" },
  { name: "1.44M", cylinders: 80, heads: 2, sectorsPerTrack: 18, drive: "1.44M" },
  // Microsoft's distribution format.
  { name: "1.68M", cylinders: 80, heads: 2, sectorsPerTrack: 21, drive: "1.44M" },
  { name: "2.88M", cylinders: 80, heads: 2, sectorsPerTrack: 36, drive: "2.88M" },
];

export const FLOPPY_SECTOR_BYTES = 512;
/** The size code N of such sectors. */
export const FLOPPY_SECTOR_SIZE_CODE = 2;
export const SPARE_CYLINDERS = 3;
export const MAX_SECTORS_PER_TRACK = 36;
/** Of the largest format. */
export const MAX_FLOPPY_SECTORS = 80 * 2 * MAX_SECTORS_PER_TRACK;

export function formatSizeBytes(format: FloppyFormat): number {
  return format.cylinders * format.heads * format.sectorsPerTrack * FLOPPY_SECTOR_BYTES;
}

/** The format of an image of `sizeBytes`, if any has that size. */
export function floppyFormatOf(sizeBytes: number): FloppyFormat | undefined {
  return FLOPPY_FORMATS.find((format) => formatSizeBytes(format) === sizeBytes);
}
