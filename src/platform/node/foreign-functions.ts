/**
 * node:ffi, by which JavaScript calls the C library, on hosts for which this has been looked at: Linux on 64-bit processors.
 * Node.js 26.1 brought it; it is experimental.
 */

import type * as ffi from "node:ffi";

/** Where size_t has 64 bits, a pointer is one, and we have looked. */
const ARCHITECTURES: readonly string[] = ["x64", "arm64"];

/**
 * What `load` makes of it. Undefined on other hosts, and when it throws: with a Node.js without it, without permission for it, or
 * whose interface has changed; so `load` also tries what it makes.
 */
export async function withForeignFunctions<T>(
  load: (foreignFunctions: typeof ffi) => T | undefined,
): Promise<T | undefined> {
  if (process.platform !== "linux" || !ARCHITECTURES.includes(process.arch)) return undefined;
  try {
    return load(await import("node:ffi"));
  } catch {
    return undefined;
  }
}
