/** The virtio devices that a board is given: disks on the virtio bus, and others by their names. */

import type { TransferBuffers } from "../../block/index.ts";
import { VirtioBlk, VirtioRng } from "../../devices/index.ts";
import type { VirtioDevice } from "../../devices/index.ts";
import type { Drive } from "./drive.ts";

/** Devices that there is one of or none. */
export const VIRTIO_DEVICES = ["virtio-rng"] as const;
export type VirtioDeviceName = (typeof VIRTIO_DEVICES)[number];

export interface VirtioDevicesParts {
  readonly drives: readonly Drive[];
  readonly buffers: TransferBuffers;
  readonly names: readonly VirtioDeviceName[];
  readonly entropy: (byteCount: number) => Uint8Array;
}

/** In the order of their PCI device numbers: which disk is the first does not depend on what else there is. */
export function virtioDevices(parts: VirtioDevicesParts): { name: string; device: VirtioDevice }[] {
  const { drives, buffers, names, entropy } = parts;
  const disks = drives
    .filter(({ bus }) => bus === "virtio")
    .map(({ device, serialNumber }, index) => ({
      name: `virtio-blk${index}`,
      device: new VirtioBlk({ disk: device, buffers, serial: serialNumber }),
    }));
  const others = VIRTIO_DEVICES.filter((name) => names.includes(name)).map((name) => ({
    name,
    device: deviceOf[name](entropy),
  }));
  return [...disks, ...others];
}

const deviceOf: Readonly<
  Record<VirtioDeviceName, (entropy: (byteCount: number) => Uint8Array) => VirtioDevice>
> = {
  "virtio-rng": (entropy) => new VirtioRng(entropy),
};
