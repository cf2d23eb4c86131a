/**
 * The contract between network cards and what they are plugged into (a NAT, a switch, a capture between two of them):
 * Ethernet frames from the destination address to the end of the data, without preamble and frame check sequence.
 * Frames may be lost at any time, as on any Ethernet, but a card that says that it has no room is asked again.
 *
 * Both ends copy what they keep: a frame's bytes are the caller's again when the call returns.
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

/** The card's end. */
export interface FrameReceiver {
  /** A frame from the network. False where the card has no room for it now; it then calls `receiverReady` later. */
  receive(frame: Uint8Array): boolean;
  linkChanged(isUp: boolean): void;
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
}
