/**
 * What `npm run build:core` compiles to build/, above all the engine's core. The path is relative to this module: from
 * src/ in a checkout and from dist/ in the published package it is the same.
 */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { assert, err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";

/** Compiles a file of build/; `what` names it, and `missing` is the error's code where it is not there. */
export async function loadBuilt(
  fileName: string,
  what: string,
  missing: string,
): Promise<Result<WebAssembly.Module>> {
  const file = new URL(`../../../build/${fileName}`, import.meta.url);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await readFile(file);
  } catch {
    return err(
      missing,
      `${what} ${fileURLToPath(file)} is missing; in a checkout, "npm run build:core" makes it.`,
    );
  }
  return ok(await WebAssembly.compile(bytes));
}

/** Compiles the core; the module can be used for any number of VMs. */
export function loadCore(): Promise<Result<WebAssembly.Module>> {
  return loadBuilt("core.wasm", "The engine's core", "no-core");
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
