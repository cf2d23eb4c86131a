/** The portable accelerator: x86-64 translated to WebAssembly by the engine. */

export { WASM_ACCELERATOR_PREFIX_BYTES, WasmAccelerator, WasmVcpu } from "./wasm-accelerator.ts";
export type { HypervisorLeaf, WasmAcceleratorConfig } from "./wasm-accelerator.ts";
