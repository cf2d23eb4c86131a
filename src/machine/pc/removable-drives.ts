/** The drives of a board whose media somebody may take out and put in: CD-ROMs on IDE, and diskettes. */

import { ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import type { BlockDevice } from "../../block/index.ts";
import type { Fdc82077aa } from "../../devices/floppy/index.ts";
import type { CdromUnit } from "../../devices/ide/drives.ts";
import type { BiosMedium } from "../firmware/bios-drive.ts";
import type { Drive } from "./drive.ts";

export interface RemovableDrive {
  /** Puts a medium into an empty drive; an error when the drive is not made for it. */
  insert(device: BlockDevice): Result<void>;
  /** Takes the medium out, if there is one; false when the guest has locked it in and it is not `isForced`. */
  eject(isForced: boolean): boolean;
}

/** By the place in `drives`; undefined for disks. */
export function removableDrives(
  drives: readonly Drive[],
  cdroms: readonly CdromUnit[],
  floppyController: Fdc82077aa | undefined,
): readonly (RemovableDrive | undefined)[] {
  const units = [...cdroms];
  let floppies = 0;
  return drives.map(({ medium }) => {
    if (medium === "cdrom") return ofCdrom(units.shift());
    return medium === "floppy" ? ofDiskette(floppyController, floppies++) : undefined;
  });
}

/** A CD-ROM drive as the built-in BIOS sees it. */
export function biosMedium(unit: CdromUnit): BiosMedium {
  return {
    get device() {
      return unit.disc?.device;
    },
    tray: unit,
  };
}

function ofCdrom(unit: CdromUnit | undefined): RemovableDrive | undefined {
  return (
    unit && {
      insert(device) {
        unit.insert(device);
        return ok(undefined);
      },
      eject: (isForced) => unit.eject({ isForced }),
    }
  );
}

/** Nothing holds a diskette back. */
function ofDiskette(controller: Fdc82077aa | undefined, number: number): RemovableDrive | undefined {
  return (
    controller && {
      insert: (device) => controller.insert(number, device),
      eject() {
        controller.eject(number);
        return true;
      },
    }
  );
}
