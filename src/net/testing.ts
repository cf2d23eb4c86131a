/** A link for the tests of cards: it keeps what the card sends, and gives it frames when the test says so. */

export { FakeHostSockets, GuestStation, GuestTcp, ip } from "./nat/testing.ts";
import type { FrameReceiver, NetworkLink, SendOffload } from "./network-link.ts";

export class RecordedLink implements NetworkLink {
  /** What the card has sent, in order. */
  readonly sent: Uint8Array[] = [];
  isUp = true;
  /** What the card has sent unfinished, which it can after takeUnfinished(). */
  readonly sentUnfinished: Uint8Array[] = [];
  offload: SendOffload | undefined;
  /** How often the card said that there is room again. */
  timesReady = 0;
  /** What happens when a frame is sent or there is room again: nothing, unless a test has something to do. */
  onSend: (frame: Uint8Array) => void = () => undefined;
  onReady: () => void = () => undefined;
  #receiver: FrameReceiver | undefined;

  connect(receiver: FrameReceiver | undefined): void {
    this.#receiver = receiver;
  }

  send(frame: Uint8Array): void {
    this.sent.push(frame.slice());
    this.onSend(frame);
  }

  receiverReady(): void {
    this.timesReady++;
    this.onReady();
  }

  /** Gives the card a frame, whose bytes it must not keep; whether it took it. */
  deliver(frame: Uint8Array): boolean {
    const lent = frame.slice();
    const isTaken = this.#receiver?.receive(lent) ?? true;
    lent.fill(0xdd);
    return isTaken;
  }

  /** From now on the card need not finish what it sends. */
  takeUnfinished(): void {
    this.offload = { send: (frame) => void this.sentUnfinished.push(frame.slice()) };
  }

  /** As deliver(), for an unfinished frame; undefined if the card takes none. */
  deliverUnfinished(frame: Uint8Array, segmentBytes: number): boolean | undefined {
    return this.#receiver?.offload?.receive(frame.slice(), segmentBytes);
  }

  setUp(isUp: boolean): void {
    this.isUp = isUp;
    this.#receiver?.linkChanged(isUp);
  }
}

/** What a test says of a frame. */
export interface FrameParts {
  readonly to?: readonly number[];
  readonly from?: readonly number[];
  readonly type?: number;
  /** With an 802.1Q tag of this VLAN. */
  readonly vlan?: number;
  /** 46 bytes unless said otherwise, so that the frame is one of the shortest. */
  readonly data?: Uint8Array | readonly number[];
}

export const BROADCAST = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] as const;

export function frameOf({ to = BROADCAST, from, type = 0x88b5, vlan, data }: FrameParts = {}): Uint8Array {
  return Uint8Array.from([
    ...to,
    ...(from ?? [0x52, 0x55, 0x0a, 0, 2, 2]),
    ...(vlan === undefined ? [] : [0x81, 0, vlan >>> 8, vlan & 0xff]),
    ...[type >>> 8, type & 0xff],
    ...(data ?? new Uint8Array(46)),
  ]);
}
