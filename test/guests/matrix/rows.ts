/** All rows of the guest matrix. */

import type { GuestRow } from "./row.ts";
import { DEBIAN_ROWS } from "./rows-debian.ts";
import { FIRMWARE_ROWS } from "./rows-firmware.ts";
import { KERNEL_ROWS } from "./rows-kernels.ts";
import { LINUX_ROWS } from "./rows-linux.ts";
import { LOADER_ROWS } from "./rows-loaders.ts";
import { NETWORK_ROWS } from "./rows-networks.ts";

export const GUEST_ROWS: readonly GuestRow[] = [
  ...LINUX_ROWS,
  ...DEBIAN_ROWS,
  ...KERNEL_ROWS,
  ...LOADER_ROWS,
  ...FIRMWARE_ROWS,
  ...NETWORK_ROWS,
];
