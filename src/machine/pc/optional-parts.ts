/**
 * The parts that a PC has only when its VM asks for them. Their modules are loaded before the board is built, and no others:
 * a device that this folder learns to attach costs the VMs without it neither time nor memory.
 */

import { defined } from "../../base/index.ts";
import type { DriveBus } from "./drive.ts";
import { loadNetworkCards } from "./network-cards.ts";
import type { NetworkCardModel } from "./network-cards.ts";
import type { VirtioDeviceName } from "./virtio-devices.ts";

/** What a board is going to have, in as far as that decides what it is made of. */
export interface BoardEquipment {
  readonly driveBuses: readonly DriveBus[];
  readonly virtioDevices: readonly VirtioDeviceName[];
  readonly networkCards: readonly NetworkCardModel[];
  readonly hasShares: boolean;
  readonly hasWatchdog: boolean;
  readonly hasBios: boolean;
  /** Of the user's own, in the place of the built-in BIOS. */
  readonly hasFirmware: boolean;
}

export type OptionalParts = Awaited<ReturnType<typeof loadOptionalParts>>;

export async function loadOptionalParts(equipment: BoardEquipment) {
  const { driveBuses, virtioDevices, networkCards, hasShares, hasWatchdog } = equipment;
  const hasBus = (bus: DriveBus): boolean => driveBuses.includes(bus);
  const hasVirtio = (name: VirtioDeviceName): boolean => virtioDevices.includes(name);
  const isVirtio = hasBus("virtio") || virtioDevices.length > 0 || hasShares;
  const [bios, firmware, floppy, ide, nvme, virtio, blk, rng, console, balloon, p9, watchdog, cards] =
    await Promise.all([
      when(equipment.hasBios, () => import("../firmware/index.ts")),
      when(equipment.hasFirmware, () => import("./brought-firmware.ts")),
      when(hasBus("floppy"), () => import("./floppy-drives.ts")),
      when(hasBus("ide"), () => import("./ide-drives.ts")),
      when(hasBus("nvme"), () => import("../../devices/nvme/index.ts")),
      when(isVirtio, () => import("../../devices/virtio/index.ts")),
      when(hasBus("virtio"), () => import("../../devices/virtio/blk/index.ts")),
      when(hasVirtio("virtio-rng"), () => import("../../devices/virtio/rng/index.ts")),
      when(hasVirtio("virtio-console"), () => import("../../devices/virtio/console/index.ts")),
      when(hasVirtio("virtio-balloon"), () => import("../../devices/virtio/balloon/index.ts")),
      when(hasShares, () => import("../../devices/virtio/p9/index.ts")),
      when(hasWatchdog, () => import("./watchdog.ts")),
      loadNetworkCards(networkCards),
    ]);
  return { bios, firmware, floppy, ide, nvme, virtio, blk, rng, console, balloon, p9, watchdog, cards };
}

/** A part that the board's configuration asks for. */
export function loaded<Part>(part: Part | undefined): Part {
  return defined(part, "a board is configured for the equipment that was announced");
}

async function when<Part>(isWanted: boolean, load: () => Promise<Part>): Promise<Part | undefined> {
  return isWanted ? await load() : undefined;
}
