/** The virtio devices that a board is given: disks on the virtio bus, and others by their names. */

import type { TransferBuffers } from "../../block/index.ts";
import { VirtioBlk } from "../../devices/index.ts";
import type { VirtioDevice } from "../../devices/index.ts";
import type { Drive } from "./drive.ts";

/** Devices that there is one of or none. */
export const VIRTIO_DEVICES = ["virtio-rng", "virtio-console"] as const;
export type VirtioDeviceName = (typeof VIRTIO_DEVICES)[number];

export interface VirtioDevicesParts {
  readonly drives: readonly Drive[];
  readonly buffers: TransferBuffers;
  /** Those that there are. */
  readonly others: Readonly<Record<VirtioDeviceName, VirtioDevice | undefined>>;
}

export interface NamedVirtioDevice {
  readonly name: string;
  readonly device: VirtioDevice;
}

/** In the order of their PCI device numbers: which disk is the first does not depend on what else there is. */
export function virtioDevices(parts: VirtioDevicesParts): NamedVirtioDevice[] {
  const { drives, buffers, others } = parts;
  const disks = drives
    .filter(({ bus }) => bus === "virtio")
    .map(({ device, serialNumber }, index) => ({
      name: `virtio-blk${index}`,
      device: new VirtioBlk({ disk: device, buffers, serial: serialNumber }),
    }));
  const named = VIRTIO_DEVICES.flatMap((name) => {
    const device = others[name];
    return device === undefined ? [] : [{ name, device }];
  });
  return [...disks, ...named];
}
