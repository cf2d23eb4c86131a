/**
 * Booting from a CD: "El Torito" Bootable CD-ROM Format Specification 1.0. The boot record in sector 17 leads to the boot
 * catalogue, whose initial entry says where the image is and what it is to be taken for.
 *
 * Deliberately missing: further sections of the catalogue, which are for other platforms and for menus.
 */

import type { BlockDevice } from "../../block/index.ts";
import { SECTOR_BYTES } from "../../block/index.ts";
import { CD_SECTOR_BYTES, cdDrive, disketteGeometry, emulatedDrive } from "./bios-drive.ts";
import type { BiosDrive, BiosMedium, Geometry } from "./bios-drive.ts";

const BOOT_RECORD_SECTOR = 17;
/** Volume descriptor 0, "CD001", version 1, then the name of the specification. */
const BOOT_SYSTEM = "\0CD001\x01EL TORITO SPECIFICATION";
const CATALOGUE_POINTER = 0x47;
const VALIDATION_HEADER = 1;
const VALIDATION_KEY = 0xaa55;
const ENTRY_BYTES = 32;
const BOOTABLE = 0x88;
const MEDIA_MASK = 0x0f;
const MEDIA = { none: 0, diskette1200: 1, diskette1440: 2, diskette2880: 3, disk: 4 } as const;
const DISKETTE_KIB = {
  [MEDIA.diskette1200]: 1200,
  [MEDIA.diskette1440]: 1440,
  [MEDIA.diskette2880]: 2880,
} as const;
const DEFAULT_SEGMENT = 0x7c0;
const SPECIFICATION_BYTES = 0x13;
/** A boot image is loaded below the end of conventional memory. */
const LOADED_BYTES_MAX = 0x9_0000;

export interface ElToritoBoot {
  readonly drive: BiosDrive;
  /** Where the first sectors of the image go, and they. */
  readonly loadSegment: number;
  readonly image: Uint8Array;
  /** The specification packet of INT 13h, AH = 4Bh. */
  specification(): Uint8Array;
}

/** What can be booted from a CD; undefined when nothing can, it cannot be read, or there is none. */
export async function readElTorito(medium: BiosMedium): Promise<ElToritoBoot | undefined> {
  const { device } = medium;
  if (device === undefined) return undefined;
  const record = await readSectors(device, BOOT_RECORD_SECTOR, 1);
  if (record === undefined || !startsWith(record, BOOT_SYSTEM)) return undefined;
  const catalogueSector = viewOf(record).getUint32(CATALOGUE_POINTER, true);
  const catalogue = await readSectors(device, catalogueSector, 1);
  if (catalogue === undefined || !isValid(catalogue)) return undefined;
  const entry = viewOf(catalogue.subarray(ENTRY_BYTES, 2 * ENTRY_BYTES));
  if (entry.getUint8(0) !== BOOTABLE) return undefined;
  const emulation = entry.getUint8(1) & MEDIA_MASK;
  const loadSegment = entry.getUint16(2, true) || DEFAULT_SEGMENT;
  // Sectors of 512 bytes, whatever is emulated; some writers leave the count of an emulated medium out.
  const sectorCount = Math.max(1, entry.getUint16(6, true));
  const imageSector = entry.getUint32(8, true);
  const loadedBytes = Math.min(sectorCount * SECTOR_BYTES, LOADED_BYTES_MAX);
  const image = await readSectors(device, imageSector, Math.ceil(loadedBytes / CD_SECTOR_BYTES));
  const drive =
    emulation === MEDIA.none ? cdDrive(medium) : await driveOf(medium, device, emulation, imageSector);
  if (image === undefined || drive === undefined) return undefined;
  return {
    drive,
    loadSegment,
    image: image.subarray(0, emulation === MEDIA.none ? loadedBytes : SECTOR_BYTES),
    specification: () => {
      const packet = viewOf(new Uint8Array(SPECIFICATION_BYTES));
      packet.setUint8(0, SPECIFICATION_BYTES);
      packet.setUint8(1, emulation);
      packet.setUint8(2, drive.number);
      packet.setUint32(4, imageSector, true);
      packet.setUint16(0x0c, loadSegment, true);
      packet.setUint16(0x0e, sectorCount, true);
      if (drive.kind !== "cd") {
        const { cylinders, heads, sectorsPerTrack } = drive.geometry;
        packet.setUint8(0x10, (cylinders - 1) & 0xff);
        packet.setUint8(0x11, sectorsPerTrack | (((cylinders - 1) >> 2) & 0xc0));
        packet.setUint8(0x12, heads - 1);
      }
      return new Uint8Array(packet.buffer);
    },
  };
}

async function driveOf(
  medium: BiosMedium,
  device: BlockDevice,
  emulation: number,
  imageSector: number,
): Promise<BiosDrive | undefined> {
  switch (emulation) {
    case MEDIA.diskette1200:
    case MEDIA.diskette1440:
    case MEDIA.diskette2880: {
      const { geometry, type } = disketteGeometry(DISKETTE_KIB[emulation] * 1024);
      const { cylinders, heads, sectorsPerTrack } = geometry;
      const shape = { geometry, disketteType: type, sectorCount: cylinders * heads * sectorsPerTrack };
      return emulatedDrive("diskette", medium, imageSector, shape);
    }
    case MEDIA.disk: {
      const first = await readSectors(device, imageSector, 1);
      const geometry = first === undefined ? undefined : partitionGeometry(first);
      if (geometry === undefined) return undefined;
      const { cylinders, heads, sectorsPerTrack } = geometry;
      const shape = { geometry, disketteType: 0, sectorCount: cylinders * heads * sectorsPerTrack };
      return emulatedDrive("disk", medium, imageSector, shape);
    }
    default:
      return undefined;
  }
}

/** The geometry for which the one partition of a hard disk's image was made: its last cylinder, head and sector. */
function partitionGeometry(bootSector: Uint8Array): Geometry | undefined {
  const entry = bootSector.subarray(0x1be, 0x1ce);
  const sectorsPerTrack = (entry[6] ?? 0) & 0x3f;
  if (sectorsPerTrack === 0) return undefined;
  return {
    cylinders: ((entry[7] ?? 0) | (((entry[6] ?? 0) & 0xc0) << 2)) + 1,
    heads: (entry[5] ?? 0) + 1,
    sectorsPerTrack,
  };
}

function isValid(catalogue: Uint8Array): boolean {
  const entry = viewOf(catalogue.subarray(0, ENTRY_BYTES));
  let sum = 0;
  for (let at = 0; at < ENTRY_BYTES; at += 2) sum += entry.getUint16(at, true);
  const hasKey = entry.getUint8(0) === VALIDATION_HEADER && entry.getUint16(0x1e, true) === VALIDATION_KEY;
  return hasKey && (sum & 0xffff) === 0;
}

async function readSectors(
  device: BlockDevice,
  first: number,
  count: number,
): Promise<Uint8Array | undefined> {
  const start = first * CD_SECTOR_BYTES;
  const lengthBytes = Math.min(count * CD_SECTOR_BYTES, device.sizeBytes - start);
  if (lengthBytes <= 0) return undefined;
  const target = new Uint8Array(lengthBytes);
  const read = await device.read(start, target);
  return read.ok ? target : undefined;
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return [...text].every((character, index) => bytes[index] === character.charCodeAt(0));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
