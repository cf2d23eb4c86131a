/**
 * Multiboot 1 (Multiboot Specification 0.6.96, sections 3.2 and 3.3): loading by ELF or by the header's addresses,
 * modules, and the information structure.
 *
 * As GRUB legacy and QEMU do, strings begin with the file's name: Xen strips a first word unless the loader calls
 * itself GRUB 2. ELF64 kernels are accepted, as GRUB accepts them, and are entered in 32-bit mode all the same.
 *
 * Missing on purpose: drives, ROM configuration table, APM and VBE information; a kernel that asks for a graphics
 * mode gets the text screen described, which the specification allows.
 */

import type { CpuState } from "../../hw/index.ts";
import { KiB } from "../../base/index.ts";
import { BootFailure } from "./boot-error.ts";
import type { BootModule, BootRequest } from "./boot-request.ts";
import { MAX_COMMAND_LINE_BYTES, placeCommandLine } from "./command-line.ts";
import { physicalEntry } from "./elf.ts";
import type { ElfImage } from "./elf.ts";
import { placeElfSections } from "./elf-sections.ts";
import { enterProtected32, GDT_SIZE_BYTES } from "./entry-state.ts";
import type { ImageView } from "./image-view.ts";
import type { BootLayout } from "./layout.ts";
import { loadElf } from "./load-elf.ts";
import { EBDA_GPA, encodeMultibootMemoryMap, HIGH_MEMORY_GPA } from "./memory-map.ts";
import { flatImage, writeFlatImage } from "./multiboot-addresses.ts";
import type { MultibootHeader } from "./multiboot-header.ts";
import { placeModules } from "./multiboot-modules.ts";

/** EAX at entry. */
const LOADER_MAGIC = 0x2badb002;
const LOADER_NAME = "Typevisor";

const INFO_BYTES = 116;
const INFO = {
  flags: 0,
  memLower: 4,
  memUpper: 8,
  cmdline: 16,
  modsCount: 20,
  modsAddr: 24,
  syms: 28,
  mmapLength: 44,
  mmapAddr: 48,
  bootLoaderName: 64,
  framebufferAddr: 88,
  framebufferPitch: 96,
  framebufferWidth: 100,
  framebufferHeight: 104,
  framebufferBpp: 108,
  framebufferType: 109,
} as const;
const HAS = {
  memory: 1 << 0,
  cmdline: 1 << 2,
  modules: 1 << 3,
  elfSections: 1 << 5,
  memoryMap: 1 << 6,
  bootLoaderName: 1 << 9,
  framebuffer: 1 << 12,
} as const;
const FRAMEBUFFER_EGA_TEXT = 2;
const MODULE_ENTRY_BYTES = 16;

