/** Virtio: queues, the PCI transport, and the devices. */

export type { MemoryStatistics } from "./balloon/memory-statistics.ts";
export { VirtioBalloon } from "./balloon/virtio-balloon.ts";
export { VirtioBlk } from "./blk/virtio-blk.ts";
export type { VirtioBlkConfig } from "./blk/virtio-blk.ts";
export { VirtioConsole } from "./console/virtio-console.ts";
export type { ConsoleSink } from "./console/virtio-console.ts";
export { VirtioNet } from "./net/virtio-net.ts";
export type { VirtioNetConfig } from "./net/virtio-net.ts";
export { MOUNT_TAG_BYTES_MAX, Virtio9p } from "./p9/virtio-9p.ts";
export type { Virtio9pConfig } from "./p9/virtio-9p.ts";
export { VirtioRng } from "./rng/virtio-rng.ts";
export { VIRTIO_FEATURE, VIRTIO_STATUS } from "./virtio-device.ts";
export type { VirtioDevice, VirtioHost, VirtioType } from "./virtio-device.ts";
export { VirtioPci } from "./virtio-pci.ts";
export type { VirtioPciConfig } from "./virtio-pci.ts";
