/**
 * A capture of all frames between a card and its network, in the classic file format of libpcap, which Wireshark and tcpdump
 * read. Frames that a card has no room for are in it each time that they are offered; large ones are as they were handed over,
 * their transport checksums not filled in.
 */

import type { FrameReceiver, NetworkLink, ReceiveOffload, SendOffload } from "./network-link.ts";
import { LARGE_FRAME_BYTES_MAX } from "./network-link.ts";

/** Where a capture goes. */
export interface CaptureSink {
  /** Takes the bytes, which are the caller's again on return. False where it could not: nothing more is written then. */
  write(bytes: Uint8Array): boolean;
  close(): void;
}

/** A file that reaches this is not written on. */
export const CAPTURE_BYTES_MAX = 1024 * 1024 * 1024;
export const CAPTURE_HEADER_BYTES = 24;
export const CAPTURE_RECORD_BYTES = 16;
/** Times in microseconds. */
const MAGIC = 0xa1b2c3d4;
const LINK_TYPE_ETHERNET = 1;

export class CapturedLink implements NetworkLink {
  readonly #link: NetworkLink;
  readonly #sink: CaptureSink;
  readonly #wallClockNs: () => bigint;
  readonly #record = new Uint8Array(CAPTURE_RECORD_BYTES + LARGE_FRAME_BYTES_MAX);
  readonly #bytesMax: number;
  #writtenBytes = 0;
  #isFull = false;

  constructor(
    link: NetworkLink,
    sink: CaptureSink,
    wallClockNs: () => bigint,
    bytesMax: number = CAPTURE_BYTES_MAX,
  ) {
    this.#link = link;
    this.#sink = sink;
    this.#wallClockNs = wallClockNs;
    this.#bytesMax = bytesMax;
    const view = new DataView(this.#record.buffer);
    view.setUint32(0, MAGIC, true);
    // Version 2.4; no time zone, no accuracy.
    view.setUint16(4, 2, true);
    view.setUint16(6, 4, true);
    view.setUint32(16, LARGE_FRAME_BYTES_MAX, true);
    view.setUint32(20, LINK_TYPE_ETHERNET, true);
    this.#write(CAPTURE_HEADER_BYTES);
  }

  get isUp(): boolean {
    return this.#link.isUp;
  }

  get offload(): SendOffload | undefined {
    const { offload } = this.#link;
    if (offload === undefined) return undefined;
    return {
      send: (frame) => {
        this.#capture(frame);
        offload.send(frame);
      },
    };
  }

  connect(receiver: FrameReceiver | undefined): void {
    const capture = (frame: Uint8Array): void => this.#capture(frame);
    this.#link.connect(receiver && new CapturedReceiver(receiver, capture));
  }

  send(frame: Uint8Array): void {
    this.#capture(frame);
    this.#link.send(frame);
  }

  receiverReady(): void {
    this.#link.receiverReady();
  }

  close(): void {
    this.#isFull = true;
    this.#sink.close();
  }

  #capture(frame: Uint8Array): void {
    const bytes = frame.subarray(0, LARGE_FRAME_BYTES_MAX);
    const atUs = this.#wallClockNs() / 1000n;
    const view = new DataView(this.#record.buffer);
    view.setUint32(0, Number(atUs / 1_000_000n), true);
    view.setUint32(4, Number(atUs % 1_000_000n), true);
    view.setUint32(8, bytes.length, true);
    view.setUint32(12, frame.length, true);
    this.#record.set(bytes, CAPTURE_RECORD_BYTES);
    this.#write(CAPTURE_RECORD_BYTES + bytes.length);
  }

  #write(byteCount: number): void {
    if (this.#isFull || this.#writtenBytes + byteCount > this.#bytesMax) {
      this.#isFull = true;
      return;
    }
    this.#writtenBytes += byteCount;
    this.#isFull = !this.#sink.write(this.#record.subarray(0, byteCount));
  }
}

class CapturedReceiver implements FrameReceiver {
  readonly #receiver: FrameReceiver;
  readonly #capture: (frame: Uint8Array) => void;

  constructor(receiver: FrameReceiver, capture: (frame: Uint8Array) => void) {
    this.#receiver = receiver;
    this.#capture = capture;
  }

  get offload(): ReceiveOffload | undefined {
    const { offload } = this.#receiver;
    if (offload === undefined) return undefined;
    return {
      receive: (frame, segmentBytes) => {
        this.#capture(frame);
        return offload.receive(frame, segmentBytes);
      },
    };
  }

  receive(frame: Uint8Array): boolean {
    this.#capture(frame);
    return this.#receiver.receive(frame);
  }

  linkChanged(isUp: boolean): void {
    this.#receiver.linkChanged(isUp);
  }
}
