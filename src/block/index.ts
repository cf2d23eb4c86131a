/** Disks: the contract of what holds their contents, and what does. */

export { BLOCK_OK, SECTOR_BYTES } from "./block-device.ts";
export type { BlockDevice, BlockError, BlockErrorCode, BlockResult } from "./block-device.ts";
export { MemoryDisk } from "./memory-disk.ts";
