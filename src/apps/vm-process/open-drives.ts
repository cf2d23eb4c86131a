/** Opens the files of a VM's disks and CD-ROMs; of several, all or none. */

import { ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import { OverlayDisk } from "../../block/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import { openRawDisk } from "../../platform/node/index.ts";
import type { Drive, DriveDefinition } from "../../vmm/index.ts";

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
  const what = medium === "cdrom" ? "CD-ROM image" : "disk";
  const file = await openRawDisk({ path, isReadOnly: isReadOnly || isTemporary, what });
  return file.ok && isTemporary ? ok(new OverlayDisk(file.value)) : file;
}
