/** Disks: the contract of what holds their contents, and what does. */

export { BLOCK_OK, BYTES_NOW_MAX, PIECES_NOW_MAX, SECTOR_BYTES } from "./block-device.ts";
export type { BlockDevice, BlockError, BlockErrorCode, BlockResult } from "./block-device.ts";
export { MemoryDisk } from "./memory-disk.ts";
export { PaddedDisk } from "./padded-disk.ts";
export { OverlayDisk, OVERLAY_MAX_BYTES } from "./overlay.ts";
export { TransferBuffers } from "./transfer-buffers.ts";
export { WatchedDisk } from "./watched-disk.ts";
export type { RequestWatcher } from "./watched-disk.ts";
export { WRITE_BEHIND_BLOCK_BYTES, WriteBehind } from "./write-behind.ts";
