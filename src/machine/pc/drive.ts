/** A disk, or a CD-ROM or diskette drive with its medium, as the board is given it. */

import { MiB } from "../../base/index.ts";
import type { BlockDevice } from "../../block/index.ts";

export type DriveBus = "nvme" | "ide" | "virtio" | "floppy";

export interface Drive {
  readonly bus: DriveBus;
  readonly medium: "disk" | "cdrom" | "floppy";
  readonly device: BlockDevice;
  /** Up to 20 letters and digits, different for each drive of a VM: guests tell disks apart by it. */
  readonly serialNumber: string;
}

/** Disks and CD-ROM drives of one VM together, and drives on each bus. */
export const DRIVES_MAX = 8;
export const DRIVES_PER_BUS: Readonly<Record<DriveBus, number>> = {
  nvme: DRIVES_MAX,
  ide: 4,
  virtio: DRIVES_MAX,
  floppy: 2,
};
/** All that the controllers of one VM may have under way between host and guest. */
export const TRANSFER_BYTES_MAX = 16 * MiB;
