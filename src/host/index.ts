/** Virtual machines in processes of their own, and the images of ready-made guests. */

export * from "./control/index.ts";
export * from "./images/index.ts";
export * from "./rfb/index.ts";
export {
  CODE_PROFILE_FILE_MAX_BYTES,
  CODE_PROFILE_VERSION,
  decodeCodeProfile,
  encodeCodeProfile,
} from "./code-profile-file.ts";
export { decodeToVm } from "./decode-to-vm.ts";
export { Listeners } from "./listeners.ts";
export type { FromVmMessage, Observation, ToVmMessage, VmProcessCommand, VmSample } from "./messages.ts";
export type { ProcessEnding, SpawnVmProcess, VmProcessLink } from "./process-link.ts";
export { SERIAL_CONFIRMED_TOGETHER_BYTES, SERIAL_HISTORY_BYTES, SerialConsole } from "./serial-console.ts";
export type { SerialListener } from "./serial-console.ts";
export { ANSWER_TIMEOUT_SECONDS, VmHandle } from "./vm-handle.ts";
export type { VmEnd, VmEnding, VmHandleParts } from "./vm-handle.ts";
export { VmServer } from "./vm-server.ts";
export type { ProcessResources, VmRequest, VmServerParts } from "./vm-server.ts";
export { waitForScreen, waitForSerial } from "./wait-for-text.ts";
export type { WaitForOptions } from "./wait-for-text.ts";
