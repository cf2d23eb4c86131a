/** The NVMe controllers of a board's drives: one for each, in a PCI slot of its own. */

import type { TransferBuffers } from "../../block/index.ts";
import { NvmeController } from "../../devices/index.ts";
import { PCI_PIN } from "../../hw/index.ts";
import type { Dma, PciBuses, PciFunction, SendMessage } from "../../hw/index.ts";
import type { PciBus } from "../pci/index.ts";
import type { Drive } from "./drive.ts";

export interface ControllerSurroundings {
  readonly pci: PciBus;
  readonly buses: PciBuses;
  readonly dma: Dma;
  readonly buffers: TransferBuffers;
  readonly sendMessage: SendMessage;
}

/** Builds and attaches them in the order of the drives, from `firstSlot` on. */
export function attachNvme(
  drives: readonly Drive[],
  firstSlot: number,
  { pci, ...surroundings }: ControllerSurroundings,
): readonly PciFunction[] {
  const disks = drives.filter(({ bus }) => bus === "nvme");
  return disks.map(({ device, serialNumber }, index) => {
    const slot = firstSlot + index;
    const controller = new NvmeController({
      ...surroundings,
      name: `nvme${index}`,
      disk: device,
      serialNumber,
      pin: pci.interruptLine(slot, PCI_PIN.inta),
    });
    pci.attach(slot, 0, controller);
    return controller;
  });
}
