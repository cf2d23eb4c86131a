/**
 * Physical Region Pages (Base Specification 1.4, section 4.3): where a command's data lies in guest memory. The first entry
 * may begin inside a page; two pages are named in the command itself, more in a list, which goes on in another list
 * where it reaches the end of its page.
 */

import type { Dma } from "../../hw/index.ts";
import type { NvmeCommand } from "./command.ts";
import { STATUS } from "./protocol.ts";

export interface Segment {
  readonly gpa: number;
  readonly lengthBytes: number;
}

/** The segments in order, or the status that the command fails with. */
export type PrpResult = { readonly segments: readonly Segment[] } | { readonly status: number };

const ENTRY_BYTES = 8;

/**
 * Walks the PRPs of `command` for `lengthBytes` of data. Lists behind the first begin at a page's start, so that each
 * brings many entries: their number is bounded by the data's length.
 */
export function walkPrps(dma: Dma, command: NvmeCommand, lengthBytes: number, pageBytes: number): PrpResult {
  const { prp1, prp2 } = command;
  if (prp1 % 4 !== 0) return { status: STATUS.invalidPrpOffset };
  const firstBytes = Math.min(lengthBytes, pageBytes - (prp1 % pageBytes));
  const segments = new Segments(prp1, firstBytes);
  let restBytes = lengthBytes - firstBytes;
  if (restBytes === 0) return segments;
  if (restBytes <= pageBytes) {
    if (prp2 % pageBytes !== 0) return { status: STATUS.invalidPrpOffset };
    segments.add(prp2, restBytes);
    return segments;
  }
  if (prp2 % ENTRY_BYTES !== 0) return { status: STATUS.invalidPrpOffset };
  let listGpa = prp2;
  while (restBytes > 0) {
    const room = (pageBytes - (listGpa % pageBytes)) / ENTRY_BYTES;
    const needed = Math.ceil(restBytes / pageBytes);
    const isLast = needed <= room;
    const list = readList(dma, listGpa, isLast ? needed : room);
    if (list === undefined) return { status: STATUS.dataTransferError };
    if (list.some((gpa) => gpa % pageBytes !== 0)) return { status: STATUS.invalidPrpOffset };
    for (const gpa of isLast ? list : list.slice(0, -1)) {
      const pieceBytes = Math.min(restBytes, pageBytes);
      segments.add(gpa, pieceBytes);
      restBytes -= pieceBytes;
    }
    listGpa = list.at(-1) ?? 0;
  }
  return segments;
}

/** Pages that lie behind each other are one segment: a copy of many pages takes little more than one of a single page. */
class Segments {
  readonly segments: { readonly gpa: number; lengthBytes: number }[];

  constructor(gpa: number, lengthBytes: number) {
    this.segments = [{ gpa, lengthBytes }];
  }

  add(gpa: number, lengthBytes: number): void {
    const last = this.segments.at(-1);
    if (last !== undefined && last.gpa + last.lengthBytes === gpa) last.lengthBytes += lengthBytes;
    else this.segments.push({ gpa, lengthBytes });
  }
}

function readList(dma: Dma, gpa: number, count: number): number[] | undefined {
  const bytes = new Uint8Array(count * ENTRY_BYTES);
  if (!dma.read(gpa, bytes)) return undefined;
  const words = new DataView(bytes.buffer);
  return Array.from(
    { length: count },
    (_, index) =>
      words.getUint32(ENTRY_BYTES * index, true) + 2 ** 32 * words.getUint32(ENTRY_BYTES * index + 4, true),
  );
}

/** The segments' bytes themselves, to be used before control returns to the guest; undefined when one is not the VM's RAM. */
export function viewsOf(
  dma: Dma,
  segments: readonly Segment[],
  access: "readable" | "writable",
): Uint8Array[] | undefined {
  const views: Uint8Array[] = [];
  for (const { gpa, lengthBytes } of segments) {
    const view = access === "writable" ? dma.writable(gpa, lengthBytes) : dma.readable(gpa, lengthBytes);
    if (view === undefined) return undefined;
    views.push(view);
  }
  return views;
}

/** Copies `source` into the segments, as far as it goes; false when one of them is not the VM's RAM. */
export function scatter(dma: Dma, segments: readonly Segment[], source: Uint8Array): boolean {
  let at = 0;
  for (const { gpa, lengthBytes } of segments) {
    if (!dma.write(gpa, source.subarray(at, at + lengthBytes))) return false;
    at += lengthBytes;
  }
  return true;
}

/** Copies the segments into `target`; false when one of them is not the VM's RAM. */
export function gather(dma: Dma, segments: readonly Segment[], target: Uint8Array): boolean {
  let at = 0;
  for (const { gpa, lengthBytes } of segments) {
    if (!dma.read(gpa, target.subarray(at, at + lengthBytes))) return false;
    at += lengthBytes;
  }
  return true;
}
