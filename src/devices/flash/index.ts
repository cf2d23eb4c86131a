/** Parallel flash. */

export { CfiFlash, FLASH_BLOCK_BYTES, FLASH_BUFFER_BYTES } from "./cfi-flash.ts";
export type { CfiFlashConfig } from "./cfi-flash.ts";
