/** Virtio's source of random numbers. */

export { VirtioRng } from "./virtio-rng.ts";
