/** Diskettes: controller, drives, formats. */

export { Fdc82077aa, FDC_PORTS } from "./fdc-82077aa.ts";
export type { Fdc82077aaConfig } from "./fdc-82077aa.ts";
export { FloppyDrive } from "./floppy-drive.ts";
export { FLOPPY_DRIVE_TYPES, FLOPPY_FORMATS, floppyFormatOf, formatSizeBytes } from "./formats.ts";
export type { FloppyFormat } from "./formats.ts";
