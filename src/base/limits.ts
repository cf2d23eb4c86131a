/** Limits that more than one layer must agree on. Each has a test at the limit where it is enforced. */

import { GiB, MiB } from "./units.ts";

/** Guest RAM of one VM: below the PCI hole at 3 GiB, and inside a 32-bit WebAssembly memory with the engine. */
export const MAX_GUEST_RAM_BYTES = 3 * GiB;
/** The least RAM a PC of ours can be built with: the first megabyte plus room for a small kernel. */
export const MIN_GUEST_RAM_BYTES = 2 * MiB;
/** ROM and video memory of one VM, behind its RAM. */
export const SLOT_MEMORY_MAX_BYTES = 64 * MiB;
/** One WebAssembly memory32. */
export const MAX_WASM_MEMORY_BYTES = 4 * GiB;
/** Live timers of one VM; devices own a fixed few each, so reaching this is a leak. */
export const MAX_TIMERS = 4096;
