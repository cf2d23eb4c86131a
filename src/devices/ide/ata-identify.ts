/** IDENTIFY DEVICE data of the disk (ATA/ATAPI-6, section 8.15; words that it calls obsolete from ATA-1 to ATA-5). */

import { geometrySectors, defaultGeometry } from "./drive-geometry.ts";
import type { Geometry } from "./drive-geometry.ts";
import { IdentifyData } from "./identify-data.ts";
import type { DriveIdentity, TransferMode } from "./identify-data.ts";

/** The largest block of READ and WRITE MULTIPLE. */
export const MULTIPLE_SECTORS_MAX = 16;

/** An ATA device that is not removable. */
const GENERAL = 0x0040;
/** No SET FEATURES is needed to spin up, and the data is complete. */
const SPECIFIC_CONFIGURATION = 0xc837;
const DUAL_PORTED_WITH_CACHE = 3;
/** Standby timer values as in the standard, IORDY that can be disabled, LBA, DMA. */
const CAPABILITIES = 0x2f00;
/** ATA-3 to ATA/ATAPI-6. */
const MAJOR_VERSIONS = 0x0078;
/** Words 82–84 and 85–87; the highest bits of 83, 84 and 87 say that the words are valid. */
const COMMAND_SETS_1 = { nop: 1 << 14, lookAhead: 1 << 6, writeCache: 1 << 5, power: 1 << 3 } as const;
const COMMAND_SETS_2 = { flushExt: 1 << 13, flush: 1 << 12, address48: 1 << 10 } as const;
const COMMAND_SETS_3 = { fua: 1 << 6 } as const;
const VALID = 1 << 14;
const LBA28_SECTORS_MAX = 0x0fff_ffff;

export interface DiskDescription {
  readonly identity: DriveIdentity;
  readonly isSecond: boolean;
  readonly capacitySectors: number;
  /** The translation in use. */
  readonly geometry: Geometry;
  /** 0: READ and WRITE MULTIPLE are disabled. */
  readonly multipleSectors: number;
  readonly mode: TransferMode;
  readonly hasWriteCache: boolean;
  readonly hasLookAhead: boolean;
}

export function identifyDisk(disk: DiskDescription): Uint8Array {
  const { capacitySectors, geometry } = disk;
  const data = new IdentifyData();
  const standard = defaultGeometry(capacitySectors);
  data.word(0, GENERAL);
  data.word(1, standard.cylinders);
  data.word(2, SPECIFIC_CONFIGURATION);
  data.word(3, standard.heads);
  data.word(6, standard.sectorsPerTrack);
  data.identity(disk.identity);
  data.word(20, DUAL_PORTED_WITH_CACHE);
  data.word(21, 512);
  data.word(22, 4);
  data.word(47, 0x8000 | MULTIPLE_SECTORS_MAX);
  // Doubleword accesses to the data register.
  data.word(48, 1);
  data.word(49, CAPABILITIES);
  data.word(50, VALID);
  data.transferModes(disk.mode, disk.isSecond);
  data.word(54, geometry.cylinders);
  data.word(55, geometry.heads);
  data.word(56, geometry.sectorsPerTrack);
  data.doubleWord(57, geometrySectors(geometry));
  data.word(59, disk.multipleSectors === 0 ? 0 : 0x0100 | disk.multipleSectors);
  data.doubleWord(60, Math.min(capacitySectors, LBA28_SECTORS_MAX));
  data.word(80, MAJOR_VERSIONS);

  const { nop, lookAhead, writeCache, power } = COMMAND_SETS_1;
  const sets2 = COMMAND_SETS_2.flushExt | COMMAND_SETS_2.flush | COMMAND_SETS_2.address48;
  data.word(82, nop | lookAhead | writeCache | power);
  data.word(83, VALID | sets2);
  data.word(84, VALID | COMMAND_SETS_3.fua);
  data.word(85, nop | power | (disk.hasLookAhead ? lookAhead : 0) | (disk.hasWriteCache ? writeCache : 0));
  data.word(86, sets2);
  data.word(87, VALID | COMMAND_SETS_3.fua);
  data.doubleWord(100, capacitySectors >>> 0);
  data.doubleWord(102, Math.floor(capacitySectors / 2 ** 32));
  return data.seal();
}
