/**
 * PVH: 32-bit entry through an ELF note with one start-info structure (Xen "x86/HVM direct boot ABI",
 * docs/misc/pvh.pandoc, and public/arch-x86/hvm/start_info.h version 1). Linux, Xen, FreeBSD and small kernels
 * know it; so does QEMU's -kernel.
 */

import type { CpuState } from "../../hw/index.ts";
import { placeCommandLine, MAX_COMMAND_LINE_BYTES } from "./command-line.ts";
import type { BootRequest } from "./boot-request.ts";
import type { ElfImage } from "./elf.ts";
import { enterProtected32, GDT_SIZE_BYTES } from "./entry-state.ts";
import type { BootLayout } from "./layout.ts";
import { loadElf } from "./load-elf.ts";
import { encodeWideMemoryMap } from "./memory-map.ts";

const NOTE_NAME = "Xen";
const NOTE_PHYS32_ENTRY = 18;

const START_INFO_BYTES = 56;
const START_INFO_MAGIC = 0x336ec578;
const START_INFO_VERSION = 1;
const MODULE_ENTRY_BYTES = 32;

/** The entry point that the note gives; 4 bytes in 32-bit files, 8 in 64-bit ones. */
export function pvhEntry(elf: ElfImage): number | undefined {
  const note = elf.notes.find(
    (candidate) => candidate.name === NOTE_NAME && candidate.type === NOTE_PHYS32_ENTRY,
  );
  if (note === undefined || note.data.length < 4) return undefined;
  return new DataView(note.data.buffer, note.data.byteOffset).getUint32(0, true);
}

export function loadPvh(layout: BootLayout, elf: ElfImage, entryGpa: number, request: BootRequest): CpuState {
  const { ram } = layout;
  const kernelEnd = loadElf(layout, elf);
  const gdt = layout.allocateLow("GDT", GDT_SIZE_BYTES);
  const startInfo = layout.allocateLow("PVH start info", START_INFO_BYTES);
  const memoryMap = encodeWideMemoryMap(request.memoryMap);
  const memoryMapGpa = layout.allocateLow("PVH memory map", memoryMap.length);
  ram.write(memoryMapGpa, memoryMap);

  const modulesGpa = layout.allocateLow(
    "PVH module list",
    Math.max(1, request.modules.length) * MODULE_ENTRY_BYTES,
  );
  request.modules.forEach((module, index) => {
    const gpa = layout.allocateAbove(module.name, module.bytes.length, kernelEnd);
    ram.write(gpa, module.bytes);
    const entry = modulesGpa + index * MODULE_ENTRY_BYTES;
    ram.writeU64(entry, BigInt(gpa));
    ram.writeU64(entry + 8, BigInt(module.bytes.length));
    const text = module.commandLine ?? module.name;
    ram.writeU64(entry + 16, BigInt(placeCommandLine(layout, module.name, text, MAX_COMMAND_LINE_BYTES)));
    ram.writeU64(entry + 24, 0n);
  });

  ram.fill(startInfo, START_INFO_BYTES, 0);
  ram.writeU32(startInfo, START_INFO_MAGIC);
  ram.writeU32(startInfo + 4, START_INFO_VERSION);
  ram.writeU32(startInfo + 12, request.modules.length);
  ram.writeU64(startInfo + 16, BigInt(request.modules.length === 0 ? 0 : modulesGpa));
  const commandLine = placeCommandLine(layout, elf.view.name, request.commandLine, MAX_COMMAND_LINE_BYTES);
  ram.writeU64(startInfo + 24, BigInt(commandLine));
  ram.writeU64(startInfo + 32, BigInt(request.rsdpGpa ?? 0));
  ram.writeU64(startInfo + 40, BigInt(memoryMapGpa));
  ram.writeU32(startInfo + 48, request.memoryMap.length);
  return enterProtected32(ram, gdt, entryGpa, { rbx: startInfo });
}
