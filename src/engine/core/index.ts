// What the compiled core exports to the host (runtime/core.ts) and to compiled regions (wasm/).
export { run, stopSoon, resetCaches, giveBack } from "./dispatch";
export { codePagesWritten, findBlock, flushJumpCache, registerBlock } from "./blocks";
export { flushTlb, translate } from "./paging";
export { updateMode } from "./mode";
export { mulHighSigned, mulHighUnsigned } from "./arithmetic";
export * from "./flags";
export * from "./memory";
export * from "./helpers";
