/** Networks: the contract of what network cards are plugged into, and the user-mode NAT behind it. */

export { CAPTURE_BYTES_MAX, CapturedLink } from "./frame-capture.ts";
export type { CaptureSink } from "./frame-capture.ts";
export { DATAGRAM_BYTES_MAX, HOST_READ_BYTES_MAX } from "./host-sockets.ts";
export type {
  ConnectFailure,
  HostEnd,
  HostListener,
  HostSockets,
  HostTcpSocket,
  HostUdpSocket,
  ListenError,
  TcpSocketListener,
  UdpSocketListener,
} from "./host-sockets.ts";
export { PORT_FORWARDS_MAX } from "./nat/port-forwards.ts";
export type { PortForward } from "./nat/port-forwards.ts";
export type { ReachSettings } from "./nat/reach.ts";
export type { DropReason, NetworkStatistics } from "./nat/statistics.ts";
export { UserNetwork } from "./nat/user-network.ts";
export type { UserNetworkParts } from "./nat/user-network.ts";
export { formatIpv4, parseIpv4, parseMac } from "./wire/addresses.ts";
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
