/** What every VM's process uses of this layer. Files of drives, networks and shared folders have doors of their own. */

export { nodeDecompressors } from "./decompress.ts";
export { loadCore, warmUpCore } from "./load-core.ts";
export { ownMemoryUse } from "./memory-use.ts";
export { encodePng } from "./png.ts";
export { readBootFile } from "./read-boot-file.ts";
export { nodeScheduling, wallClockNs } from "./scheduling.ts";
export {
  collectGarbage,
  giveMemoryBack,
  keepCompiledModules,
  nameProcess,
  parentChannel,
  processResources,
  withAllFunctions,
} from "./vm-process.ts";
