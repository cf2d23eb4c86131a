/** How running VMs are reached from other processes. */

export {
  CONTROL_LINE_MAX_BYTES,
  encodeReply,
  encodeRequest,
  LineReader,
  ReplyReader,
} from "./control-protocol.ts";
export type { ControlReply, ControlRequest, ScreenshotFormat, VmDescription } from "./control-protocol.ts";
export { decodeRequest } from "./decode-control.ts";
export { answerLine } from "./control-vm.ts";
export type { ControlledVm } from "./control-vm.ts";
