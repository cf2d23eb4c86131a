/**
 * A kernel that firmware starts: it reads that, its initial RAM disk and its command line from numbered items of the firmware
 * configuration device. OVMF starts it as an application, which a Linux with EFI stub is; U-Boot loads it by its command
 * `qfw`. A bzImage is handed over in two parts, set-up code and the rest, which OVMF joins again.
 *
 * Deliberately missing: where SeaBIOS' option ROM for kernels, which is not ours to give, would load each part.
 */

import { bzImageSetupBytes } from "../boot/index.ts";
import { FW_CFG_ITEM, littleEndian } from "../fw-cfg/index.ts";
import type { FwCfg } from "../fw-cfg/index.ts";

export interface FirmwareKernel {
  readonly image: Uint8Array;
  readonly initrd: Uint8Array | undefined;
  readonly commandLine: string;
}

const EMPTY = new Uint8Array(0);

export function addKernelItems(device: FwCfg, { image, initrd = EMPTY, commandLine }: FirmwareKernel): void {
  // Other applications have no such part.
  const setupBytes = bzImageSetupBytes(image) ?? 0;
  const words = new TextEncoder().encode(`${commandLine}\0`);
  const parts = [
    [FW_CFG_ITEM.setupSize, FW_CFG_ITEM.setupData, image.subarray(0, setupBytes)],
    [FW_CFG_ITEM.kernelSize, FW_CFG_ITEM.kernelData, image.subarray(setupBytes)],
    [FW_CFG_ITEM.initrdSize, FW_CFG_ITEM.initrdData, initrd],
    [FW_CFG_ITEM.commandLineSize, FW_CFG_ITEM.commandLineData, words],
  ] as const;
  for (const [size, data, bytes] of parts) {
    device.addItem(size, littleEndian(bytes.length, 4));
    device.addItem(data, bytes);
  }
}
