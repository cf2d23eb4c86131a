/**
 * TCP segmentation as network cards do it: a frame with more data than a segment may have goes out as several, each with
 * the frame's headers, of which lengths, IPv4 identification, sequence number, flags and checksums are each segment's own
 * (RFC 791, 8200, 9293; CWR as RFC 3168, 6.1.2 wants it).
 */

import { checksumAdd, checksumOf, FRAME_BYTES_MAX } from "../../net/index.ts";

/** What one frame may become; drivers' smallest segments are some hundred bytes. */
export const SEGMENTS_MAX = 1024;
/** A frame before segmentation: an Ethernet header with a tag, and an IP datagram of 64 KiB less one. */
export const UNSEGMENTED_BYTES_MAX = 18 + 0xffff;

/** Offsets from the start of the frame. */
export interface SegmentLayout {
  readonly isIpv6: boolean;
  readonly ipOffset: number;
  readonly tcpOffset: number;
  /** All headers together. */
  readonly headerBytes: number;
  /** The most data of one segment. */
  readonly segmentBytes: number;
}

const IPV4 = { totalLength: 2, identification: 4, checksum: 10, addresses: 12, headerBytes: 20 } as const;
const IPV6 = { payloadLength: 4, addresses: 8, headerBytes: 40 } as const;
const IPV4_ADDRESSES_BYTES = 8;
const IPV6_ADDRESSES_BYTES = 32;
const TCP = { sequence: 4, flags: 13, checksum: 16, headerBytes: 20, protocol: 6 } as const;
const FLAG = { fin: 0x01, push: 0x08, cwr: 0x80 } as const;

export class TcpSegmenter {
  readonly #send: (frame: Uint8Array) => void;
  readonly #bytes = new Uint8Array(FRAME_BYTES_MAX);
  readonly #view = new DataView(this.#bytes.buffer);

  /** `send` is done with each frame when it returns. */
  constructor(send: (frame: Uint8Array) => void) {
    this.#send = send;
  }

  /** Sends a frame in segments; false where its headers are not what `layout` says, or its segments no frames. */
  send(frame: Uint8Array, layout: SegmentLayout): boolean {
    const { headerBytes, segmentBytes } = layout;
    if (!areHeadersGood(frame, layout)) return false;
    const dataBytes = frame.length - headerBytes;
    if (segmentBytes < 1 || headerBytes + Math.min(segmentBytes, dataBytes) > FRAME_BYTES_MAX) return false;
    const count = Math.max(1, Math.ceil(dataBytes / segmentBytes));
    if (count > SEGMENTS_MAX) return false;
    this.#bytes.set(frame.subarray(0, headerBytes));
    const flags = frame[layout.tcpOffset + TCP.flags] ?? 0;
    for (let index = 0; index < count; index++) {
      const at = headerBytes + index * segmentBytes;
      const data = frame.subarray(at, Math.min(at + segmentBytes, frame.length));
      this.#bytes.set(data, headerBytes);
      const onlyLast = index === count - 1 ? 0 : FLAG.fin | FLAG.push;
      const onlyFirst = index === 0 ? 0 : FLAG.cwr;
      this.#bytes[layout.tcpOffset + TCP.flags] = flags & ~onlyLast & ~onlyFirst;
      this.#finish(layout, headerBytes + data.length);
      this.#send(this.#bytes.subarray(0, headerBytes + data.length));
      this.#advance(layout, segmentBytes);
    }
    return true;
  }

  /** Lengths and checksums of the segment in hand. */
  #finish({ isIpv6, ipOffset, tcpOffset }: SegmentLayout, frameBytes: number): void {
    const bytes = this.#bytes;
    const view = this.#view;
    let sum = TCP.protocol + (frameBytes - tcpOffset);
    if (isIpv6) {
      view.setUint16(ipOffset + IPV6.payloadLength, frameBytes - ipOffset - IPV6.headerBytes);
      const addresses = ipOffset + IPV6.addresses;
      sum = checksumAdd(sum, bytes, addresses, addresses + IPV6_ADDRESSES_BYTES);
    } else {
      view.setUint16(ipOffset + IPV4.totalLength, frameBytes - ipOffset);
      view.setUint16(ipOffset + IPV4.checksum, 0);
      view.setUint16(ipOffset + IPV4.checksum, checksumOf(checksumAdd(0, bytes, ipOffset, tcpOffset)));
      const addresses = ipOffset + IPV4.addresses;
      sum = checksumAdd(sum, bytes, addresses, addresses + IPV4_ADDRESSES_BYTES);
    }
    view.setUint16(tcpOffset + TCP.checksum, 0);
    view.setUint16(tcpOffset + TCP.checksum, checksumOf(checksumAdd(sum, bytes, tcpOffset, frameBytes)));
  }

  /** What the next segment has otherwise. */
  #advance({ isIpv6, ipOffset, tcpOffset }: SegmentLayout, dataBytes: number): void {
    const view = this.#view;
    view.setUint32(tcpOffset + TCP.sequence, view.getUint32(tcpOffset + TCP.sequence) + dataBytes);
    if (isIpv6) return;
    const identification = ipOffset + IPV4.identification;
    view.setUint16(identification, view.getUint16(identification) + 1);
  }
}

function areHeadersGood(frame: Uint8Array, layout: SegmentLayout): boolean {
  const { isIpv6, ipOffset, tcpOffset, headerBytes } = layout;
  const version = (frame[ipOffset] ?? 0) >>> 4;
  const ipHeaderBytes = isIpv6 ? IPV6.headerBytes : IPV4.headerBytes;
  return (
    version === (isIpv6 ? 6 : 4) &&
    tcpOffset >= ipOffset + ipHeaderBytes &&
    headerBytes >= tcpOffset + TCP.headerBytes &&
    headerBytes <= frame.length &&
    frame.length <= UNSEGMENTED_BYTES_MAX
  );
}
