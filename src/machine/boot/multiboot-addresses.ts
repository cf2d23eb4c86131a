/**
 * The load addresses of a multiboot header, by which a file that need not be ELF is loaded (Multiboot 0.6.96 section
 * 3.1.3, Multiboot 2 section 3.1.5).
 */

import { BootFailure } from "./boot-error.ts";
import type { ImageView } from "./image-view.ts";

export interface MultibootAddresses {
  readonly headerGpa: number;
  readonly loadGpa: number;
  /** 0: to the end of the file. */
  readonly loadEndGpa: number;
  /** 0: no bss. */
  readonly bssEndGpa: number;
}

/** What is to be in memory: `source` and then zeros, `memoryBytes` altogether. */
export interface FlatImage {
  readonly loadGpa: number;
  readonly source: Uint8Array;
  readonly memoryBytes: number;
  readonly entryGpa: number;
}

export function flatImage(
  view: ImageView,
  headerOffset: number,
  addresses: MultibootAddresses,
  entryGpa: number,
): FlatImage {
  const { headerGpa, loadGpa, loadEndGpa, bssEndGpa } = addresses;
  const offset = headerOffset - (headerGpa - loadGpa);
  const contradiction = new BootFailure(
    "corrupt-image",
    `${view.name} is damaged: its multiboot addresses contradict each other.`,
  );
  if (headerGpa < loadGpa || offset < 0 || (loadEndGpa !== 0 && loadEndGpa < loadGpa)) throw contradiction;
  const fileBytes = loadEndGpa === 0 ? view.sizeBytes - offset : loadEndGpa - loadGpa;
  const source = view.slice(offset, fileBytes, "multiboot load area");
  const memoryBytes = bssEndGpa === 0 ? fileBytes : bssEndGpa - loadGpa;
  if (memoryBytes < fileBytes || entryGpa < loadGpa || entryGpa >= loadGpa + fileBytes) throw contradiction;
  return { loadGpa, source, memoryBytes, entryGpa };
}

/** Zeroes what the file does not fill, because RAM keeps its content over a reset. */
export function writeFlatImage(image: FlatImage, target: Uint8Array): void {
  target.set(image.source);
  target.fill(0, image.source.length);
}
