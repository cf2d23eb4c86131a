/**
 * The contract between network cards and what they are plugged into (a NAT, a switch, a capture between two of them):
 * Ethernet frames from the destination address to the end of the data, without preamble and frame check sequence.
 * Frames may be lost at any time, as on any Ethernet, but a card that says that it has no room is asked again.
 *
 * Both ends copy what they keep: a frame's bytes are the caller's again when the call returns.
 *
 * Frames are given to a card between slices of the guest or from within send(): a card may get frames before its own
 * send() has returned. A card never sends from within receive().
 */

/** Destination, source and EtherType. */
export const ETHERNET_HEADER_BYTES = 14;
/** The longest data of a frame (IEEE 802.3, 3.2.7). */
export const ETHERNET_MTU_BYTES = 1500;
/** With one 802.1Q tag. */
export const FRAME_BYTES_MAX = ETHERNET_HEADER_BYTES + 4 + ETHERNET_MTU_BYTES;
/** Without the frame check sequence; cards pad what they send, receivers take shorter ones. */
export const FRAME_BYTES_MIN = 60;
export const MAC_ADDRESS_BYTES = 6;
/** The longest IPv4 packet, in a frame that never was on a wire. */
export const LARGE_FRAME_BYTES_MAX = ETHERNET_HEADER_BYTES + 0xffff;

/** The card's end. */
export interface FrameReceiver {
  /** A frame from the network. False where the card has no room for it now; it then calls `receiverReady` later. */
  receive(frame: Uint8Array): boolean;
  linkChanged(isUp: boolean): void;
  /** Undefined, or not there, unless the card's driver takes such frames now. */
  readonly offload?: ReceiveOffload | undefined;
}

/** Of cards whose drivers spare the network the work of cutting and summing (virtio-net with GUEST_CSUM and GUEST_TSO4). */
export interface ReceiveOffload {
  /**
   * A TCP segment over IPv4, with both headers but options as they come, of up to LARGE_FRAME_BYTES_MAX; TCP's checksum field
   * holds the sum of the pseudo header only. A guest that passes it on cuts it into segments of `segmentBytes` of data. False as
   * for receive().
   */
  receive(frame: Uint8Array, segmentBytes: number): boolean;
}

/** What a card is plugged into; it serves one card. */
export interface NetworkLink {
  readonly isUp: boolean;
  /** Who gets frames from now on; undefined while nobody does: they are then lost. */
  connect(receiver: FrameReceiver | undefined): void;
  /** A frame of the card's, of at most FRAME_BYTES_MAX bytes; longer ones are the card's bug, shorter than a header lost. */
  send(frame: Uint8Array): void;
  /** There is room again after receive() gave false. */
  receiverReady(): void;
  /** Undefined, or not there, where each frame must be one of a wire. */
  readonly offload?: SendOffload | undefined;
}

/** Of networks that never put a frame on a wire: virtio-net offers CSUM and HOST_TSO4 where its link has it. */
export interface SendOffload {
  /**
   * An IPv4 packet of TCP or UDP whose transport checksum need not be filled in, of at most LARGE_FRAME_BYTES_MAX: TCP may be
   * longer than the MTU. Whatever else comes is taken as by NetworkLink.send().
   */
  send(frame: Uint8Array): void;
}
