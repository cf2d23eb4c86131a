/**
 * Checks the checksums of a frame that has arrived, as network cards do for their drivers: of the IPv4 header, and of TCP
 * and UDP over either IP (RFC 791, 768, 9293, 8200). Fragments and IPv6 with extension headers are left to the driver.
 */

import { checksumAdd, folded } from "../../net/index.ts";

/** A set of bits: what was looked at, and what was right. */
export const CHECKED = { ip: 1, ipGood: 2, transport: 4, transportGood: 8, isUdp: 16 } as const;

const TYPE_OFFSET = 12;
const TYPE = { ipv4: 0x0800, ipv6: 0x86dd, tag: 0x8100 } as const;
const TAG_BYTES = 4;
const IPV4 = { headerBytes: 20, totalLength: 2, fragment: 6, protocol: 9, addresses: 12 } as const;
/** More fragments, and the offset of this one. */
const FRAGMENT_MASK = 0x3fff;
const IPV6 = { headerBytes: 40, payloadLength: 4, nextHeader: 6, addresses: 8 } as const;
const PROTOCOL = { tcp: 6, udp: 17 } as const;
const TRANSPORT = {
  [PROTOCOL.tcp]: { headerBytes: 20, checksum: 16 },
  [PROTOCOL.udp]: { headerBytes: 8, checksum: 6 },
} as const;
const GOOD = 0xffff;

const word = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** The bits of {@link CHECKED} for a frame. */
export function checkReceived(frame: Uint8Array): number {
  const isTagged = word(frame, TYPE_OFFSET) === TYPE.tag;
  const typeAt = isTagged ? TYPE_OFFSET + TAG_BYTES : TYPE_OFFSET;
  switch (word(frame, typeAt)) {
    case TYPE.ipv4:
      return checkIpv4(frame, typeAt + 2);
    case TYPE.ipv6:
      return checkIpv6(frame, typeAt + 2);
    default:
      return 0;
  }
}

function checkIpv4(frame: Uint8Array, at: number): number {
  const headerBytes = ((frame[at] ?? 0) & 0x0f) * 4;
  const totalBytes = word(frame, at + IPV4.totalLength);
  const isWhole = headerBytes >= IPV4.headerBytes && totalBytes >= headerBytes;
  if ((frame[at] ?? 0) >>> 4 !== 4 || !isWhole || at + totalBytes > frame.length) return 0;
  if (folded(checksumAdd(0, frame, at, at + headerBytes)) !== GOOD) return CHECKED.ip;
  const result = CHECKED.ip | CHECKED.ipGood;
  if ((word(frame, at + IPV4.fragment) & FRAGMENT_MASK) !== 0) return result;
  const addresses = checksumAdd(0, frame, at + IPV4.addresses, at + IPV4.headerBytes);
  const protocol = frame[at + IPV4.protocol] ?? 0;
  return result | checkTransport(frame, at + headerBytes, at + totalBytes, protocol, addresses);
}

function checkIpv6(frame: Uint8Array, at: number): number {
  const end = at + IPV6.headerBytes + word(frame, at + IPV6.payloadLength);
  if ((frame[at] ?? 0) >>> 4 !== 6 || end > frame.length) return 0;
  const addresses = checksumAdd(0, frame, at + IPV6.addresses, at + IPV6.headerBytes);
  const protocol = frame[at + IPV6.nextHeader] ?? 0;
  return checkTransport(frame, at + IPV6.headerBytes, end, protocol, addresses);
}

function checkTransport(
  frame: Uint8Array,
  at: number,
  end: number,
  protocol: number,
  addresses: number,
): number {
  if (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp) return 0;
  const isUdp = protocol === PROTOCOL.udp;
  const { headerBytes, checksum } = TRANSPORT[protocol];
  if (end - at < headerBytes) return 0;
  // UDP without a checksum.
  if (isUdp && word(frame, at + checksum) === 0) return 0;
  const checked = CHECKED.transport | (isUdp ? CHECKED.isUdp : 0);
  const isGood = folded(checksumAdd(addresses + protocol + (end - at), frame, at, end)) === GOOD;
  return isGood ? checked | CHECKED.transportGood : checked;
}
