/**
 * Multiboot 2 (Multiboot2 Specification 2.0, sections 3.2 to 3.6): loading by ELF or by the header's addresses, at another
 * place where the kernel allows it, modules, and the information as tags. ELF64 kernels are entered in 32-bit mode, as
 * the specification has it.
 *
 * As with multiboot 1, strings begin with the file's name, which Xen strips unless the loader calls itself GRUB 2.
 *
 * Missing on purpose: boot device, VBE, APM and SMBIOS information, which describe what a direct boot has not used, and
 * everything of EFI.
 */

import { alignUp, KiB, concatBytes } from "../../base/index.ts";
import type { CpuState } from "../../hw/index.ts";
import { BootFailure } from "./boot-error.ts";
import type { BootRequest } from "./boot-request.ts";
import { commandLineBytes } from "./command-line.ts";
import { physicalEntry } from "./elf.ts";
import type { ElfImage } from "./elf.ts";
import { placeElfSections } from "./elf-sections.ts";
import { enterProtected32, GDT_SIZE_BYTES } from "./entry-state.ts";
import type { ImageView } from "./image-view.ts";
import type { BootLayout } from "./layout.ts";
import { elfExtent, writeElfSegments } from "./load-elf.ts";
import { EBDA_GPA, encodeWideMemoryMap, HIGH_MEMORY_GPA, WIDE_MEMORY_ENTRY_BYTES } from "./memory-map.ts";
import { flatImage, writeFlatImage } from "./multiboot-addresses.ts";
import { placeModules } from "./multiboot-modules.ts";
import { INFORMATION } from "./multiboot2-header.ts";
import type { Multiboot2Header, Relocatable } from "./multiboot2-header.ts";

/** EAX at entry. */
const LOADER_MAGIC = 0x36d76289;
const LOADER_NAME = "Typevisor";
const INFORMATION_ALIGNMENT = 8;
const FIXED_BYTES = 8;
/** What is larger lies above 1 MiB: only the section headers of a large ELF file are. */
const MAX_LOW_BYTES = 64 * KiB;
const FRAMEBUFFER_EGA_TEXT = 2;
const RSDP_V1_BYTES = 20;
const RSDP_LENGTH_AT = 20;
const RSDP_REVISION_AT = 15;
const MAX_RSDP_BYTES = 64;

export function loadMultiboot2(
  layout: BootLayout,
  view: ImageView,
  header: Multiboot2Header,
  elf: ElfImage | undefined,
  request: BootRequest,
): CpuState {
  const { ram } = layout;
  const kernel = loadKernelBytes(layout, view, header, elf);
  const gdt = layout.allocateLow("GDT", GDT_SIZE_BYTES);
  const information = encodeInformation(informationTags(layout, view, elf, kernel, request));
  const what = "multiboot 2 information";
  const gpa =
    information.length <= MAX_LOW_BYTES
      ? layout.allocateLow(what, information.length, INFORMATION_ALIGNMENT)
      : layout.allocateAbove(what, information.length, kernel.companionsGpa);
  ram.write(gpa, information);
  return enterProtected32(ram, gdt, kernel.entryGpa, { rax: LOADER_MAGIC, rbx: gpa });
}

interface PlacedKernel {
  readonly entryGpa: number;
  /** What belongs to it lies from here on: behind it, or anywhere if it lies as high as possible. */
  readonly companionsGpa: number;
  /** Where the image lies, if it says that it may lie anywhere. */
  readonly loadBaseGpa: number | undefined;
}

/** The header's addresses win over an ELF header, as section 3.1.5 says. */
function loadKernelBytes(
  layout: BootLayout,
  view: ImageView,
  header: Multiboot2Header,
  elf: ElfImage | undefined,
): PlacedKernel {
  const { relocatable } = header;
  if (header.addresses !== undefined) {
    if (header.entryGpa === undefined) {
      throw new BootFailure(
        "corrupt-image",
        `${view.name} is damaged: its multiboot 2 header has load addresses, but no entry address.`,
      );
    }
    const image = flatImage(view, header.offset, header.addresses, header.entryGpa);
    const baseGpa = reservePlace(layout, image.loadGpa, image.memoryBytes, relocatable);
    writeFlatImage(image, layout.ram.slice(baseGpa, image.memoryBytes));
    return placed(baseGpa, image.loadGpa, image.memoryBytes, image.entryGpa, relocatable);
  }
  if (elf === undefined) {
    throw new BootFailure(
      "unsupported-image",
      `${view.name} has a multiboot 2 header without load addresses, but is no ELF file.`,
    );
  }
  const { startGpa, sizeBytes } = elfExtent(elf);
  const baseGpa = reservePlace(layout, startGpa, sizeBytes, relocatable);
  writeElfSegments(layout.ram, elf, baseGpa - startGpa);
  return placed(baseGpa, startGpa, sizeBytes, header.entryGpa ?? physicalEntry(elf), relocatable);
}

