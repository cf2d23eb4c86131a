/** What is on an IDE cable: hard disks and CD-ROM drives. */

export { AtapiDrive } from "./atapi-drive.ts";
export type { AtapiDriveConfig } from "./atapi-drive.ts";
export { AtaDisk } from "./ata-disk.ts";
export type { AtaDiskConfig } from "./ata-disk.ts";
export type { CdromUnit } from "./cdrom-unit.ts";
export { defaultGeometry } from "./drive-geometry.ts";
export type { Geometry } from "./drive-geometry.ts";
export type { DriveIdentity } from "./identify-data.ts";
