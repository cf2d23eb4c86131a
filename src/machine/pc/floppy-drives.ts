/** The diskette controller of a board, with a drive for each drive on the bus "floppy", of the type that was made for its diskette. */

import { unwrap } from "../../base/index.ts";
import { Fdc82077aa, FDC_PORTS, FloppyDrive } from "../../devices/floppy/index.ts";
import type { Fdc82077aaConfig } from "../../devices/floppy/index.ts";
import { asPorts } from "../../hw/index.ts";
import type { PortBus } from "../../hw/index.ts";
import type { Drive } from "./drive.ts";

/** By drive number. Who opens images has checked that they are diskettes'. */
export function floppyDrives(drives: readonly Drive[]): FloppyDrive[] {
  return drives
    .filter(({ bus }) => bus === "floppy")
    .map(({ device }) => unwrap(FloppyDrive.forMedium(device)));
}

/** At its ports. */
export function attachFloppyController(ports: PortBus, ioBase: number, config: Fdc82077aaConfig): Fdc82077aa {
  const controller = new Fdc82077aa(config);
  for (const { at, lengthBytes } of [FDC_PORTS.first, FDC_PORTS.second]) {
    ports.claim(controller.name, ioBase + at, lengthBytes, asPorts(controller.registers, at));
  }
  return controller;
}
