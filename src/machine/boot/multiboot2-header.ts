/**
 * The header of a multiboot 2 kernel (Multiboot2 Specification 2.0, section 3.1): tags within the first 32 KiB of the
 * file. A tag or a request for information that is not marked optional and cannot be met is refused by name.
 *
 * Missing on purpose: EFI. The entry points for EFI are for loaders that have EFI's boot services, and others ignore them
 * (sections 3.1.8, 3.1.9). No graphics mode is set: a kernel gets the text screen, unless it says that it has no use for it.
 */

import { alignUp } from "../../base/index.ts";
import { BootFailure } from "./boot-error.ts";
import type { ImageView } from "./image-view.ts";
import type { MultibootAddresses } from "./multiboot-addresses.ts";

const MAGIC = 0xe85250d6;
const ARCHITECTURE_I386 = 0;
/** The header lies within the first 32 KiB, aligned to 8 bytes. */
const SEARCH_BYTES = 32_768;
const ALIGNMENT = 8;
const FIXED_BYTES = 16;
const TAG_HEADER_BYTES = 8;
const WHAT = "multiboot 2 header";

const TAG = {
  end: 0,
  informationRequest: 1,
  addresses: 2,
  entryAddress: 3,
  console: 4,
  framebuffer: 5,
  moduleAlignment: 6,
  efiBootServices: 7,
  efiEntry32: 8,
  efiEntry64: 9,
  relocatable: 10,
} as const;
const FLAG_OPTIONAL = 1 << 0;
const CONSOLE_REQUIRED = 1 << 0;
const CONSOLE_TEXT_SUPPORTED = 1 << 1;

/** Types of the information's tags (section 3.6). */
export const INFORMATION = {
  end: 0,
  commandLine: 1,
  bootLoaderName: 2,
  module: 3,
  basicMemory: 4,
  bootDevice: 5,
  memoryMap: 6,
  vbe: 7,
  framebuffer: 8,
  elfSections: 9,
  apm: 10,
  acpiOld: 14,
  acpiNew: 15,
  loadBase: 21,
} as const;
const KNOWN_INFORMATION: ReadonlySet<number> = new Set(Object.values(INFORMATION));
const EFI_INFORMATION: ReadonlySet<number> = new Set([11, 12, 17, 18, 19, 20]);

export type RelocationPreference = "none" | "lowest" | "highest";
const PREFERENCES: readonly RelocationPreference[] = ["none", "lowest", "highest"];

/** Section 3.1.10: the image may be loaded elsewhere than linked. */
export interface Relocatable {
  readonly minGpa: number;
  /** No byte of the image may lie above it. */
  readonly maxGpa: number;
  readonly alignment: number;
  readonly preference: RelocationPreference;
}

export interface Multiboot2Header {
  /** Where it lies in the file. */
  readonly offset: number;
  readonly addresses: MultibootAddresses | undefined;
  readonly entryGpa: number | undefined;
  readonly relocatable: Relocatable | undefined;
}

export function findMultiboot2Header(view: ImageView): Multiboot2Header | undefined {
  const end = Math.min(view.sizeBytes, SEARCH_BYTES);
  for (let offset = 0; offset + FIXED_BYTES <= end; offset += ALIGNMENT) {
    if (view.u32(offset, WHAT) !== MAGIC) continue;
    const architecture = view.u32(offset + 4, WHAT);
    const lengthBytes = view.u32(offset + 8, WHAT);
    // A magic number by chance fails here; the search goes on.
    if ((MAGIC + architecture + lengthBytes + view.u32(offset + 12, WHAT)) >>> 0 !== 0) continue;
    if (architecture !== ARCHITECTURE_I386) {
      throw new BootFailure("unsupported-image", `${view.name} is a multiboot 2 kernel, but not for x86.`);
    }
    if (offset + lengthBytes > end) {
      throw new BootFailure(
        "corrupt-image",
        `${view.name} is damaged: its multiboot 2 header does not end in its first 32 KiB.`,
      );
    }
    return readTags(view, offset, lengthBytes);
  }
  return undefined;
}

