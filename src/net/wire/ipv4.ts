/** IPv4 headers (RFC 791). Options are skipped; those that we send have none. */

import { addToSum, checksumOf, isIntact } from "./checksum.ts";

export const IPV4_HEADER_BYTES = 20;
export const IPV4_PACKET_BYTES_MAX = 0xffff;
export const IP_PROTOCOL = { icmp: 1, tcp: 6, udp: 17 } as const;
export const TTL_DEFAULT = 64;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;
/** Offsets of fragments count in these. */
export const FRAGMENT_UNIT_BYTES = 8;

export interface Ipv4Header {
  readonly headerBytes: number;
  /** Header and data. */
  readonly totalBytes: number;
  readonly identification: number;
  readonly fragmentOffsetBytes: number;
  readonly hasMoreFragments: boolean;
  readonly ttl: number;
  readonly protocol: number;
  readonly source: number;
  readonly destination: number;
}

/** Undefined for what is no sound header of a packet that is there as a whole. */
export function readIpv4(view: DataView, at: number): Ipv4Header | undefined {
  const availableBytes = view.byteLength - at;
  if (availableBytes < IPV4_HEADER_BYTES) return undefined;
  const versionAndLength = view.getUint8(at);
  const headerBytes = (versionAndLength & 0xf) * 4;
  const totalBytes = view.getUint16(at + 2);
  const isSound =
    versionAndLength >>> 4 === 4 &&
    headerBytes >= IPV4_HEADER_BYTES &&
    headerBytes <= totalBytes &&
    totalBytes <= availableBytes &&
    isIntact(addToSum(view, at, at + headerBytes));
  if (!isSound) return undefined;
  const fragment = view.getUint16(at + 6);
  return {
    headerBytes,
    totalBytes,
    identification: view.getUint16(at + 4),
    fragmentOffsetBytes: (fragment & OFFSET_MASK) * FRAGMENT_UNIT_BYTES,
    hasMoreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    ttl: view.getUint8(at + 8),
    protocol: view.getUint8(at + 9),
    source: view.getUint32(at + 12),
    destination: view.getUint32(at + 16),
  };
}

/** Writes a header without options; `headerBytes` is not looked at. What is whole must not be fragmented on its way. */
export function writeIpv4(view: DataView, at: number, header: Omit<Ipv4Header, "headerBytes">): void {
  const { fragmentOffsetBytes, hasMoreFragments } = header;
  const isWhole = fragmentOffsetBytes === 0 && !hasMoreFragments;
  view.setUint16(at, 0x4500);
  view.setUint16(at + 2, header.totalBytes);
  view.setUint16(at + 4, header.identification);
  view.setUint16(
    at + 6,
    isWhole
      ? DONT_FRAGMENT
      : (fragmentOffsetBytes / FRAGMENT_UNIT_BYTES) | (hasMoreFragments ? MORE_FRAGMENTS : 0),
  );
  view.setUint8(at + 8, header.ttl);
  view.setUint8(at + 9, header.protocol);
  view.setUint16(at + 10, 0);
  view.setUint32(at + 12, header.source);
  view.setUint32(at + 16, header.destination);
  view.setUint16(at + 10, checksumOf(addToSum(view, at, at + IPV4_HEADER_BYTES)));
}
