/** What the operator and the machine contribute to a boot beside the kernel itself. */

import type { MemoryRange } from "./memory-map.ts";

export interface BootFile {
  /** The file's name as the operator knows it, for sentences and for multiboot's module strings. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A further file for the kernel: Linux and PVH take one (the initial RAM disk), multiboot any number. */
export interface BootModule extends BootFile {
  /** The module's whole string; by convention the file's name comes first, so that is the default. */
  readonly commandLine?: string;
}

/** What Linux is told about the screen: nothing there, or VGA text mode 3 (80 × 25 at B8000). */
export type BootScreen = "none" | "vga-text";

export interface BootRequest {
  readonly commandLine: string;
  readonly modules: readonly BootModule[];
  readonly memoryMap: readonly MemoryRange[];
  /** The ACPI root pointer; absent where the machine has no ACPI. */
  readonly rsdpGpa?: number;
  readonly screen: BootScreen;
  /** Entropy for Linux's random number generator (setup_data type 9, Linux 6.0), so that it starts seeded. */
  readonly rngSeed?: Uint8Array;
}
