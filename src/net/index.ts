/** Networks: the contract of what network cards are plugged into. */

export { checksumAdd, checksumOf, folded } from "./internet-checksum.ts";
export {
  ETHERNET_HEADER_BYTES,
  ETHERNET_MTU_BYTES,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MIN,
  LARGE_FRAME_BYTES_MAX,
  MAC_ADDRESS_BYTES,
} from "./network-link.ts";
export type { FrameReceiver, NetworkLink, ReceiveOffload, SendOffload } from "./network-link.ts";
