/**
 * The fixed disk parameter tables to which the vectors of INT 41h and 46h point, for the first two hard disks: what systems
 * read that bring their own driver of an AT's disks (IBM PC AT Technical Reference, "Fixed Disk Parameters"). They lie in the
 * extended BIOS data area. The geometry is the one of INT 13h.
 *
 * Deliberately missing: the extended tables of translating BIOSes, which add the drive's own geometry.
 */

import type { GuestRam } from "../../memory/index.ts";
import type { BiosDrive } from "./bios-drive.ts";

const VECTORS = [0x41, 0x46] as const;
const TABLE_BYTES = 16;
/** Behind what the pointing device keeps. */
const FIRST_TABLE_OFFSET = 0x3d;
const NO_PRECOMPENSATION = 0xffff;
const MORE_THAN_8_HEADS = 0x08;
/** Heads are counted in a byte. */
const HEADS_MAX = 255;

/** A vector without a disk points nowhere. */
export function writeDiskTables(
  ram: GuestRam,
  ebdaSegment: number,
  disks: readonly (BiosDrive | undefined)[],
): void {
  VECTORS.forEach((vector, index) => {
    const disk = disks[index];
    const offset = FIRST_TABLE_OFFSET + TABLE_BYTES * index;
    ram.writeU32(4 * vector, disk === undefined ? 0 : ((ebdaSegment << 16) | offset) >>> 0);
    if (disk !== undefined) ram.write(ebdaSegment * 16 + offset, tableOf(disk));
  });
}

function tableOf({ geometry }: BiosDrive): Uint8Array {
  const { cylinders, heads, sectorsPerTrack } = geometry;
  const table = new DataView(new ArrayBuffer(TABLE_BYTES));
  table.setUint16(0, cylinders, true);
  table.setUint8(2, Math.min(heads, HEADS_MAX));
  table.setUint16(5, NO_PRECOMPENSATION, true);
  table.setUint8(8, heads > 8 ? MORE_THAN_8_HEADS : 0);
  table.setUint16(12, cylinders, true);
  table.setUint8(14, sectorsPerTrack);
  return new Uint8Array(table.buffer);
}
