/** Virtio's memory balloon. */

export type { MemoryStatistics } from "./memory-statistics.ts";
export { VirtioBalloon } from "./virtio-balloon.ts";
