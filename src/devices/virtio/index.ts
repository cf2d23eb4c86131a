/** Virtio's PCI transport; each device has a door of its own. */

export { VIRTIO_FEATURE, VIRTIO_STATUS } from "./virtio-device.ts";
export type { VirtioDevice, VirtioHost, VirtioType } from "./virtio-device.ts";
export { VirtioPci } from "./virtio-pci.ts";
export type { VirtioPciConfig } from "./virtio-pci.ts";
