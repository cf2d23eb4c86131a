/** The drives of the IDE bus, each at its place. */

import { SECTOR_BYTES } from "../../block/index.ts";
import { AtaDisk, AtapiDrive, defaultGeometry } from "../../devices/ide/drives.ts";
import type { CdromUnit, Geometry } from "../../devices/ide/drives.ts";
import type { IdeDrive } from "../../devices/ide/index.ts";
import type { Drive } from "./drive.ts";
import { IDE_PLACES, idePlaces } from "./ide-places.ts";
import type { IdeMedium } from "./ide-places.ts";

const MODELS: Readonly<Record<IdeMedium, string>> = {
  disk: "Typevisor disk",
  cdrom: "TYPEVISR CD-ROM",
};
const FIRMWARE = "1.0";

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
  return IDE_PLACES.cdrom.flatMap((place) => {
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
