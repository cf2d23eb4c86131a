/**
 * Linux: the zero page (struct boot_params) and the 32- and 64-bit entries ("The Linux/x86 Boot Protocol",
 * sections "32-bit" and "64-bit boot protocol").
 *
 * An unpacked vmlinux obeys the same register conventions as the decompressor before it, so it is entered directly:
 * 64-bit kernels in long mode with the first 4 GiB mapped, 32-bit kernels in flat protected mode. A bzImage that
 * stays packed is entered at code32_start.
 *
 * Missing on purpose: video modes beyond text mode 3, EDD, APM and EFI hand-over.
 */

import type { CpuState } from "../../hw/index.ts";
import { BootFailure } from "./boot-error.ts";
import type { BootModule, BootRequest } from "./boot-request.ts";
import { BOOT_FLAG, HEADER_MAGIC, SETUP } from "./bzimage.ts";
import type { BzImage } from "./bzimage.ts";
import { placeCommandLine } from "./command-line.ts";
import { physicalEntry } from "./elf.ts";
import type { ElfProgram } from "./elf.ts";
import {
  enterLong64,
  enterProtected32,
  GDT_SIZE_BYTES,
  IDENTITY_TABLES_BYTES,
  writeIdentityTables,
} from "./entry-state.ts";
import type { BootLayout } from "./layout.ts";
import { loadElf } from "./load-elf.ts";
import { E820_ENTRY_BYTES, encodeE820 } from "./memory-map.ts";

const PAGE_BYTES = 4096;

/** Fields of the zero page outside the setup header (Documentation/arch/x86/zero-page.rst). */
const ZERO_PAGE = {
  screenMode: 0x06,
  screenColumns: 0x07,
  screenEgaBx: 0x0a,
  screenLines: 0x0e,
  screenIsVga: 0x0f,
  screenPoints: 0x10,
  acpiRsdp: 0x070,
  e820Entries: 0x1e8,
  e820Table: 0x2d0,
} as const;
export const MAX_E820_ENTRIES = 128;

/** "Undefined loader": we have no assigned number. */
export const LOADER_UNDEFINED = 0xff;
const SETUP_RNG_SEED = 9;
const SETUP_DATA_HEADER_BYTES = 16;
/** A page-table walk away from the kernel for a vmlinux that came without a setup header. */
const DEFAULT_CMDLINE_BYTES = 2047;
const DEFAULT_INITRD_MAX = 0x7fffffff;
const VERSION_SETUP_DATA = 0x0209;
const VERSION_PREF_ADDRESS = 0x020a;

/** Loads an unpacked kernel and enters it in the mode its ELF class asks for. */
export function loadLinuxElf(
  layout: BootLayout,
  elf: ElfProgram,
  bzImage: BzImage | undefined,
  request: BootRequest,
): CpuState {
  const { ram } = layout;
  loadElf(layout, elf);
  const gdt = layout.allocateLow("GDT", GDT_SIZE_BYTES);
  const zeroPage = placeZeroPage(layout, elf.file.name, bzImage, request);
  const entry = physicalEntry(elf);
  if (elf.bits === 32) return enterProtected32(ram, gdt, entry, { rsi: zeroPage });

  const tables = layout.allocateLow("page tables", IDENTITY_TABLES_BYTES, PAGE_BYTES);
  writeIdentityTables(ram, tables);
  return enterLong64(ram, gdt, tables, entry, { rsi: zeroPage });
}

/** Loads the protected-mode code as it is and enters it at code32_start. */
export function loadLinuxCode32(layout: BootLayout, bzImage: BzImage, request: BootRequest): CpuState {
  const { view } = bzImage;
  const code = view.bytes.subarray(bzImage.code32Offset);
  // The kernel unpacks itself to its preferred address and may use all of init_size there.
  const preferred =
    bzImage.version >= VERSION_PREF_ADDRESS ? Number(view.u64(SETUP.prefAddress, "Linux setup header")) : 0;
  const endGpa = Math.max(
    bzImage.code32Start + code.length,
    Math.max(preferred, bzImage.code32Start) + bzImage.initSizeBytes,
  );
  layout.reserve("kernel", bzImage.code32Start, endGpa - bzImage.code32Start).set(code);

  const gdt = layout.allocateLow("GDT", GDT_SIZE_BYTES);
  const zeroPage = placeZeroPage(layout, view.name, bzImage, request);
  return enterProtected32(layout.ram, gdt, bzImage.code32Start, { rsi: zeroPage });
}

