/** What VMs need of Node.js: time and the event loop, processes, the compiled core, decompression. */

export { createDeflater } from "./deflater.ts";
export type { Deflater } from "./deflater.ts";
export { nodeDecompressors } from "./decompress.ts";
export { DISK_READERS_MAX } from "./disk-lock.ts";
export { KeptFiles, userCacheFolder } from "./kept-files.ts";
export type { KeptFilesLimits } from "./kept-files.ts";
export { openCapture } from "./capture-file.ts";
export { nodeSockets } from "./host-sockets.ts";
export { loadCore, warmUpCore } from "./load-core.ts";
export { memoryUse, ownMemoryUse } from "./memory-use.ts";
export type { GuestMemory, MemoryParts, MemoryUse } from "./memory-use.ts";
export { encodePng } from "./png.ts";
export type { Picture } from "./png.ts";
export { loadHostPages, PageRelease } from "./page-release.ts";
export type { HostPages } from "./page-release.ts";
export { openRawDisk } from "./raw-disk.ts";
export type { RawDiskSpec } from "./raw-disk.ts";
export { readBootFile } from "./read-boot-file.ts";
export { nodeScheduling, wallClockNs } from "./scheduling.ts";
export { hasUnixSockets, isListening, listenAt, privateFolder } from "./unix-socket.ts";
export type { SocketErrorCode } from "./unix-socket.ts";
export { encryptVncChallenge, VNC_PASSWORD_MAX_BYTES } from "./vnc-cipher.ts";
export { openSharedFolder } from "./share/host-folder.ts";
export type { SharedFolderSpec } from "./share/host-folder.ts";
export {
  collectGarbage,
  forkVmProcess,
  giveMemoryBack,
  nameProcess,
  parentChannel,
  processResources,
} from "./vm-process.ts";
export type { ForkedEnding, ForkedProcess, ForkListeners } from "./vm-process.ts";
