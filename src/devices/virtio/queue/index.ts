/** Virtqueues: what devices see of them, and the two layouts. */

export { CHAIN_DESCRIPTORS_MAX, DescriptorChain, ElementList } from "./descriptor-chain.ts";
export type { QueueFault } from "./descriptor-chain.ts";
export type { QueueSetup } from "./ring.ts";
export { gpaOf } from "./ring-memory.ts";
export { QUEUE_SIZE_MAX, Virtqueue } from "./virtqueue.ts";
export type { QueueState } from "./virtqueue.ts";