function placeZeroPage(
  layout: BootLayout,
  name: string,
  bzImage: BzImage | undefined,
  request: BootRequest,
): number {
  const { ram } = layout;
  const page = layout.allocateLow("zero page", PAGE_BYTES, PAGE_BYTES);
  ram.fill(page, PAGE_BYTES, 0);
  if (bzImage === undefined) {
    ram.writeU16(page + SETUP.bootFlag, BOOT_FLAG);
    ram.write(page + SETUP.magic, Uint8Array.from(HEADER_MAGIC));
    ram.writeU16(page + SETUP.version, 0x020c);
    ram.writeU8(page + SETUP.loadflags, 1);
  } else {
    ram.write(page + SETUP.setupSects, bzImage.header);
  }
  ram.writeU8(page + SETUP.typeOfLoader, LOADER_UNDEFINED);

  const commandLine = placeCommandLine(
    layout,
    name,
    request.commandLine,
    bzImage?.cmdlineMaxBytes ?? DEFAULT_CMDLINE_BYTES,
  );
  ram.writeU32(page + SETUP.cmdLinePtr, commandLine);

  placeRamDisk(layout, name, request.modules, bzImage?.initrdMaxGpa ?? DEFAULT_INITRD_MAX, page);

  if (request.rngSeed !== undefined && (bzImage?.version ?? VERSION_SETUP_DATA) >= VERSION_SETUP_DATA) {
    ram.writeU64(page + SETUP.setupData, BigInt(placeRngSeed(layout, request.rngSeed)));
  }

  if (request.screen === "vga-text") {
    ram.writeU8(page + ZERO_PAGE.screenMode, 3);
    ram.writeU8(page + ZERO_PAGE.screenColumns, 80);
    ram.writeU8(page + ZERO_PAGE.screenLines, 25);
    ram.writeU8(page + ZERO_PAGE.screenIsVga, 1);
    ram.writeU16(page + ZERO_PAGE.screenPoints, 16);
    // What INT 10h AH=12h BL=10h answers on a colour VGA: 256 KiB of memory.
    ram.writeU16(page + ZERO_PAGE.screenEgaBx, 0x0003);
  }
  ram.writeU64(page + ZERO_PAGE.acpiRsdp, BigInt(request.rsdpGpa ?? 0));

  const e820 = encodeE820(request.memoryMap.slice(0, MAX_E820_ENTRIES));
  ram.writeU8(page + ZERO_PAGE.e820Entries, e820.length / E820_ENTRY_BYTES);
  ram.write(page + ZERO_PAGE.e820Table, e820);
  return page;
}

/** The RAM disk as high as the kernel allows, and its place in the setup header that begins at `headerGpa`. */
export function placeRamDisk(
  layout: BootLayout,
  name: string,
  modules: readonly BootModule[],
  maxGpa: number,
  headerGpa: number,
): void {
  const { ram } = layout;
  const ramDisk = onlyModule(name, modules);
  if (ramDisk === undefined || ramDisk.bytes.length === 0) return;
  const gpa = layout.allocateTop("initial RAM disk", ramDisk.bytes.length, maxGpa + 1);
  ram.write(gpa, ramDisk.bytes);
  ram.writeU32(headerGpa + SETUP.ramdiskImage, gpa);
  ram.writeU32(headerGpa + SETUP.ramdiskSize, ramDisk.bytes.length);
}

function onlyModule(name: string, modules: readonly BootModule[]): BootModule | undefined {
  if (modules.length <= 1) return modules[0];
  throw new BootFailure(
    "unusable-module",
    `${name} takes one initial RAM disk, but ${modules.length} modules were given; only multiboot kernels take more.`,
  );
}

/** struct setup_data {u64 next, u32 type, u32 length, data}. */
function placeRngSeed(layout: BootLayout, seed: Uint8Array): number {
  const { ram } = layout;
  const node = layout.allocateLow("entropy seed", SETUP_DATA_HEADER_BYTES + seed.length);
  ram.writeU64(node, 0n);
  ram.writeU32(node + 8, SETUP_RNG_SEED);
  ram.writeU32(node + 12, seed.length);
  ram.write(node + SETUP_DATA_HEADER_BYTES, seed);
  return node;
}
