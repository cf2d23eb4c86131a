/**
 * The places of IDE drives: hard disks from the primary channel's first drive on, as they are given, CD-ROM drives from the
 * secondary channel's on, so that a disk added later moves neither.
 */

import { assert } from "../../base/index.ts";
import { IDE_DRIVES_MAX } from "../../devices/ide/index.ts";
import type { Drive } from "./drive.ts";

/** What there is with an IDE plug. */
export type IdeMedium = Exclude<Drive["medium"], "floppy">;

/** The order in which each kind takes places: primary 0 and 1, secondary 0 and 1. */
export const IDE_PLACES: Readonly<Record<IdeMedium, readonly number[]>> = {
  disk: [0, 1, 2, 3],
  cdrom: [2, 3, 1, 0],
};

/** Which drive is at which place of the IDE bus: of the first channel, then of the second. */
export function idePlaces(drives: readonly Drive[]): (Drive | undefined)[] {
  const places: (Drive | undefined)[] = Array.from({ length: IDE_DRIVES_MAX }, () => undefined);
  const ide = drives.filter(({ bus }) => bus === "ide");
  // Disks first: they do not give way.
  for (const medium of ["disk", "cdrom"] as const) {
    for (const drive of ide.filter((candidate) => candidate.medium === medium)) {
      const place = IDE_PLACES[medium].find((candidate) => places[candidate] === undefined);
      assert(place !== undefined, "IDE has four places");
      places[place] = drive;
    }
  }
  return places;
}
