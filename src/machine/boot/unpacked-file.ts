/**
 * A file as it was before it was compressed, read from its beginning in pieces, so that tens of megabytes on their way to
 * guest RAM need not be in memory besides.
 */

import { ImageView } from "./image-view.ts";

export interface UnpackedFile {
  /** The file's name as the operator knows it, for sentences. */
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * All its bytes in order; a piece is valid until the next one is taken. May be called any number of times. What is
   * wrong with the compressed data is thrown when it is met, as a `BootFailure`.
   */
  pieces(): Iterable<Uint8Array>;
}

/** One that is in memory. */
export function wholeFile(view: ImageView): UnpackedFile {
  return { name: view.name, sizeBytes: view.sizeBytes, pieces: () => [view.bytes] };
}

/** Its first piece, at least a byte of it unless the file is empty. */
export function beginningOf(file: UnpackedFile): ImageView {
  for (const piece of file.pieces()) if (piece.length > 0) return new ImageView(file.name, piece);
  return new ImageView(file.name, new Uint8Array(0));
}

/** All of it in memory. */
export function gather(file: UnpackedFile): ImageView {
  const bytes = new Uint8Array(file.sizeBytes);
  let at = 0;
  for (const piece of file.pieces()) {
    // The only piece is the file.
    if (piece.length === file.sizeBytes) return new ImageView(file.name, piece);
    bytes.set(piece, at);
    at += piece.length;
  }
  return new ImageView(file.name, bytes);
}
