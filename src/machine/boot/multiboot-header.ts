/** The header of a multiboot 1 kernel (Multiboot Specification 0.6.96, section 3.1). */

import { BootFailure } from "./boot-error.ts";
import type { ImageView } from "./image-view.ts";
import type { MultibootAddresses } from "./multiboot-addresses.ts";

const MAGIC = 0x1badb002;
/** The header lies within the first 8 KiB, aligned to 4 bytes. */
const SEARCH_BYTES = 8192;
const FLAG_VIDEO = 1 << 2;
const FLAG_ADDRESSES = 1 << 16;
/** Bits 0–15 are demands; these are the ones the specification defines (page alignment, memory, video). */
const KNOWN_DEMANDS = 0x7;

/** Where to put a file that is no ELF (the "a.out kludge"), and where it begins. */
interface AddressesAndEntry extends MultibootAddresses {
  readonly entryGpa: number;
}

export interface MultibootHeader {
  /** Where it lies in the file. */
  readonly offset: number;
  readonly flags: number;
  readonly addresses: AddressesAndEntry | undefined;
  readonly wantsVideo: boolean;
}

export function findMultibootHeader(view: ImageView): MultibootHeader | undefined {
  const end = Math.min(view.sizeBytes, SEARCH_BYTES);
  for (let offset = 0; offset + 12 <= end; offset += 4) {
    const what = "multiboot header";
    if (view.u32(offset, what) !== MAGIC) continue;
    const flags = view.u32(offset + 4, what);
    // A magic number by chance fails here; the search goes on.
    if ((MAGIC + flags + view.u32(offset + 8, what)) >>> 0 !== 0) continue;

    const unknown = flags & 0xffff & ~KNOWN_DEMANDS;
    if (unknown !== 0) {
      throw new BootFailure(
        "unsupported-image",
        `${view.name} demands multiboot features that nobody has defined (flags 0x${unknown.toString(16)}).`,
      );
    }
    return {
      offset,
      flags,
      addresses: (flags & FLAG_ADDRESSES) === 0 ? undefined : readAddresses(view, offset),
      wantsVideo: (flags & FLAG_VIDEO) !== 0,
    };
  }
  return undefined;
}

function readAddresses(view: ImageView, offset: number): AddressesAndEntry {
  const field = (at: number): number => view.u32(offset + at, "multiboot header");
  return {
    headerGpa: field(12),
    loadGpa: field(16),
    loadEndGpa: field(20),
    bssEndGpa: field(24),
    entryGpa: field(28),
  };
}
