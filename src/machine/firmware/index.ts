/** The firmware that is built in: a BIOS whose services are written in TypeScript. */

export { Bios } from "./bios.ts";
export type { BiosDrives } from "./bios.ts";
export { loadFont } from "./font-loader.ts";
export { RESET_ROM_GPA, ROM_BYTES, TRAP_PORT } from "./rom.ts";
