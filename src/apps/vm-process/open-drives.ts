/** Opens the files of a VM's disks, CD-ROMs and diskettes; of several, all or none. */

import { stat } from "node:fs/promises";
import { err, KiB, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import { OverlayDisk, PaddedDisk } from "../../block/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import { FLOPPY_FORMATS, floppyFormatOf, formatSizeBytes } from "../../devices/floppy/formats.ts";
import { openRawDisk } from "../../platform/node/raw-disk.ts";
import type { Drive, DriveDefinition } from "../../vmm/index.ts";

const USUAL_FLOPPY_BYTES = 1440 * KiB;
const NAMES = { disk: "disk", cdrom: "CD-ROM image", floppy: "diskette image" } as const;

export async function openDrives(definitions: readonly DriveDefinition[]): Promise<Result<readonly Drive[]>> {
  const drives: Drive[] = [];
  for (const [index, definition] of definitions.entries()) {
    const device = await openDevice(definition);
    if (!device.ok) {
      await closeDrives(drives);
      return device;
    }
    const { bus, medium } = definition;
    drives.push({ bus, medium, device: device.value, serialNumber: `TYPEVISOR${index + 1}` });
  }
  return ok(drives);
}

export async function closeDrives(drives: readonly Drive[]): Promise<void> {
  for (const { device } of drives) await device.close();
}

/** Whether both paths lead to one file, or block device, that is there. */
export async function isSameFile(path: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([path, other].map((name) => stat(name).catch(() => undefined)));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** What is in one drive. */
export async function openDevice(definition: DriveDefinition): Promise<Result<BlockDevice>> {
  const { file: path, medium, isReadOnly, isTemporary } = definition;
  const file = await openRawDisk({ path, isReadOnly: isReadOnly || isTemporary, what: NAMES[medium] });
  if (!file.ok) return file;
  const device = medium === "floppy" ? floppyOf(file.value) : file.value;
  if (device === undefined) {
    await file.value.close();
    return err("floppy-format", `The ${NAMES[medium]} ${path} is larger than a diskette of 2.88M.`);
  }
  return ok(isTemporary ? new OverlayDisk(device) : device);
}

/** Images often lack the empty end of their diskette: 1.44M is meant as a rule. */
function floppyOf(image: BlockDevice): BlockDevice | undefined {
  const { sizeBytes } = image;
  if (floppyFormatOf(sizeBytes) !== undefined) return image;
  const sizes = FLOPPY_FORMATS.map(formatSizeBytes).filter(
    (size) => size >= Math.max(sizeBytes, USUAL_FLOPPY_BYTES),
  );
  const [size] = sizes;
  return size === undefined ? undefined : new PaddedDisk(image, size);
}
