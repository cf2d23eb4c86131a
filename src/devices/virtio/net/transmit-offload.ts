/**
 * What a driver leaves to the device when it sends: the rest of a checksum, and cutting TCP data into segments (Virtual
 * I/O Device 1.2, section 5.1.6.2). Where the network needs neither, it gets IPv4 as it is. A frame whose header does not
 * fit it is lost.
 */

import { checksumAdd, checksumOf, ETHERNET_HEADER_BYTES, LARGE_FRAME_BYTES_MAX } from "../../../net/index.ts";
import { TcpSegmenter, UNSEGMENTED_BYTES_MAX } from "../../ethernet/tcp-segmentation.ts";
import { GSO, HEADER_FLAG, NET_FEATURE, NET_HEADER } from "./net-config.ts";

/** A frame as a driver may hand it over. */
export const TRANSMIT_FRAME_BYTES_MAX = UNSEGMENTED_BYTES_MAX;
const TYPE_OFFSET = 12;
const TAG_BYTES = 4;
const TAG_TYPES: readonly number[] = [0x8100, 0x88a8];
const TYPE_IPV4 = 0x0800;
const IPV4_PROTOCOL = 9;
/** The length is in the upper half of its byte, in words of 4 bytes. */
const TCP = { length: 12, checksum: 16 } as const;
/** Of TCP and UDP, by their protocol numbers. */
const CHECKSUM_OFFSETS: ReadonlyMap<number, number> = new Map([
  [6, TCP.checksum],
  [17, 6],
]);

/** Where frames go; it is done with each when its methods return. */
export interface FrameSink {
  send(frame: Uint8Array): void;
  /** Whether it takes what SendOffload describes. */
  readonly takesUnfinished: boolean;
  sendUnfinished(frame: Uint8Array): void;
}

export class TransmitOffload {
  readonly #sink: FrameSink;
  readonly #segmenter: TcpSegmenter;

  constructor(sink: FrameSink) {
    this.#sink = sink;
    this.#segmenter = new TcpSegmenter((frame) => sink.send(frame));
  }

  /** Sends what is in the bytes [frameAt, end) of `view` with the header at 0; changes those bytes. */
  send(
    view: DataView<ArrayBuffer>,
    frameAt: number,
    end: number,
    hasFeature: (bit: number) => boolean,
  ): void {
    const frame = new Uint8Array(view.buffer, frameAt, end - frameAt);
    const start = view.getUint16(NET_HEADER.checksumStart, true);
    const gsoType = view.getUint8(NET_HEADER.gsoType);
    if ((gsoType & GSO.ecn) !== 0 && !hasFeature(NET_FEATURE.hostEcn)) return;
    switch (gsoType & ~GSO.ecn) {
      case GSO.none:
        if ((view.getUint8(NET_HEADER.flags) & HEADER_FLAG.needsChecksum) === 0) this.#sink.send(frame);
        else this.#finish(frame, start, view.getUint16(NET_HEADER.checksumOffset, true));
        return;
      case GSO.tcp4:
        if (hasFeature(NET_FEATURE.hostTso4)) this.#segment(frame, start, view, false);
        return;
      case GSO.tcp6:
        if (hasFeature(NET_FEATURE.hostTso6)) this.#segment(frame, start, view, true);
        return;
      default:
        return;
    }
  }

  #finish(frame: Uint8Array, start: number, offset: number): void {
    if (this.#mayStay(frame, start, offset)) this.#sink.sendUnfinished(frame);
    else if (completeChecksum(frame, start, start + offset)) this.#sink.send(frame);
  }

  #segment(frame: Uint8Array, start: number, view: DataView, isIpv6: boolean): void {
    if (!isIpv6 && this.#mayStay(frame, start, TCP.checksum)) {
      this.#sink.sendUnfinished(frame);
      return;
    }
    this.#segmenter.send(frame, {
      isIpv6,
      ipOffset: ipOffsetOf(frame),
      tcpOffset: start,
      headerBytes: start + ((frame[start + TCP.length] ?? 0) >>> 4) * 4,
      segmentBytes: view.getUint16(NET_HEADER.gsoSize, true),
    });
  }

  /** Whether the sink can do without the checksum at `offset` from `start`. */
  #mayStay(frame: Uint8Array, start: number, offset: number): boolean {
    if (!this.#sink.takesUnfinished || frame.length > LARGE_FRAME_BYTES_MAX) return false;
    const type = ((frame[TYPE_OFFSET] ?? 0) << 8) | (frame[TYPE_OFFSET + 1] ?? 0);
    const headerBytes = ((frame[ETHERNET_HEADER_BYTES] ?? 0) & 0x0f) * 4;
    if (type !== TYPE_IPV4 || start !== ETHERNET_HEADER_BYTES + headerBytes) return false;
    const protocol = frame[ETHERNET_HEADER_BYTES + IPV4_PROTOCOL] ?? 0;
    return CHECKSUM_OFFSETS.get(protocol) === offset && start + offset + 2 <= frame.length;
  }
}

/** The field at `field` holds the sum of what is not in [start, end). False where it is not in the frame. */
function completeChecksum(frame: Uint8Array, start: number, field: number): boolean {
  if (field < start || field + 2 > frame.length) return false;
  // 0 and FFFFh are the same sum, but UDP takes 0 for none (RFC 768).
  const checksum = checksumOf(checksumAdd(0, frame, start, frame.length)) || 0xffff;
  frame[field] = checksum >>> 8;
  frame[field + 1] = checksum & 0xff;
  return true;
}

/** Behind the Ethernet header and its tags. */
function ipOffsetOf(frame: Uint8Array): number {
  let at = TYPE_OFFSET;
  while (at < frame.length && TAG_TYPES.includes(((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0)))
    at += TAG_BYTES;
  return at + 2;
}
