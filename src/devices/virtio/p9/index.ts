/** Folders of the host, by 9P over virtio. */

export { MOUNT_TAG_BYTES_MAX, Virtio9p } from "./virtio-9p.ts";
export type { Virtio9pConfig } from "./virtio-9p.ts";
