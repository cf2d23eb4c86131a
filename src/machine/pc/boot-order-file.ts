/**
 * The firmware configuration device's file "bootorder": the drives in the order in which firmware that a user brings looks for a
 * system on them, by Open Firmware device paths, a line for each, as SeaBIOS and OVMF compare them with what they have found.
 *
 * Deliberately missing: network cards, which no setting orders.
 */

import { BOOT_ORDER } from "../firmware/boot-order.ts";
import type { BootSource } from "../firmware/boot-order.ts";
import type { Drive } from "./drive.ts";
import { idePlaces } from "./ide-places.ts";

const PCI_ROOT = "/pci@i0cf8";
const ISA_BRIDGE = "isa@1";
const IDE_FUNCTION = "ide@1,1";
/** SeaBIOS tries nothing behind this line; to OVMF it is no path, and ends its list. */
const NOTHING_ELSE = "HALT";

/** `slots` are PCI device numbers by the names of functions. */
export function bootOrderFile(
  drives: readonly Drive[],
  order: readonly BootSource[],
  slots: ReadonlyMap<string, number>,
): Uint8Array {
  const paths = new Map<Drive, string>([
    ...onBus(drives, "floppy", (index) => `${ISA_BRIDGE}/fdc@03f0/floppy@${index}`),
    ...onBus(drives, "nvme", (index) => `pci8086,5845@${slotOf(slots, `nvme${index}`)}/namespace@1,0`),
    ...onBus(drives, "virtio", (index) => `scsi@${slotOf(slots, `virtio-blk${index}`)}/disk@0,0`),
    ...idePlaces(drives).flatMap((drive, place): (readonly [Drive, string])[] =>
      drive === undefined ? [] : [[drive, `${IDE_FUNCTION}/drive@${place >> 1}/disk@${place & 1}`]],
    ),
  ]);
  const lines = order.flatMap((source) =>
    drives.filter(({ medium }) => medium === source).map((drive) => `${PCI_ROOT}/${paths.get(drive) ?? ""}`),
  );
  const isComplete = order.length === BOOT_ORDER.length;
  return new TextEncoder().encode(`${[...lines, ...(isComplete ? [] : [NOTHING_ELSE])].join("\n")}\0`);
}

function onBus(
  drives: readonly Drive[],
  bus: Drive["bus"],
  path: (index: number) => string,
): (readonly [Drive, string])[] {
  return drives.filter((drive) => drive.bus === bus).map((drive, index) => [drive, path(index)]);
}

/** In hexadecimal, as all of a path's numbers. */
const slotOf = (slots: ReadonlyMap<string, number>, name: string): string =>
  (slots.get(name) ?? 0).toString(16);
