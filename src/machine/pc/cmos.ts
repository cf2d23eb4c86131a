/**
 * What firmware keeps in CMOS memory (the indices of Ralf Brown's CMOS list that operating systems and firmware
 * read): memory sizes, installed equipment, types of diskette drives and of the disks of an AT's controller. For firmware that a
 * user brings also what SeaBIOS reads on virtual PCs: the order of drives to boot from, and how disks are translated.
 */

import { KiB, MiB } from "../../base/index.ts";
import type { Geometry } from "../../devices/ide/drives.ts";
import type { BootSource } from "../firmware/boot-order.ts";

const INDEX = {
  diskettes: 0x10,
  /** Types of the first disk in bits 7–4 and of the second; 15 means that the next two have them. */
  disks: 0x12,
  equipment: 0x14,
  baseMemory: 0x15,
  extendedMemory: 0x17,
  extendedDiskTypes: 0x19,
  /** What type 47 means for each of the two disks. */
  diskParameters: [0x1b, 0x24],
  checksum: 0x2e,
  extendedMemoryFound: 0x30,
  memoryAbove16MiB: 0x34,
  /** Bits 7–4: the third kind of drive to boot from; 0: whether a diskette may have no boot signature. */
  bootThird: 0x38,
  /** Two bits for each of four disks. */
  diskTranslation: 0x39,
  /** Bits 3–0 the first kind of drive, 7–4 the second. */
  bootFirst: 0x3d,
} as const;
const BOOT_NIBBLE: Readonly<Record<BootSource, number>> = { floppy: 1, disk: 2, cdrom: 3 };
/** Logical blocks with 255 heads or fewer, for all four: where the limits of CHS end, not at 504 MiB. */
const TRANSLATE_LBA = 0x55;
/** The checksum covers 10h–2Dh, high byte first. */
const CHECKED = { first: 0x10, last: 0x2d } as const;

/** Numeric coprocessor and pointing device; the display is a VGA, which has its own BIOS. */
const EQUIPMENT = 0x06;
/** Of the equipment byte: a diskette drive, and from bit 6 how many more than one. */
const DISKETTE_INSTALLED = 0x01;
const MORE_DISKETTES_BIT = 6;
const BASE_MEMORY_BYTES = 640 * KiB;
const U16_MAX = 0xffff;

/** A type that is looked up in the next bytes, and there the one that has its parameters here. */
const DISK_TYPE_EXTENDED = 0x0f;
const DISK_TYPE_OF_USER = 47;
const NO_PRECOMPENSATION = 0xffff;
/** No retries, and whether there are more than eight heads. */
const DISK_CONTROL = { noRetries: 0xc0, moreHeads: 0x08 } as const;

export interface CmosContents {
  readonly ramBytes: number;
  /** At most two. */
  readonly disketteTypes: readonly number[];
  /** Of the first two places of IDE drives; a gap is a place without a disk. */
  readonly disks: readonly (Geometry | undefined)[];
  /** For firmware that a user brings. */
  readonly bootOrder: readonly BootSource[] | undefined;
}

/** CMOS memory at power-on, by index. */
export function cmosImage({ ramBytes, disketteTypes, disks, bootOrder }: CmosContents): Map<number, number> {
  const [first = 0, second = 0] = disketteTypes;
  const diskettes = first === 0 ? 0 : DISKETTE_INSTALLED | ((second === 0 ? 0 : 1) << MORE_DISKETTES_BIT);
  const image = new Map<number, number>([
    [INDEX.diskettes, (first << 4) | second],
    [INDEX.equipment, EQUIPMENT | diskettes],
  ]);
  const set16 = (index: number, value: number): void => {
    image.set(index, value & 0xff);
    image.set(index + 1, value >> 8);
  };
  const extendedKib = Math.min(Math.floor((ramBytes - MiB) / KiB), U16_MAX);
  set16(INDEX.baseMemory, BASE_MEMORY_BYTES / KiB);
  set16(INDEX.extendedMemory, extendedKib);
  set16(INDEX.extendedMemoryFound, extendedKib);
  set16(INDEX.memoryAbove16MiB, Math.min(Math.floor(Math.max(0, ramBytes - 16 * MiB) / (64 * KiB)), U16_MAX));
  setDisks(image, disks);
  if (bootOrder !== undefined) {
    const [one = 0, two = 0, three = 0] = bootOrder.map((source) => BOOT_NIBBLE[source]);
    image.set(INDEX.bootFirst, one | (two << 4));
    image.set(INDEX.bootThird, three << 4);
    image.set(INDEX.diskTranslation, TRANSLATE_LBA);
  }
  let sum = 0;
  for (let index: number = CHECKED.first; index <= CHECKED.last; index++) sum += image.get(index) ?? 0;
  image.set(INDEX.checksum, sum >> 8);
  image.set(INDEX.checksum + 1, sum & 0xff);
  return image;
}

function setDisks(image: Map<number, number>, disks: readonly (Geometry | undefined)[]): void {
  INDEX.diskParameters.forEach((parameters, place) => {
    const geometry = disks[place];
    if (geometry === undefined) return;
    const { cylinders, heads, sectorsPerTrack } = geometry;
    const nibble = DISK_TYPE_EXTENDED << (place === 0 ? 4 : 0);
    image.set(INDEX.disks, (image.get(INDEX.disks) ?? 0) | nibble);
    image.set(INDEX.extendedDiskTypes + place, DISK_TYPE_OF_USER);
    const control = DISK_CONTROL.noRetries | (heads > 8 ? DISK_CONTROL.moreHeads : 0);
    const words = [cylinders & 0xff, cylinders >> 8];
    const precompensation = [NO_PRECOMPENSATION & 0xff, NO_PRECOMPENSATION >> 8];
    const bytes = [...words, heads, ...precompensation, control, ...words, sectorsPerTrack];
    bytes.forEach((byte, at) => image.set(parameters + at, byte));
  });
}
