/** UDP headers (RFC 768). */

import { addToSum, checksumOf, isIntact, pseudoHeaderSum } from "./checksum.ts";
import { IP_PROTOCOL } from "./ipv4.ts";

export const UDP_HEADER_BYTES = 8;

export interface UdpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Header and data. */
  readonly lengthBytes: number;
}

export interface IpEnds {
  readonly source: number;
  readonly destination: number;
}

/** Undefined for what is too short or damaged; `isSummed` says that the checksum need not be looked at. */
export function readUdp(
  view: DataView,
  at: number,
  endAt: number,
  ends: IpEnds,
  isSummed: boolean,
): UdpHeader | undefined {
  if (endAt - at < UDP_HEADER_BYTES) return undefined;
  const lengthBytes = view.getUint16(at + 4);
  if (lengthBytes < UDP_HEADER_BYTES || at + lengthBytes > endAt) return undefined;
  // A checksum of 0 was not computed.
  if (!isSummed && view.getUint16(at + 6) !== 0) {
    const pseudo = pseudoHeaderSum(ends.source, ends.destination, IP_PROTOCOL.udp, lengthBytes);
    if (!isIntact(addToSum(view, at, at + lengthBytes, pseudo))) return undefined;
  }
  return { sourcePort: view.getUint16(at), destinationPort: view.getUint16(at + 2), lengthBytes };
}

/** The header before data that is already there. */
export function writeUdp(view: DataView, at: number, header: UdpHeader, ends: IpEnds): void {
  const { lengthBytes } = header;
  view.setUint16(at, header.sourcePort);
  view.setUint16(at + 2, header.destinationPort);
  view.setUint16(at + 4, lengthBytes);
  view.setUint16(at + 6, 0);
  const pseudo = pseudoHeaderSum(ends.source, ends.destination, IP_PROTOCOL.udp, lengthBytes);
  const checksum = checksumOf(addToSum(view, at, at + lengthBytes, pseudo));
  // 0 would mean that there is none.
  view.setUint16(at + 6, checksum === 0 ? 0xffff : checksum);
}
