/** IDE: the PIIX3's controller. Drives have a door of their own. */

export type { IdeDrive } from "./ide-drive.ts";
export { IDE_CHANNELS, IDE_DRIVES_MAX, Piix3Ide } from "./piix3-ide.ts";
export type { Piix3IdeConfig } from "./piix3-ide.ts";