export function loadMultiboot(
  layout: BootLayout,
  view: ImageView,
  header: MultibootHeader,
  elf: ElfImage | undefined,
  request: BootRequest,
): CpuState {
  const { ram } = layout;
  const kernel = loadKernelBytes(layout, view, header, elf);
  const gdt = layout.allocateLow("GDT", GDT_SIZE_BYTES);
  const info = layout.allocateLow("multiboot information", INFO_BYTES);
  ram.fill(info, INFO_BYTES, 0);
  let flags = HAS.memory | HAS.cmdline | HAS.memoryMap | HAS.bootLoaderName;

  const high = request.memoryMap.find((range) => range.type === "ram" && range.gpa === HIGH_MEMORY_GPA);
  ram.writeU32(info + INFO.memLower, EBDA_GPA / KiB);
  ram.writeU32(info + INFO.memUpper, (high?.sizeBytes ?? 0) / KiB);
  const memoryMap = encodeMultibootMemoryMap(request.memoryMap);
  const memoryMapGpa = layout.allocateLow("multiboot memory map", memoryMap.length);
  ram.write(memoryMapGpa, memoryMap);
  ram.writeU32(info + INFO.mmapLength, memoryMap.length);
  ram.writeU32(info + INFO.mmapAddr, memoryMapGpa);

  const text = request.commandLine === "" ? view.name : `${view.name} ${request.commandLine}`;
  ram.writeU32(info + INFO.cmdline, placeCommandLine(layout, view.name, text, MAX_COMMAND_LINE_BYTES));
  ram.writeU32(
    info + INFO.bootLoaderName,
    placeCommandLine(layout, view.name, LOADER_NAME, MAX_COMMAND_LINE_BYTES),
  );

  if (elf?.sections !== undefined) {
    flags |= HAS.elfSections;
    const { sections } = elf;
    const table = placeElfSections(layout, elf, sections, kernel.endGpa);
    const tableGpa = layout.allocateAbove("ELF section headers", table.length, kernel.endGpa);
    ram.write(tableGpa, table);
    ram.writeU32(info + INFO.syms, sections.count);
    ram.writeU32(info + INFO.syms + 4, sections.entryBytes);
    ram.writeU32(info + INFO.syms + 8, tableGpa);
    ram.writeU32(info + INFO.syms + 12, sections.namesIndex);
  }
  if (request.modules.length > 0) {
    flags |= HAS.modules;
    ram.writeU32(info + INFO.modsCount, request.modules.length);
    ram.writeU32(info + INFO.modsAddr, placeModuleList(layout, view.name, request.modules, kernel.endGpa));
  }
  if (header.wantsVideo && request.screen === "vga-text") {
    flags |= HAS.framebuffer;
    ram.writeU64(info + INFO.framebufferAddr, 0xb8000n);
    ram.writeU32(info + INFO.framebufferPitch, 160);
    ram.writeU32(info + INFO.framebufferWidth, 80);
    ram.writeU32(info + INFO.framebufferHeight, 25);
    ram.writeU8(info + INFO.framebufferBpp, 16);
    ram.writeU8(info + INFO.framebufferType, FRAMEBUFFER_EGA_TEXT);
  }
  ram.writeU32(info + INFO.flags, flags);
  return enterProtected32(ram, gdt, kernel.entryGpa, { rax: LOADER_MAGIC, rbx: info });
}

interface PlacedKernel {
  readonly entryGpa: number;
  readonly endGpa: number;
}

/** The header's addresses win over an ELF header, as the specification says. */
function loadKernelBytes(
  layout: BootLayout,
  view: ImageView,
  header: MultibootHeader,
  elf: ElfImage | undefined,
): PlacedKernel {
  if (header.addresses !== undefined) {
    const image = flatImage(view, header.offset, header.addresses, header.addresses.entryGpa);
    writeFlatImage(image, layout.reserve("multiboot load area", image.loadGpa, image.memoryBytes));
    return { entryGpa: image.entryGpa, endGpa: image.loadGpa + image.memoryBytes };
  }
  if (elf !== undefined) return { endGpa: loadElf(layout, elf), entryGpa: physicalEntry(elf) };
  throw new BootFailure(
    "unsupported-image",
    `${view.name} has a multiboot header without load addresses, but is no ELF file.`,
  );
}

/** The module list; its address. */
function placeModuleList(
  layout: BootLayout,
  kernelName: string,
  modules: readonly BootModule[],
  fromGpa: number,
): number {
  const { ram } = layout;
  const placed = placeModules(layout, modules, fromGpa);
  const list = layout.allocateLow("multiboot module list", placed.length * MODULE_ENTRY_BYTES);
  placed.forEach(({ startGpa, endGpa, text }, index) => {
    const entry = list + index * MODULE_ENTRY_BYTES;
    ram.writeU32(entry, startGpa);
    ram.writeU32(entry + 4, endGpa);
    ram.writeU32(entry + 8, placeCommandLine(layout, kernelName, text, MAX_COMMAND_LINE_BYTES));
    ram.writeU32(entry + 12, 0);
  });
  return list;
}
