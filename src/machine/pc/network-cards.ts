/** The network cards that a board is given, each plugged into its network. */

import { E1000, Rtl8029, Rtl8139, VirtioNet, VirtioPci } from "../../devices/index.ts";
import type { Clock, Dma, IrqLine, PciBuses, PciFunction, SendMessage, Timers } from "../../hw/index.ts";
import type { NetworkLink } from "../../net/index.ts";

/** Those that boards can be given, the default first. */
export const NETWORK_CARD_MODELS = ["virtio", "e1000", "ne2000", "rtl8139"] as const;
export type NetworkCardModel = (typeof NETWORK_CARD_MODELS)[number];

export interface NetworkCard {
  readonly model: NetworkCardModel;
  /** MAC_ADDRESS_BYTES of a single station's address. */
  readonly macAddress: Uint8Array;
  /** It outlives resets, and its owner closes it. */
  readonly link: NetworkLink;
}

/** Cards of one VM. */
export const NETWORK_CARDS_MAX = 4;

export interface NetworkCardPlace {
  readonly name: string;
  readonly buses: PciBuses;
  readonly dma: Dma;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly sendMessage: SendMessage;
  readonly pin: IrqLine;
  /** Whether drivers of virtio cards are offered packed rings. */
  readonly offersPacked: boolean;
}

export function networkCard({ model, macAddress, link }: NetworkCard, place: NetworkCardPlace): PciFunction {
  switch (model) {
    case "virtio":
      return new VirtioPci({ ...place, device: new VirtioNet({ macAddress, link }) });
    case "e1000":
      return new E1000({ ...place, macAddress, link });
    case "ne2000":
      return new Rtl8029({ ...place, macAddress, link });
    case "rtl8139":
      return new Rtl8139({ ...place, macAddress, link });
  }
}
