/** The program that runs one VM; started by the typevisor command and by the library, never by hand. */

import { enableQuickImports } from "../quick-imports.ts";

enableQuickImports();
// While this thread loads the other modules and a kernel, one of V8's optimizes the interpreter.
const { loadCore, warmUpCore, withAllFunctions } = await import("../../platform/node/for-vm-process.ts");
const core = await loadCore();
if (core.ok) warmUpCore(core.value);
// The guest stands still while the engine's functions are called for the first time: they had better be compiled by then.
await withAllFunctions(() => import("../../accel/wasm/index.ts"));
const [{ serveVm }, { createVm, enginePc }] = await Promise.all([
  import("./serve-vm.ts"),
  import("./create-vm.ts"),
]);
serveVm((request) => createVm(request, () => Promise.resolve(enginePc(core))));
