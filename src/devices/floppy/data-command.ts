/** What an 82077AA's data commands are given, and the sector IDs that they count through (data sheet, section 5.1). */

import { MODIFIER, SELECT } from "./commands.ts";

/** The ID field of a sector: cylinder, head, sector number, size code. */
export interface SectorId {
  readonly c: number;
  readonly h: number;
  readonly r: number;
  readonly n: number;
}

/** The command phase of a data command, taken apart. Commands with fewer bytes leave the rest 0. */
export interface DataParameters {
  readonly isMultiTrack: boolean;
  readonly isMfm: boolean;
  readonly isSkip: boolean;
  readonly drive: number;
  readonly eot: number;
  /** N and SC of FORMAT TRACK, and the byte it fills sectors with. */
  readonly formatSize: number;
  readonly formatSectors: number;
  readonly filler: number;
  /** VERIFY with EC: as many sectors. */
  readonly verifySectors: number | undefined;
}

export function parametersOf(bytes: readonly number[]): DataParameters {
  const at = (index: number): number => bytes[index] ?? 0;
  const SC_MAX = 256;
  return {
    isMultiTrack: (at(0) & MODIFIER.multiTrack) !== 0,
    isMfm: (at(0) & MODIFIER.mfm) !== 0,
    isSkip: (at(0) & MODIFIER.skip) !== 0,
    drive: at(1) & SELECT.drive,
    eot: at(6),
    formatSize: at(2),
    formatSectors: at(3),
    filler: at(5),
    verifySectors: (at(1) & 0x80) === 0 ? undefined : at(8) === 0 ? SC_MAX : at(8),
  };
}

/** Table 5-6: the ID behind the last sector that went under `head`. */
export function idBehind(
  { c, h, r, n }: SectorId,
  { isMultiTrack }: DataParameters,
  head: number,
  isEndOfTrack: boolean,
): SectorId {
  if (!isEndOfTrack) return { c, h, r: (r + 1) & 0xff, n };
  const isSameCylinder = isMultiTrack && head === 0;
  return { c: isSameCylinder ? c : (c + 1) & 0xff, h: isMultiTrack ? h ^ 1 : h, r: 1, n };
}
