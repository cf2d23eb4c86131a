/** Device models, each a chip apart from the bus it is attached to. */

export * from "./debug/index.ts";
export * from "./e1000/index.ts";
export * from "./ide/index.ts";
export * from "./flash/index.ts";
export * from "./floppy/index.ts";
export * from "./ne2000/index.ts";
export * from "./nvme/index.ts";
export * from "./parallel/index.ts";
export * from "./ps2/index.ts";
export * from "./rtl8139/index.ts";
export * from "./serial/index.ts";
export * from "./smbus/index.ts";
export * from "./vga/index.ts";
export * from "./virtio/index.ts";
export * from "./watchdog/index.ts";
