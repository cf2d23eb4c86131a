/**
 * The engine's core, compiled to build/core.wasm by `npm run build:core`. The path is relative to this module: from
 * src/ in a checkout and from dist/ in the published package it is the same.
 */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";

const CORE = new URL("../../../build/core.wasm", import.meta.url);

/** Compiles the core; the module can be used for any number of VMs. */
export async function loadCore(): Promise<Result<WebAssembly.Module>> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await readFile(CORE);
  } catch {
    return err(
      "no-core",
      `The engine's core ${fileURLToPath(CORE)} is missing; in a checkout, "npm run build:core" makes it.`,
    );
  }
  return ok(await WebAssembly.compile(bytes));
}
