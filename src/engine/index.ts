/** The engine: x86-64 translated to WebAssembly while it runs. */

export { Engine, ENGINE_PREFIX_BYTES, ENGINE_RAM_SIZE_MAX } from "./runtime/engine.ts";
export type { EngineExit, EngineHost, EngineOptions, EngineStatistics } from "./runtime/engine.ts";
