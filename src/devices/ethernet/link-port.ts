/**
 * Where a network card meets its link: frames of lengths that Ethernet has, padded where they are short, none while the
 * link is down, and the asking again after the card had no room. Between links and cards that can do so there are also
 * unfinished frames: without a wire in between nobody needs TCP data in segments or the sum of it.
 */

import {
  ETHERNET_HEADER_BYTES,
  FRAME_BYTES_MAX,
  FRAME_BYTES_MIN,
  LARGE_FRAME_BYTES_MAX,
} from "../../net/index.ts";
import type { FrameReceiver, NetworkLink, ReceiveOffload } from "../../net/index.ts";

/** The card behind the port. */
export interface LinkedCard {
  /** A frame of at most FRAME_BYTES_MAX bytes, the card's until the call returns. False: there is no room now. */
  frameArrived(frame: Uint8Array): boolean;
  linkChanged(isUp: boolean): void;
  /** Of cards that can have drivers which take unfinished frames. */
  readonly unfinished?: UnfinishedReceiver;
}

export interface UnfinishedReceiver {
  /** Whether the driver takes them now. */
  readonly isWanted: boolean;
  /** As frameArrived(), for what ReceiveOffload describes. */
  frameArrived(frame: Uint8Array, segmentBytes: number): boolean;
}

export class LinkPort implements FrameReceiver {
  readonly #link: NetworkLink;
  readonly #card: LinkedCard;
  readonly #padded = new Uint8Array(FRAME_BYTES_MIN);
  /** The link keeps a frame that the card had no room for. */
  #isAwaited = false;
  #isDeaf = false;
  readonly #offload: ReceiveOffload = {
    receive: (frame, segmentBytes) =>
      this.#isLost(frame, LARGE_FRAME_BYTES_MAX) ||
      this.#remember(this.#card.unfinished?.frameArrived(frame, segmentBytes) ?? true),
  };

  constructor(link: NetworkLink, card: LinkedCard) {
    this.#link = link;
    this.#card = card;
    link.connect(this);
  }

  get isUp(): boolean {
    return this.#link.isUp;
  }

  /** Whether the link keeps a frame until there is room. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** Sends a frame, which the link is done with when this returns. What is no frame, or too long for one, is lost. */
  send(frame: Uint8Array): void {
    if (!this.#link.isUp || frame.length < ETHERNET_HEADER_BYTES || frame.length > FRAME_BYTES_MAX) return;
    if (frame.length >= FRAME_BYTES_MIN) {
      this.#link.send(frame);
      return;
    }
    this.#padded.fill(0).set(frame);
    this.#link.send(this.#padded);
  }

  /** Whether the link takes unfinished frames. */
  get takesUnfinished(): boolean {
    return this.#link.offload !== undefined;
  }

  /** Sends what SendOffload describes. */
  sendUnfinished(frame: Uint8Array): void {
    if (!this.#link.isUp || frame.length < ETHERNET_HEADER_BYTES || frame.length > LARGE_FRAME_BYTES_MAX)
      return;
    this.#link.offload?.send(frame);
  }

  /** There may be room again. */
  roomAgain(): void {
    if (!this.#isAwaited) return;
    this.#isAwaited = false;
    this.#link.receiverReady();
  }

  /** The card has been reset: what the link kept for it is lost. */
  reset(): void {
    this.#isDeaf = true;
    this.roomAgain();
    this.#isDeaf = false;
  }

  // The link's side.

  receive(frame: Uint8Array): boolean {
    return this.#isLost(frame, FRAME_BYTES_MAX) || this.#remember(this.#card.frameArrived(frame));
  }

  get offload(): ReceiveOffload | undefined {
    return this.#card.unfinished?.isWanted === true ? this.#offload : undefined;
  }

  linkChanged(isUp: boolean): void {
    this.#card.linkChanged(isUp);
  }

  // Workings.

  #isLost(frame: Uint8Array, bytesMax: number): boolean {
    const isFrame = frame.length >= ETHERNET_HEADER_BYTES && frame.length <= bytesMax;
    return this.#isDeaf || !this.#link.isUp || !isFrame;
  }

  #remember(isTaken: boolean): boolean {
    this.#isAwaited ||= !isTaken;
    return isTaken;
  }
}
