/** The drivers' side of devices, for tests of the layers above. */

export { bench, ModernDriver, readable, writable } from "./virtio/testing.ts";
