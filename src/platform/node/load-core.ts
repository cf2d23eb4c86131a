/**
 * The engine's core, compiled to build/core.wasm by `npm run build:core`. The path is relative to this module: from
 * src/ in a checkout and from dist/ in the published package it is the same.
 */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { assert, err, ok } from "../../base/index.ts";
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

/** As tools/build-core.ts has the core declare it: no smaller one may be given to it. */
const CORE_MEMORY = { initial: 1040, maximum: 65536, shared: true };
/** Nothing that warming up does calls the host. */
const noFunction = (): number => 0;

/**
 * Runs the core's interpreter for a moment, in memory of its own, for V8 to begin optimizing it: that takes a tenth of a
 * second on a thread of V8's, for which the first regions would have to wait too. Returns how many blocks it has run.
 */
export function warmUpCore(core: WebAssembly.Module): number {
  const size = new WebAssembly.Global({ value: "i32" }, 0);
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module, name, kind } of WebAssembly.Module.imports(core)) {
    const isMemory = kind === "memory";
    const value = isMemory ? new WebAssembly.Memory(CORE_MEMORY) : kind === "global" ? size : noFunction;
    (imports[module] ??= {})[name] = value;
  }
  const { warmUp } = new WebAssembly.Instance(core, imports).exports;
  assert(typeof warmUp === "function", "the core exports warmUp");
  return Number(warmUp());
}
