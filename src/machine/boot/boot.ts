/**
 * Direct kernel boot without firmware: `readKernel` recognises and unpacks a kernel file, `loadKernel` places it in
 * guest RAM and says in which processor state to enter it. Errors of both are one sentence for the operator.
 */

import { ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import type { CpuState } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { toBootError } from "./boot-error.ts";
import type { BootError } from "./boot-error.ts";
import type { BootFile, BootRequest } from "./boot-request.ts";
import type { Decompressors } from "./decompressors.ts";
import { readKernelImage } from "./kernel-image.ts";
import type { BootProtocol, KernelImage } from "./kernel-image.ts";
import { BootLayout } from "./layout.ts";
import { loadLinuxCode32, loadLinuxElf } from "./linux.ts";
import { loadLinuxRealMode } from "./linux-real-mode.ts";
import { loadMultiboot } from "./multiboot.ts";
import { loadMultiboot2 } from "./multiboot2.ts";
import { loadPvh } from "./pvh.ts";

/**
 * Recognises `file` and unpacks it. The image refers to `file.bytes` or to up to 256 MiB of unpacked bytes; drop it
 * after loading to give them back. LZ4 is only unpacked while it is loaded.
 */
export async function readKernel(
  file: BootFile,
  decompressors: Decompressors,
  protocol: BootProtocol = "auto",
): Promise<Result<KernelImage, BootError>> {
  try {
    return ok(await readKernelImage(file, decompressors, protocol));
  } catch (failure) {
    return toBootError(failure);
  }
}

/** Writes the kernel and its boot structures to RAM. On an error RAM may hold parts of them, and must not be run. */
export function loadKernel(
  ram: GuestRam,
  image: KernelImage,
  request: BootRequest,
): Result<CpuState, BootError> {
  try {
    return ok(place(ram, image, request));
  } catch (failure) {
    return toBootError(failure);
  }
}

function place(ram: GuestRam, image: KernelImage, request: BootRequest): CpuState {
  const laterBytes = request.modules.reduce((sum, module) => sum + module.bytes.length, 0);
  const layoutFor = (name: string): BootLayout => new BootLayout(ram, request.memoryMap, name, laterBytes);
  switch (image.kind) {
    case "linux":
      return loadLinuxElf(layoutFor(image.elf.file.name), image.elf, image.bzImage, request);
    case "linux-code32":
      return loadLinuxCode32(layoutFor(image.bzImage.view.name), image.bzImage, request);
    case "linux-real-mode":
      return loadLinuxRealMode(layoutFor(image.bzImage.view.name), image.bzImage, request);
    case "pvh":
      return loadPvh(layoutFor(image.elf.view.name), image.elf, image.entryGpa, request);
    case "multiboot1":
      return loadMultiboot(layoutFor(image.view.name), image.view, image.header, image.elf, request);
    case "multiboot2":
      return loadMultiboot2(layoutFor(image.view.name), image.view, image.header, image.elf, request);
  }
}
