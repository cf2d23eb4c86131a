/**
 * The files of firmware that a user brings: its image, a BIOS for the VGA, a kernel for it to start, and the flash with its
 * variables.
 */

import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import { OverlayDisk } from "../../block/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import { readBootFile } from "../../platform/node/for-vm-process.ts";
import { openRawDisk } from "../../platform/node/raw-disk.ts";
import { firmwareKernelProblem, firmwareProblem, variablesProblem, vgaBiosProblem } from "../../vmm/index.ts";
import type { FirmwareKernelFiles, FirmwareImages, VmDefinition } from "../../vmm/index.ts";

/** They last as long as the VM: unlike a kernel, nothing that the guest does changes image and VGA BIOS. */
export async function openFirmware({ boot }: VmDefinition): Promise<Result<FirmwareImages | undefined>> {
  if (boot.kind !== "firmware") return ok(undefined);
  const image = await readImage(boot.firmware);
  if (!image.ok) return image;
  const vgaBios = await readVgaBios(boot.vgaBios);
  if (!vgaBios.ok) return vgaBios;
  const kernel = await readKernel(boot.firmware, image.value, boot.kernel);
  if (!kernel.ok) return kernel;
  const images = { image: image.value, vgaBios: vgaBios.value, kernel: kernel.value };
  if (boot.variables === undefined) return ok(images);
  const { file: path, isTemporary } = boot.variables;
  const file = await openRawDisk({ path, isReadOnly: isTemporary, what: "variable store" });
  if (!file.ok) return file;
  const problem = variablesProblem(file.value.sizeBytes, image.value.length);
  if (problem !== undefined) {
    await file.value.close();
    return err("firmware", `The variable store ${path} ${problem}.`);
  }
  const variables: BlockDevice = isTemporary ? new OverlayDisk(file.value) : file.value;
  return ok({ ...images, variables });
}

async function readImage(path: string): Promise<Result<Uint8Array>> {
  const file = await readBootFile("firmware", path);
  if (!file.ok) return file;
  const { bytes } = file.value;
  const problem = firmwareProblem(bytes.length);
  return problem === undefined ? ok(bytes) : err("firmware", `The firmware ${path} ${problem}.`);
}

async function readVgaBios(path: string | undefined): Promise<Result<Uint8Array | undefined>> {
  if (path === undefined) return ok(undefined);
  const file = await readBootFile("VGA BIOS", path);
  if (!file.ok) return file;
  const { bytes } = file.value;
  const problem = vgaBiosProblem(bytes);
  return problem === undefined ? ok(bytes) : err("firmware", `The VGA BIOS ${path} ${problem}.`);
}

async function readKernel(
  firmwarePath: string,
  firmware: Uint8Array,
  wanted: FirmwareKernelFiles | undefined,
): Promise<Result<FirmwareImages["kernel"]>> {
  if (wanted === undefined) return ok(undefined);
  const kernel = await readBootFile("kernel", wanted.kernel);
  if (!kernel.ok) return kernel;
  const image = kernel.value.bytes;
  const problem = firmwareKernelProblem(firmware, image);
  if (problem !== undefined) return err("firmware", `The firmware ${firmwarePath} ${problem}.`);
  const { commandLine } = wanted;
  if (wanted.initrd === undefined) return ok({ image, initrd: undefined, commandLine });
  const initrd = await readBootFile("initrd", wanted.initrd);
  return initrd.ok ? ok({ image, initrd: initrd.value.bytes, commandLine }) : initrd;
}
