/** Diskettes: controller and drives. What formats there are is behind formats.ts, a door of its own. */

export { Fdc82077aa, FDC_PORTS } from "./fdc-82077aa.ts";
export type { Fdc82077aaConfig } from "./fdc-82077aa.ts";
export { FloppyDrive } from "./floppy-drive.ts";
