/** ICMP: echo and errors (RFC 792; RFC 1122, section 3.2.2; RFC 1812, section 5.2.7). */

import { addToSum, checksumOf, isIntact } from "./checksum.ts";

export const ICMP_HEADER_BYTES = 8;
export const ICMP_TYPE = { echoReply: 0, unreachable: 3, echoRequest: 8, timeExceeded: 11 } as const;
export const UNREACHABLE = { network: 0, host: 1, protocol: 2, port: 3, prohibited: 13 } as const;
/** Of the packet that an error is about, its IP header and this much more (RFC 792). */
export const ICMP_QUOTE_BYTES = 8;

/** The type, or undefined for what is too short or damaged. */
export function readIcmpType(view: DataView, at: number, endAt: number): number | undefined {
  if (endAt - at < ICMP_HEADER_BYTES || !isIntact(addToSum(view, at, endAt))) return undefined;
  return view.getUint8(at);
}

/** Errors are never sent about errors (RFC 1122, section 3.2.2). */
export function isIcmpQuery(type: number): boolean {
  return type === ICMP_TYPE.echoRequest || type === ICMP_TYPE.echoReply || type >= 13;
}

/** Type and code, with the checksum over everything up to `endAt`; the other four bytes of the header stay. */
export function finishIcmp(view: DataView, at: number, endAt: number, type: number, code: number): void {
  view.setUint8(at, type);
  view.setUint8(at + 1, code);
  view.setUint16(at + 2, 0);
  view.setUint16(at + 2, checksumOf(addToSum(view, at, endAt)));
}