function placed(
  baseGpa: number,
  linkedGpa: number,
  sizeBytes: number,
  entryGpa: number,
  relocatable: Relocatable | undefined,
): PlacedKernel {
  return {
    entryGpa: entryGpa + baseGpa - linkedGpa,
    companionsGpa: relocatable?.preference === "highest" ? HIGH_MEMORY_GPA : baseGpa + sizeBytes,
    loadBaseGpa: relocatable === undefined ? undefined : baseGpa,
  };
}

/** Where it is linked, unless it may and would rather lie elsewhere. */
function reservePlace(
  layout: BootLayout,
  linkedGpa: number,
  sizeBytes: number,
  relocatable: Relocatable | undefined,
): number {
  const what = "multiboot 2 image";
  const mayStay =
    relocatable === undefined ||
    (relocatable.preference === "none" &&
      linkedGpa % relocatable.alignment === 0 &&
      linkedGpa >= relocatable.minGpa &&
      linkedGpa + sizeBytes - 1 <= relocatable.maxGpa &&
      layout.isFree(linkedGpa, sizeBytes));
  if (mayStay) {
    layout.reserve(what, linkedGpa, sizeBytes);
    return linkedGpa;
  }
  const { minGpa, maxGpa, alignment, preference } = relocatable;
  const range = { fromGpa: minGpa, limitGpa: maxGpa + 1, alignment };
  return preference === "highest"
    ? layout.allocateHighest(what, sizeBytes, range)
    : layout.allocateLowest(what, sizeBytes, range);
}

interface Tag {
  readonly type: number;
  readonly data: Uint8Array;
}

function informationTags(
  layout: BootLayout,
  view: ImageView,
  elf: ElfImage | undefined,
  kernel: PlacedKernel,
  request: BootRequest,
): Tag[] {
  const { ram } = layout;
  const high = request.memoryMap.find((range) => range.type === "ram" && range.gpa === HIGH_MEMORY_GPA);
  const text = request.commandLine === "" ? view.name : `${view.name} ${request.commandLine}`;
  const string = (value: string): Uint8Array => commandLineBytes(view.name, value);
  const tags: Tag[] = [
    { type: INFORMATION.commandLine, data: string(text) },
    { type: INFORMATION.bootLoaderName, data: string(LOADER_NAME) },
    { type: INFORMATION.basicMemory, data: words(EBDA_GPA / KiB, (high?.sizeBytes ?? 0) / KiB) },
    {
      type: INFORMATION.memoryMap,
      data: concatBytes(words(WIDE_MEMORY_ENTRY_BYTES, 0), encodeWideMemoryMap(request.memoryMap)),
    },
  ];
  if (kernel.loadBaseGpa !== undefined) {
    tags.push({ type: INFORMATION.loadBase, data: words(kernel.loadBaseGpa) });
  }
  if (request.screen === "vga-text") {
    // Address (64 bits), pitch, width, height, then bits per character and the type as bytes, and two of reserve.
    const data = concatBytes(words(0xb8000, 0, 160, 80, 25), Uint8Array.of(16, FRAMEBUFFER_EGA_TEXT, 0, 0));
    tags.push({ type: INFORMATION.framebuffer, data });
  }
  if (elf?.sections !== undefined) {
    const { count, entryBytes, namesIndex } = elf.sections;
    const table = placeElfSections(layout, elf, elf.sections, kernel.companionsGpa);
    tags.push({
      type: INFORMATION.elfSections,
      data: concatBytes(words(count, entryBytes, namesIndex), table),
    });
  }
  if (request.rsdpGpa !== undefined) {
    const first = ram.slice(request.rsdpGpa, RSDP_V1_BYTES).slice();
    tags.push({ type: INFORMATION.acpiOld, data: first });
    if ((first[RSDP_REVISION_AT] ?? 0) >= 2) {
      const lengthBytes = Math.min(ram.readU32(request.rsdpGpa + RSDP_LENGTH_AT), MAX_RSDP_BYTES);
      tags.push({ type: INFORMATION.acpiNew, data: ram.slice(request.rsdpGpa, lengthBytes).slice() });
    }
  }
  for (const { startGpa, endGpa, text: module } of placeModules(
    layout,
    request.modules,
    kernel.companionsGpa,
  )) {
    tags.push({ type: INFORMATION.module, data: concatBytes(words(startGpa, endGpa), string(module)) });
  }
  return tags;
}

function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => view.setUint32(index * 4, value, true));
  return bytes;
}

/** Total size and a reserved word, then each tag at a multiple of 8 bytes, then the empty one that ends the list. */
function encodeInformation(tags: readonly Tag[]): Uint8Array {
  const all = [...tags, { type: INFORMATION.end, data: new Uint8Array(0) }];
  const sizeOf = ({ data }: Tag): number => alignUp(FIXED_BYTES + data.length, INFORMATION_ALIGNMENT);
  const bytes = new Uint8Array(all.reduce((sum, tag) => sum + sizeOf(tag), FIXED_BYTES));
  bytes.set(words(bytes.length, 0));
  let at = FIXED_BYTES;
  for (const tag of all) {
    bytes.set(words(tag.type, FIXED_BYTES + tag.data.length), at);
    bytes.set(tag.data, at + FIXED_BYTES);
    at += sizeOf(tag);
  }
  return bytes;
}
