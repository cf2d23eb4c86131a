/**
 * The slots of the PCI bus for what a VM has besides the chipset: each takes the next free one, in the order of attaching,
 * but the first network card the one that it has on every PC.
 */

import type { TransferBuffers } from "../../block/index.ts";
import { PCI_PIN } from "../../hw/index.ts";
import type { Dma, IrqLine, PciBuses, PciFunction, SendMessage } from "../../hw/index.ts";
import type { PciBus } from "../pci/index.ts";
import type { Drive } from "./drive.ts";
import type { NetworkCard, NetworkCardPlace } from "./network-cards.ts";
import { loaded } from "./optional-parts.ts";
import type { OptionalParts } from "./optional-parts.ts";
import type { NamedVirtioDevice } from "./virtio-devices.ts";

const NETWORK_SLOT = 3;
const FIRST_FREE_SLOT = 4;

/** What every function is given. */
interface Surroundings {
  readonly buses: PciBuses;
  readonly dma: Dma;
  readonly sendMessage: SendMessage;
}

type NetworkCardParts = Pick<NetworkCardPlace, "clock" | "timers" | "offersPacked">;

export class ExpansionSlots {
  readonly #pci: PciBus;
  readonly #parts: OptionalParts;
  readonly #surroundings: Surroundings;
  readonly #functions: PciFunction[] = [];
  readonly #slots = new Map<string, number>();
  #nextSlot = FIRST_FREE_SLOT;

  constructor(pci: PciBus, parts: OptionalParts, surroundings: Surroundings) {
    this.#pci = pci;
    this.#parts = parts;
    this.#surroundings = surroundings;
  }

  /** In the order of attaching. */
  get functions(): readonly PciFunction[] {
    return this.#functions;
  }

  /** PCI device numbers by the functions' names. */
  get slots(): ReadonlyMap<string, number> {
    return this.#slots;
  }

  /** An NVMe controller for each drive on that bus. */
  attachNvme(drives: readonly Drive[], buffers: TransferBuffers): void {
    const disks = drives.filter(({ bus }) => bus === "nvme");
    for (const [index, { device, serialNumber }] of disks.entries()) {
      this.#attach(
        (pin) =>
          new (loaded(this.#parts.nvme).NvmeController)({
            ...this.#surroundings,
            ...{ buffers, serialNumber, pin },
            name: `nvme${index}`,
            disk: device,
          }),
      );
    }
  }

  attachVirtio(devices: readonly NamedVirtioDevice[], offersPacked: boolean): void {
    for (const named of devices) {
      const { VirtioPci } = loaded(this.#parts.virtio);
      this.#attach((pin) => new VirtioPci({ ...this.#surroundings, ...named, pin, offersPacked }));
    }
  }

  attachNetworkCards(cards: readonly NetworkCard[], parts: NetworkCardParts): void {
    for (const [index, card] of cards.entries()) {
      const name = `net${index}`;
      const model = loaded(this.#parts.cards.get(card.model));
      const build = (pin: IrqLine) => model(card, { ...this.#surroundings, ...parts, name, pin });
      this.#attach(build, index === 0 ? NETWORK_SLOT : undefined);
    }
  }

  #attach(build: (pin: IrqLine) => PciFunction, slot = this.#nextSlot++): void {
    const pciFunction = build(this.#pci.interruptLine(slot, PCI_PIN.inta));
    this.#functions.push(pciFunction);
    this.#slots.set(pciFunction.name, slot);
    this.#pci.attach(slot, 0, pciFunction);
  }
}
