/** The files of firmware that a user brings: its image, a BIOS for the VGA, and the flash with its variables. */

import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import { OverlayDisk } from "../../block/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import { openRawDisk, readBootFile } from "../../platform/node/index.ts";
import { firmwareProblem, variablesProblem, vgaBiosProblem } from "../../vmm/index.ts";
import type { FirmwareImages, VmDefinition } from "../../vmm/index.ts";

/** They last as long as the VM: unlike a kernel, nothing that the guest does changes image and VGA BIOS. */
export async function openFirmware({ boot }: VmDefinition): Promise<Result<FirmwareImages | undefined>> {
  if (boot.kind !== "firmware") return ok(undefined);
  const image = await readImage(boot.firmware);
  if (!image.ok) return image;
  const vgaBios = await readVgaBios(boot.vgaBios);
  if (!vgaBios.ok) return vgaBios;
  if (boot.variables === undefined) return ok({ image: image.value, vgaBios: vgaBios.value });
  const { file: path, isTemporary } = boot.variables;
  const file = await openRawDisk({ path, isReadOnly: isTemporary, what: "variable store" });
  if (!file.ok) return file;
  const problem = variablesProblem(file.value.sizeBytes, image.value.length);
  if (problem !== undefined) {
    await file.value.close();
    return err("firmware", `The variable store ${path} ${problem}.`);
  }
  const variables: BlockDevice = isTemporary ? new OverlayDisk(file.value) : file.value;
  return ok({ image: image.value, vgaBios: vgaBios.value, variables });
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
