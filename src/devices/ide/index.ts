/** IDE: the PIIX3's controller, hard disks and CD-ROM drives. */

export { AtapiDrive } from "./atapi-drive.ts";
export type { AtapiDriveConfig } from "./atapi-drive.ts";
export { AtaDisk } from "./ata-disk.ts";
export type { AtaDiskConfig } from "./ata-disk.ts";
export type { CdromUnit } from "./cdrom-unit.ts";
export { defaultGeometry } from "./drive-geometry.ts";
export type { Geometry } from "./drive-geometry.ts";
export { IdeDrive } from "./ide-drive.ts";
export type { DriveIdentity } from "./identify-data.ts";
export { IDE_CHANNELS, IDE_DRIVES_MAX, Piix3Ide } from "./piix3-ide.ts";
export type { Piix3IdeConfig } from "./piix3-ide.ts";
