/** Direct kernel boot: Linux, PVH and multiboot. */

export { loadKernel, readKernel } from "./boot.ts";
export { bzImageSetupBytes } from "./bzimage.ts";
export type { BootError, BootErrorCode } from "./boot-error.ts";
export type { BootFile, BootModule, BootRequest, BootScreen } from "./boot-request.ts";
export type { Decompressors } from "./decompressors.ts";
export { BOOT_PROTOCOLS, describeKernel } from "./kernel-image.ts";
export type { BootProtocol, KernelImage } from "./kernel-image.ts";
export {
  BIOS_AREA_GPA,
  E820_ENTRY_BYTES,
  EBDA_GPA,
  encodeE820,
  HIGH_MEMORY_GPA,
  MEMORY_TYPE,
  pcMemoryMap,
} from "./memory-map.ts";
export type { MemoryRange, MemoryType } from "./memory-map.ts";