function readTags(view: ImageView, offset: number, lengthBytes: number): Multiboot2Header {
  const end = offset + lengthBytes;
  let addresses: MultibootAddresses | undefined;
  let entryGpa: number | undefined;
  let relocatable: Relocatable | undefined;
  let consoleFlags: number | undefined;
  let demandsGraphics = false;
  for (let at = offset + FIXED_BYTES; at + TAG_HEADER_BYTES <= end;) {
    const type = view.u16(at, WHAT);
    const isOptional = (view.u16(at + 2, WHAT) & FLAG_OPTIONAL) !== 0;
    const sizeBytes = view.u32(at + 4, WHAT);
    if (sizeBytes < Math.max(TAG_HEADER_BYTES, LEAST_SIZE_BYTES[type] ?? 0) || at + sizeBytes > end) {
      throw new BootFailure(
        "corrupt-image",
        `${view.name} is damaged: tag ${type} of its multiboot 2 header has an impossible size.`,
      );
    }
    const field = (index: number): number => view.u32(at + TAG_HEADER_BYTES + index * 4, WHAT);
    if (type === TAG.end) break;
    switch (type) {
      case TAG.informationRequest:
        if (!isOptional) checkRequests(view, at + TAG_HEADER_BYTES, at + sizeBytes);
        break;
      case TAG.addresses:
        addresses = readAddresses(offset, field);
        break;
      case TAG.entryAddress:
        entryGpa = field(0);
        break;
      case TAG.console:
        consoleFlags = field(0);
        break;
      case TAG.framebuffer:
        demandsGraphics = !isOptional;
        break;
      case TAG.relocatable:
        relocatable = readRelocatable(view, field);
        break;
      case TAG.moduleAlignment:
      case TAG.efiEntry32:
      case TAG.efiEntry64:
        break;
      default:
        if (!isOptional) throw demands(view, nameOfTag(type));
    }
    at += alignUp(sizeBytes, ALIGNMENT);
  }
  // The text screen is what there is: good enough unless the kernel has said that it cannot use it.
  const takesText = consoleFlags === undefined || (consoleFlags & CONSOLE_TEXT_SUPPORTED) !== 0;
  const insists = demandsGraphics || ((consoleFlags ?? 0) & CONSOLE_REQUIRED) !== 0;
  if (!takesText && insists) throw demands(view, "a graphics mode");
  return { offset, addresses, entryGpa, relocatable };
}

const LEAST_SIZE_BYTES: Readonly<Record<number, number>> = {
  [TAG.addresses]: 24,
  [TAG.entryAddress]: 12,
  [TAG.console]: 12,
  [TAG.framebuffer]: 20,
  [TAG.relocatable]: 24,
};

function nameOfTag(type: number): string {
  return type === TAG.efiBootServices ? "EFI boot services" : `header tag ${type}`;
}

function demands(view: ImageView, what: string): BootFailure {
  return new BootFailure(
    "unsupported-image",
    `${view.name} demands ${what} of its multiboot 2 loader, which --kernel does not offer; a boot loader on a disk may.`,
  );
}

/** What describes a part that this machine lacks (APM, a VBE mode) may be absent, as section 3.1.4 notes. */
function checkRequests(view: ImageView, from: number, end: number): void {
  for (let at = from; at + 4 <= end; at += 4) {
    const type = view.u32(at, WHAT);
    if (EFI_INFORMATION.has(type)) throw demands(view, `information about EFI (tag ${type})`);
    if (!KNOWN_INFORMATION.has(type)) throw demands(view, `information tag ${type}`);
  }
}

const FROM_FILE_START = 0xffffffff;

function readAddresses(headerOffset: number, field: (index: number) => number): MultibootAddresses {
  const headerGpa = field(0);
  const loadGpa = field(1);
  return {
    headerGpa,
    loadGpa: loadGpa === FROM_FILE_START ? headerGpa - headerOffset : loadGpa,
    loadEndGpa: field(2),
    bssEndGpa: field(3),
  };
}

function readRelocatable(view: ImageView, field: (index: number) => number): Relocatable {
  const [minGpa, maxGpa, alignment] = [field(0), field(1), Math.max(1, field(2))];
  const preference = PREFERENCES[field(3)];
  if (preference === undefined || minGpa > maxGpa || !Number.isInteger(Math.log2(alignment))) {
    throw new BootFailure(
      "corrupt-image",
      `${view.name} is damaged: the relocatable tag of its multiboot 2 header is impossible.`,
    );
  }
  return { minGpa, maxGpa, alignment, preference };
}
