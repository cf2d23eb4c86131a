/**
 * The places of IDE drives: hard disks from the primary channel's first drive on, as they are given, CD-ROM drives from the
 * secondary channel's on, so that a disk added later moves neither.
 */

import { assert } from "../../base/index.ts";
import { SECTOR_BYTES } from "../../block/index.ts";
import { AtaDisk, AtapiDrive, defaultGeometry, IDE_DRIVES_MAX } from "../../devices/index.ts";
import type { CdromUnit, Geometry, IdeDrive } from "../../devices/index.ts";
import type { Drive } from "./drive.ts";

/** What there is with an IDE plug. */
type IdeMedium = Exclude<Drive["medium"], "floppy">;

/** The order in which each kind takes places: primary 0 and 1, secondary 0 and 1. */
const PLACES: Readonly<Record<IdeMedium, readonly number[]>> = {
  disk: [0, 1, 2, 3],
  cdrom: [2, 3, 1, 0],
};
const MODELS: Readonly<Record<IdeMedium, string>> = {
  disk: "Typevisor disk",
  cdrom: "TYPEVISR CD-ROM",
};
const FIRMWARE = "1.0";

/** Which drive is at which place of the IDE bus: of the first channel, then of the second. */
export function idePlaces(drives: readonly Drive[]): (Drive | undefined)[] {
  const places: (Drive | undefined)[] = Array.from({ length: IDE_DRIVES_MAX }, () => undefined);
  const ide = drives.filter(({ bus }) => bus === "ide");
  // Disks first: they do not give way.
  for (const medium of ["disk", "cdrom"] as const) {
    for (const drive of ide.filter((candidate) => candidate.medium === medium)) {
      const place = PLACES[medium].find((candidate) => places[candidate] === undefined);
      assert(place !== undefined, "IDE has four places");
      places[place] = drive;
    }
  }
  return places;
}

/** The drives of the IDE bus by place. */
export function ideDrives(drives: readonly Drive[]): (IdeDrive | undefined)[] {
  return idePlaces(drives).map((drive, place) => drive && ideDrive(drive, place));
}

/** Of the disks in the primary channel's two places. */
export function ideDiskGeometries(drives: readonly Drive[]): Geometry[] {
  return drives
    .filter(({ bus, medium }) => bus === "ide" && medium === "disk")
    .slice(0, 2)
    .map(({ device }) => defaultGeometry(Math.floor(device.sizeBytes / SECTOR_BYTES)));
}

/** What changes discs, for each CD-ROM drive in the order in which they were given. */
export function cdromUnits(drives: readonly (IdeDrive | undefined)[]): CdromUnit[] {
  return PLACES.cdrom.flatMap((place) => {
    const drive = drives[place];
    return drive instanceof AtapiDrive ? [drive.unit] : [];
  });
}

function ideDrive({ medium, device, serialNumber }: Drive, place: number): IdeDrive {
  const name = `ide${place}`;
  const identity = { serial: serialNumber, firmware: FIRMWARE };
  const isSecond = place % 2 === 1;
  return medium === "cdrom"
    ? new AtapiDrive({ name, disc: device, identity: { ...identity, model: MODELS.cdrom }, isSecond })
    : new AtaDisk({ name, disk: device, identity: { ...identity, model: MODELS.disk }, isSecond });
}
