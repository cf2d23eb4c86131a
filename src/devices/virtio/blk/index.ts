/** Virtio's disks. */

export { VirtioBlk } from "./virtio-blk.ts";
export type { VirtioBlkConfig } from "./virtio-blk.ts";
