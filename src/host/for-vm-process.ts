/** What a VM's process uses of this layer: its own end of the protocol. */

export { decodeToVm } from "./decode-to-vm.ts";
export type { FromVmMessage } from "./messages.ts";
export { VmServer } from "./vm-server.ts";
export type { VmRequest, VmServerParts } from "./vm-server.ts";
