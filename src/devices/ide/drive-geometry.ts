/**
 * Cylinders, heads and sectors: the default translation of a disk and the one that INITIALIZE DEVICE PARAMETERS sets
 * (ATA/ATAPI-5, sections 6.2 and 8.16; later standards leave both out, old systems do not).
 */

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

const HEADS = 16;
const SECTORS_PER_TRACK = 63;
/** Above this the cylinders stay as they are, and LBA reaches the rest. */
const CYLINDERS_MAX = 16_383;

export function defaultGeometry(capacitySectors: number): Geometry {
  return withTranslation(capacitySectors, HEADS, SECTORS_PER_TRACK);
}

/** The translation of a host's choice. */
export function withTranslation(capacitySectors: number, heads: number, sectorsPerTrack: number): Geometry {
  const cylinders = Math.floor(capacitySectors / (heads * sectorsPerTrack));
  return { cylinders: Math.min(cylinders, CYLINDERS_MAX), heads, sectorsPerTrack };
}

export function geometrySectors({ cylinders, heads, sectorsPerTrack }: Geometry): number {
  return cylinders * heads * sectorsPerTrack;
}

/** The sector's number on the disk; undefined when there is no such place. Sectors count from 1. */
export function sectorAt(
  { cylinders, heads, sectorsPerTrack }: Geometry,
  cylinder: number,
  head: number,
  sector: number,
): number | undefined {
  if (cylinder >= cylinders || head >= heads || sector === 0 || sector > sectorsPerTrack) return undefined;
  return (cylinder * heads + head) * sectorsPerTrack + sector - 1;
}

export interface Place {
  readonly cylinder: number;
  readonly head: number;
  readonly sector: number;
}

export function placeOf({ heads, sectorsPerTrack }: Geometry, lba: number): Place {
  const track = Math.floor(lba / sectorsPerTrack);
  return { cylinder: Math.floor(track / heads), head: track % heads, sector: (lba % sectorsPerTrack) + 1 };
}
