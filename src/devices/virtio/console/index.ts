/** Virtio's console. */

export { VirtioConsole } from "./virtio-console.ts";
export type { ConsoleSink } from "./virtio-console.ts";
