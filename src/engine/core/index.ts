// What the compiled core exports to the host (runtime/core.ts) and to compiled regions (wasm/).
export { run, resetCaches, giveBack } from "./dispatch";
export { stopSoon } from "./state";
export { codePagesWritten, findBlock, registerBlock } from "./blocks";
export { evictBlocks } from "./eviction";
export { translateGlobal, translateQuickly as translate } from "./code-fetch";
export { noteTarget, raiseBranchFault, raiseCallFault } from "./near-branches";
export { flushJumpCache, regionAt, uncacheBlock } from "./jump-cache";
export { pagingRestored, setA20 } from "./paging";
export { flushTlb } from "./tlb";
export { setMemorySlots } from "./memory-slots";
export { floatsAreOrdinary } from "./sse-fast";
export { updateMode } from "./mode";
export { initCpu, resetCpu } from "./reset";
export { depositBits, extractBits } from "./arithmetic";
export { warmUp } from "./warm-up";
export * from "./flags";
export { reachToRead, reachToReadAndWrite, reachToWrite } from "./reach";
export {
  beginAgain,
  slowRead8,
  slowRead16,
  slowRead32,
  slowRead64,
  slowRead128,
  slowReadForWrite8,
  slowReadForWrite16,
  slowReadForWrite32,
  slowReadForWrite64,
  slowWrite8,
  slowWrite16,
  slowWrite32,
  slowWrite64,
  slowWrite128,
} from "./memory";
export * from "./helpers";
