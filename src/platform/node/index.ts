/** What a VM needs of Node.js: time and the event loop, the compiled core, decompression. */

export { nodeDecompressors } from "./decompress.ts";
export { loadCore } from "./load-core.ts";
export { nodeScheduling, wallClockNs } from "./scheduling.ts";
