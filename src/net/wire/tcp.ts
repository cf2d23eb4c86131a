/** TCP headers with the options MSS and window scale (RFC 9293, section 3.1; RFC 7323, section 2); others are skipped. */

import { addToSum, checksumOf, isIntact, pseudoHeaderSum, sumAsField } from "./checksum.ts";
import { IP_PROTOCOL } from "./ipv4.ts";
import type { IpEnds } from "./udp.ts";

export const TCP_HEADER_BYTES = 20;
/** Of a segment with SYN: MSS, a no-operation, window scale. */
export const TCP_SYN_OPTIONS_BYTES = 8;
export const TCP_FLAG = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 0x10 } as const;
export const WINDOW_SHIFT_MAX = 14;

const OPTION = { end: 0, noOperation: 1, mss: 2, windowScale: 3 } as const;

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  /** As it stands in the header. */
  readonly window: number;
  readonly mss: number | undefined;
  readonly windowShift: number | undefined;
  /** Where the data is in what was read. */
  readonly dataAt: number;
  readonly dataBytes: number;
}

/** Undefined for what is too short or damaged; `isSummed` says that the checksum need not be looked at. */
export function readTcp(
  view: DataView,
  at: number,
  endAt: number,
  ends: IpEnds,
  isSummed: boolean,
): TcpSegment | undefined {
  if (endAt - at < TCP_HEADER_BYTES) return undefined;
  const dataAt = at + (view.getUint8(at + 12) >>> 4) * 4;
  if (dataAt < at + TCP_HEADER_BYTES || dataAt > endAt) return undefined;
  if (!isSummed) {
    const pseudo = pseudoHeaderSum(ends.source, ends.destination, IP_PROTOCOL.tcp, endAt - at);
    if (!isIntact(addToSum(view, at, endAt, pseudo))) return undefined;
  }
  return {
    sourcePort: view.getUint16(at),
    destinationPort: view.getUint16(at + 2),
    sequence: view.getUint32(at + 4),
    acknowledgment: view.getUint32(at + 8),
    flags: view.getUint8(at + 13),
    window: view.getUint16(at + 14),
    ...readOptions(view, at + TCP_HEADER_BYTES, dataAt),
    dataAt,
    dataBytes: endAt - dataAt,
  };
}

function readOptions(view: DataView, from: number, endAt: number): Pick<TcpSegment, "mss" | "windowShift"> {
  let mss: number | undefined;
  let windowShift: number | undefined;
  let at = from;
  while (at < endAt) {
    const kind = view.getUint8(at);
    if (kind === OPTION.end) break;
    if (kind === OPTION.noOperation) {
      at++;
      continue;
    }
    const lengthBytes = at + 1 < endAt ? view.getUint8(at + 1) : 0;
    // Options that do not fit say nothing.
    if (lengthBytes < 2 || at + lengthBytes > endAt) break;
    if (kind === OPTION.mss && lengthBytes === 4) mss = view.getUint16(at + 2);
    if (kind === OPTION.windowScale && lengthBytes === 3)
      windowShift = Math.min(view.getUint8(at + 2), WINDOW_SHIFT_MAX);
    at += lengthBytes;
  }
  return { mss, windowShift };
}

export interface TcpHeader {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  /** In segments with SYN; the window scale only where it is used. */
  readonly mss?: number | undefined;
  readonly windowShift?: number | undefined;
}

/** Bytes that {@link writeTcp} will write before the data. */
export function tcpHeaderBytes(header: TcpHeader): number {
  return TCP_HEADER_BYTES + (header.mss === undefined ? 0 : TCP_SYN_OPTIONS_BYTES);
}

/** The header before data that is already there. `sums`: what stands in the checksum field. */
export function writeTcp(
  view: DataView,
  at: number,
  endAt: number,
  header: TcpHeader,
  ends: IpEnds,
  sums: "complete" | "pseudo-header",
): void {
  const headerBytes = tcpHeaderBytes(header);
  view.setUint16(at, header.sourcePort);
  view.setUint16(at + 2, header.destinationPort);
  view.setUint32(at + 4, header.sequence);
  view.setUint32(at + 8, header.acknowledgment);
  view.setUint8(at + 12, (headerBytes / 4) << 4);
  view.setUint8(at + 13, header.flags);
  view.setUint16(at + 14, header.window);
  view.setUint32(at + 16, 0);
  if (header.mss !== undefined) {
    const options = at + TCP_HEADER_BYTES;
    view.setUint16(options, (OPTION.mss << 8) | 4);
    view.setUint16(options + 2, header.mss);
    view.setUint8(options + 4, OPTION.noOperation);
    view.setUint8(options + 5, OPTION.noOperation);
    view.setUint16(options + 6, (OPTION.noOperation << 8) | OPTION.noOperation);
    if (header.windowShift !== undefined) {
      view.setUint16(options + 5, (OPTION.windowScale << 8) | 3);
      view.setUint8(options + 7, header.windowShift);
    }
  }
  const pseudo = pseudoHeaderSum(ends.source, ends.destination, IP_PROTOCOL.tcp, endAt - at);
  view.setUint16(
    at + 16,
    sums === "complete" ? checksumOf(addToSum(view, at, endAt, pseudo)) : sumAsField(pseudo),
  );
}
