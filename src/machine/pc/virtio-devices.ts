/** The virtio devices that a board is given: disks on the virtio bus, others by their names, and shared folders. */

import type { TransferBuffers } from "../../block/index.ts";
import type { VirtioDevice } from "../../devices/virtio/index.ts";
import type { Virtio9pConfig } from "../../devices/virtio/p9/index.ts";
import type { SharedFolder } from "../../share/index.ts";
import type { Drive } from "./drive.ts";
import { loaded } from "./optional-parts.ts";
import type { OptionalParts } from "./optional-parts.ts";

/** Devices that there is one of or none. */
export const VIRTIO_DEVICES = ["virtio-rng", "virtio-console", "virtio-balloon"] as const;
export type VirtioDeviceName = (typeof VIRTIO_DEVICES)[number];

/** A folder of the host for the guest. */
export interface Share {
  /** Up to MOUNT_TAG_BYTES_MAX ASCII characters, different for each of a VM. */
  readonly mountTag: string;
  /** It outlives resets, and its owner closes it. */
  readonly folder: SharedFolder;
}

/** Shared folders of one VM. */
export const SHARES_MAX = 8;

export interface SharesConfig {
  readonly shares: readonly Share[];
  /** Told of every request of the host that begins and ends. */
  readonly requests: Virtio9pConfig["requests"];
}

export interface VirtioDevicesConfig {
  readonly drives: readonly Drive[];
  readonly buffers: TransferBuffers;
  /** Those that there are. */
  readonly others: Readonly<Record<VirtioDeviceName, VirtioDevice | undefined>>;
  readonly sharing: SharesConfig | undefined;
}

export interface NamedVirtioDevice {
  readonly name: string;
  readonly device: VirtioDevice;
}

/** In the order of their PCI device numbers: which disk is the first does not depend on what else there is. */
export function virtioDevices(parts: OptionalParts, config: VirtioDevicesConfig): NamedVirtioDevice[] {
  const { drives, buffers, others, sharing } = config;
  const disks = drives
    .filter(({ bus }) => bus === "virtio")
    .map(({ device, serialNumber }, index) => ({
      name: `virtio-blk${index}`,
      device: new (loaded(parts.blk).VirtioBlk)({ disk: device, buffers, serial: serialNumber }),
    }));
  const named = VIRTIO_DEVICES.flatMap((name) => {
    const device = others[name];
    return device === undefined ? [] : [{ name, device }];
  });
  return [...disks, ...named, ...(sharing === undefined ? [] : sharedFolders(parts, sharing))];
}

function sharedFolders(parts: OptionalParts, { shares, requests }: SharesConfig): NamedVirtioDevice[] {
  return shares.map(({ mountTag, folder }, index) => ({
    name: `virtio-9p${index}`,
    device: new (loaded(parts.p9).Virtio9p)({
      mountTag: new TextEncoder().encode(mountTag),
      ...{ folder, requests },
    }),
  }));
}
