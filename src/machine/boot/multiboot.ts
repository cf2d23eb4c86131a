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
import { enterProtected32, GDT_SIZE_BYTES } from "./entry-state.ts";
import type { ImageView } from "./image-view.ts";
import type { BootLayout } from "./layout.ts";
import { loadElf } from "./load-elf.ts";
import { EBDA_GPA, encodeMultibootMemoryMap, HIGH_MEMORY_GPA } from "./memory-map.ts";
import type { MultibootAddresses, MultibootHeader } from "./multiboot-header.ts";

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
/** As many as anybody boots (the Hurd passes about 10); each string takes low memory. */
export const MAX_MODULES = 64;

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
    placeElfSections(layout, elf, info + INFO.syms, kernel.endGpa);
  }
  if (request.modules.length > 0) {
    flags |= HAS.modules;
    ram.writeU32(info + INFO.modsCount, request.modules.length);
    ram.writeU32(info + INFO.modsAddr, placeModules(layout, view.name, request.modules, kernel.endGpa));
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
  if (header.addresses !== undefined) return loadByAddresses(layout, view, header.offset, header.addresses);
  if (elf !== undefined) return { endGpa: loadElf(layout, elf), entryGpa: physicalEntry(elf) };
  throw new BootFailure(
    "unsupported-image",
    `${view.name} has a multiboot header without load addresses, but is no ELF file.`,
  );
}

function loadByAddresses(
  layout: BootLayout,
  view: ImageView,
  headerOffset: number,
  addresses: MultibootAddresses,
): PlacedKernel {
  const { headerGpa, loadGpa, loadEndGpa, bssEndGpa, entryGpa } = addresses;
  const offset = headerOffset - (headerGpa - loadGpa);
  if (headerGpa < loadGpa || offset < 0 || (loadEndGpa !== 0 && loadEndGpa < loadGpa)) {
    throw new BootFailure(
      "corrupt-image",
      `${view.name} is damaged: its multiboot addresses contradict each other.`,
    );
  }
  const fileBytes = loadEndGpa === 0 ? view.sizeBytes - offset : loadEndGpa - loadGpa;
  const source = view.slice(offset, fileBytes, "multiboot load area");
  const memoryBytes = bssEndGpa === 0 ? fileBytes : bssEndGpa - loadGpa;
  if (memoryBytes < fileBytes || entryGpa < loadGpa || entryGpa >= loadGpa + fileBytes) {
    throw new BootFailure(
      "corrupt-image",
      `${view.name} is damaged: its multiboot addresses contradict each other.`,
    );
  }
  const target = layout.reserve("multiboot load area", loadGpa, memoryBytes);
  target.set(source);
  target.fill(0, fileBytes);
  return { entryGpa, endGpa: loadGpa + memoryBytes };
}

function placeModules(
  layout: BootLayout,
  kernelName: string,
  modules: readonly BootModule[],
  fromGpa: number,
): number {
  const { ram } = layout;
  if (modules.length > MAX_MODULES) {
    throw new BootFailure(
      "unusable-module",
      `${modules.length} modules were given; the limit is ${MAX_MODULES}.`,
    );
  }
  const list = layout.allocateLow("multiboot module list", modules.length * MODULE_ENTRY_BYTES);
  modules.forEach((module, index) => {
    const gpa = layout.allocateAbove(module.name, module.bytes.length, fromGpa);
    ram.write(gpa, module.bytes);
    const entry = list + index * MODULE_ENTRY_BYTES;
    ram.writeU32(entry, gpa);
    ram.writeU32(entry + 4, gpa + module.bytes.length);
    const text = module.commandLine ?? module.name;
    ram.writeU32(entry + 8, placeCommandLine(layout, kernelName, text, MAX_COMMAND_LINE_BYTES));
    ram.writeU32(entry + 12, 0);
  });
  return list;
}

const SECTION_SYMBOLS = 2;
const SECTION_STRINGS = 3;
const SECTION_ALLOCATED = 0x2;
/** Fields of a section header by ELF class. */
const SECTION_LAYOUT = {
  32: { type: 4, flags: 8, addr: 12, offset: 16, size: 20, addressBytes: 4 },
  64: { type: 4, flags: 8, addr: 16, offset: 24, size: 32, addressBytes: 8 },
} as const;

/**
 * Symbols for kernel debuggers: a copy of the section header table in which symbol and string tables have the
 * address they were loaded at (section 3.3, `elf_sec`). Debug sections stay in the file.
 */
function placeElfSections(layout: BootLayout, elf: ElfImage, symsGpa: number, fromGpa: number): void {
  const { ram } = layout;
  const { sections, view } = elf;
  if (sections === undefined) return;
  const tableBytes = sections.count * sections.entryBytes;
  const table = layout.allocateAbove("ELF section headers", tableBytes, fromGpa);
  ram.write(table, view.slice(sections.offset, tableBytes, "ELF section headers"));

  const fields = SECTION_LAYOUT[elf.bits];
  const place = (at: number): number =>
    fields.addressBytes === 8
      ? Number(view.u64(at, "ELF section headers"))
      : view.u32(at, "ELF section headers");
  for (let index = 0; index < sections.count; index++) {
    const at = sections.offset + index * sections.entryBytes;
    const type = view.u32(at + fields.type, "ELF section headers");
    const allocated = (view.u32(at + fields.flags, "ELF section headers") & SECTION_ALLOCATED) !== 0;
    if ((type !== SECTION_SYMBOLS && type !== SECTION_STRINGS) || allocated) continue;
    const bytes = view.slice(place(at + fields.offset), place(at + fields.size), `ELF section ${index}`);
    const gpa = layout.allocateAbove("ELF symbols", bytes.length, fromGpa);
    ram.write(gpa, bytes);
    const addr = table + index * sections.entryBytes + fields.addr;
    if (fields.addressBytes === 8) ram.writeU64(addr, BigInt(gpa));
    else ram.writeU32(addr, gpa);
  }
  ram.writeU32(symsGpa, sections.count);
  ram.writeU32(symsGpa + 4, sections.entryBytes);
  ram.writeU32(symsGpa + 8, table);
  ram.writeU32(symsGpa + 12, sections.namesIndex);
}
