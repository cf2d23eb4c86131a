/** What a VM's process uses of this layer: the machine, without what reads a user's settings. */

export { moduleFile } from "./module-file.ts";
export { prepareBoard } from "../machine/index.ts";
export { VirtualMachine } from "./virtual-machine.ts";
export type { TimeSliceLength } from "./scheduling.ts";
export type { BootImages, VirtualMachineParts } from "./virtual-machine.ts";
export type { AcceleratorChoice } from "./accelerator.ts";
export type { VmDefinition } from "./vm-definition.ts";
export type { Drive, Share } from "../machine/index.ts";
export type { FirmwareImages } from "./firmware-in-use.ts";
export type { NetworkHost } from "./networks-in-use.ts";
