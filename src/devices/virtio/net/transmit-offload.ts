/**
 * What a driver leaves to the device when it sends: the rest of a checksum, and cutting TCP data into segments (Virtual
 * I/O Device 1.2, section 5.1.6.2). A frame whose header does not fit it is lost.
 */

import { checksumAdd, checksumOf } from "../../../net/index.ts";
import { TcpSegmenter, UNSEGMENTED_BYTES_MAX } from "../../ethernet/tcp-segmentation.ts";
import { GSO, HEADER_FLAG, NET_FEATURE, NET_HEADER } from "./net-config.ts";

/** A frame as a driver may hand it over. */
export const TRANSMIT_FRAME_BYTES_MAX = UNSEGMENTED_BYTES_MAX;
const TYPE_OFFSET = 12;
const TAG_BYTES = 4;
const TAG_TYPES: readonly number[] = [0x8100, 0x88a8];
/** Where a TCP header has its own length, in its upper half in words of 4 bytes. */
const TCP_LENGTH_OFFSET = 12;

export class TransmitOffload {
  readonly #send: (frame: Uint8Array) => void;
  readonly #segmenter: TcpSegmenter;

  /** `send` is done with each frame when it returns. */
  constructor(send: (frame: Uint8Array) => void) {
    this.#send = send;
    this.#segmenter = new TcpSegmenter(send);
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
    const hasEcn = (view.getUint8(NET_HEADER.gsoType) & GSO.ecn) !== 0;
    switch (view.getUint8(NET_HEADER.gsoType) & ~GSO.ecn) {
      case GSO.none: {
        const needsChecksum = (view.getUint8(NET_HEADER.flags) & HEADER_FLAG.needsChecksum) !== 0;
        const field = start + view.getUint16(NET_HEADER.checksumOffset, true);
        if (!needsChecksum || completeChecksum(frame, start, field)) this.#send(frame);
        return;
      }
      case GSO.tcp4:
        if (!hasFeature(NET_FEATURE.hostTso4)) return;
        break;
      case GSO.tcp6:
        if (!hasFeature(NET_FEATURE.hostTso6)) return;
        break;
      default:
        return;
    }
    if (hasEcn && !hasFeature(NET_FEATURE.hostEcn)) return;
    const isIpv6 = (view.getUint8(NET_HEADER.gsoType) & ~GSO.ecn) === GSO.tcp6;
    this.#segmenter.send(frame, {
      isIpv6,
      ipOffset: ipOffsetOf(frame),
      tcpOffset: start,
      headerBytes: start + ((frame[start + TCP_LENGTH_OFFSET] ?? 0) >>> 4) * 4,
      segmentBytes: view.getUint16(NET_HEADER.gsoSize, true),
    });
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
