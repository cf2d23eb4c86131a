/**
 * Where a network card meets its link: frames of lengths that Ethernet has, padded where they are short, none while the
 * link is down, and the asking again after the card had no room.
 */

import { FRAME_BYTES_MAX, FRAME_BYTES_MIN, ETHERNET_HEADER_BYTES } from "../../net/index.ts";
import type { FrameReceiver, NetworkLink } from "../../net/index.ts";

/** The card behind the port. */
export interface LinkedCard {
  /** A frame of at most FRAME_BYTES_MAX bytes, the card's until the call returns. False: there is no room now. */
  frameArrived(frame: Uint8Array): boolean;
  linkChanged(isUp: boolean): void;
}

export class LinkPort implements FrameReceiver {
  readonly #link: NetworkLink;
  readonly #card: LinkedCard;
  readonly #padded = new Uint8Array(FRAME_BYTES_MIN);
  /** The link keeps a frame that the card had no room for. */
  #isAwaited = false;
  #isDeaf = false;

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
    if (this.#isDeaf || !this.#link.isUp || frame.length < ETHERNET_HEADER_BYTES) return true;
    if (frame.length > FRAME_BYTES_MAX) return true;
    if (this.#card.frameArrived(frame)) return true;
    this.#isAwaited = true;
    return false;
  }

  linkChanged(isUp: boolean): void {
    this.#card.linkChanged(isUp);
  }
}
