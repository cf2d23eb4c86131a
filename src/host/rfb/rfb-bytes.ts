/** What RFB messages are made of (RFC 6143): numbers with the highest byte first, texts behind their length. */

import { concatBytes } from "../../base/index.ts";
import type { Rectangle } from "./dirty-tiles.ts";

export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The length of `bytes`, in four. */
export function lengthOf(bytes: Uint8Array): Uint8Array {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, bytes.length);
  return length;
}

/** A text behind its length. */
export function counted(text: string): Uint8Array {
  const bytes = ascii(text);
  return concatBytes(lengthOf(bytes), bytes);
}

/** The head of a FramebufferUpdate with so many rectangles. */
export function updateHead(count: number): Uint8Array {
  return Uint8Array.of(0, 0, count >>> 8, count & 0xff);
}

export function rectangleHead({ x, y, width, height }: Rectangle, encoding: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of [x, y, width, height].entries()) view.setUint16(2 * index, value);
  view.setInt32(8, encoding);
  return bytes;
}
