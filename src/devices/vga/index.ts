/** VGA display. */

export { CODE_PAGE_437 } from "./code-page-437.ts";
export { FONT_8X16, FONT_LINES } from "./font-8x16.ts";
export { FRAME_HEIGHT_MAX, FRAME_WIDTH_MAX } from "./frame.ts";
export type { Frame } from "./frame.ts";
export { MAX_TEXT_COLUMNS, MAX_TEXT_ROWS, textLines } from "./text-screen.ts";
export type { TextScreen, VgaScreen } from "./text-screen.ts";
export { VBE_PORT_BASE, VBE_PORT_BYTES } from "./vbe.ts";
export { Vga, VGA_PORT_BASE, VGA_PORT_RANGES } from "./vga.ts";
export { VgaPci } from "./vga-pci.ts";
export { VIDEO_MEMORY_BYTES } from "./video-memory.ts";
export { VIDEO_WINDOW_BYTES, VIDEO_WINDOW_GPA } from "./video-window.ts";
