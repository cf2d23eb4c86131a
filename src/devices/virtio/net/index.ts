/** Virtio's network card. */

export { VirtioNet } from "./virtio-net.ts";
export type { VirtioNetConfig } from "./virtio-net.ts";
