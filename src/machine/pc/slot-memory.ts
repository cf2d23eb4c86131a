/** What lies behind guest RAM in the VM's memory, and is seen where slots of the address space say. */

import { VIDEO_MEMORY_BYTES } from "../../devices/vga/index.ts";

/** Offsets count from the end of RAM. Behind all of it is the ROM with firmware that a user brings. */
export const SLOT_MEMORY = {
  video: { offset: 0, sizeBytes: VIDEO_MEMORY_BYTES },
} as const;

export const SLOT_MEMORY_BYTES = SLOT_MEMORY.video.offset + SLOT_MEMORY.video.sizeBytes;
