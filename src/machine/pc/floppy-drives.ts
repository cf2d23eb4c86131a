/** The diskette drives of a board: one for each drive on the bus "floppy", of the type that was made for its diskette. */

import { unwrap } from "../../base/index.ts";
import { FloppyDrive } from "../../devices/index.ts";
import type { Drive } from "./drive.ts";

/** By drive number. Who opens images has checked that they are diskettes'. */
export function floppyDrives(drives: readonly Drive[]): FloppyDrive[] {
  return drives
    .filter(({ bus }) => bus === "floppy")
    .map(({ device }) => unwrap(FloppyDrive.forMedium(device)));
}
