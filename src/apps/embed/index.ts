/**
 * The library: virtual machines in a Node.js program, each in a process of its own.
 *
 *     import { readyMadeGuest, startVm } from "typevisor";
 *
 *     await using vm = await startVm(await readyMadeGuest("linux-amd64"));
 *     await vm.waitFor("is up");
 *     await vm.write("uname -m\n");
 */

export { readyMadeGuest } from "./ready-made-guest.ts";
export type { ReadyMadeGuestOptions } from "./ready-made-guest.ts";
export { startVm, Vm } from "./vm.ts";
export type { VmOptions, VncOptions, WaitOptions } from "./vm.ts";
export { VmPort } from "./vm-port.ts";
export type { VncServer } from "../vnc/vnc-server.ts";
export { VmError } from "./vm-error.ts";
export type { VmErrorCode } from "./vm-error.ts";
export type { VmEnding, VmSample } from "../../host/index.ts";
export type {
  GuestMemory,
  KeyInput,
  MemoryStatistics,
  PointerInput,
  TextScreen,
  VmState,
  VmStatistics,
} from "../../vmm/index.ts";
