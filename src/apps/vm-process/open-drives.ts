/** Opens the files of a VM's disks, CD-ROMs and diskettes; of several, all or none. */

import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import { OverlayDisk } from "../../block/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import { FLOPPY_FORMATS, floppyFormatOf } from "../../devices/index.ts";
import { openRawDisk } from "../../platform/node/index.ts";
import type { Drive, DriveDefinition } from "../../vmm/index.ts";

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

async function openDevice(definition: DriveDefinition): Promise<Result<BlockDevice>> {
  const { file: path, medium, isReadOnly, isTemporary } = definition;
  const file = await openRawDisk({ path, isReadOnly: isReadOnly || isTemporary, what: NAMES[medium] });
  if (file.ok && medium === "floppy" && floppyFormatOf(file.value.sizeBytes) === undefined) {
    await file.value.close();
    const known = FLOPPY_FORMATS.map(({ name }) => name).join(", ");
    return err("floppy-format", `The ${NAMES[medium]} ${path} has the size of none of ${known}.`);
  }
  return file.ok && isTemporary ? ok(new OverlayDisk(file.value)) : file;
}
