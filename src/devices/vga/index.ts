/** VGA text display. */

export { CODE_PAGE_437 } from "./code-page-437.ts";
export { MAX_TEXT_COLUMNS, MAX_TEXT_ROWS, textLines } from "./text-screen.ts";
export type { TextScreen, VgaScreen } from "./text-screen.ts";
export { Vga, VGA_PORT_BASE, VGA_PORT_RANGES } from "./vga.ts";
