/** The network cards that a board is given, each plugged into its network. The modules of a model are loaded when a VM has it. */

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

export type BuildNetworkCard = (card: NetworkCard, place: NetworkCardPlace) => PciFunction;

const LOADERS: Readonly<Record<NetworkCardModel, () => Promise<BuildNetworkCard>>> = {
  async virtio() {
    const [{ VirtioPci }, { VirtioNet }] = await Promise.all([
      import("../../devices/virtio/index.ts"),
      import("../../devices/virtio/net/index.ts"),
    ]);
    return ({ macAddress, link }, place) =>
      new VirtioPci({ ...place, device: new VirtioNet({ ...place, macAddress, link }) });
  },
  async e1000() {
    const { E1000 } = await import("../../devices/e1000/index.ts");
    return ({ macAddress, link }, place) => new E1000({ ...place, macAddress, link });
  },
  async ne2000() {
    const { Rtl8029 } = await import("../../devices/ne2000/index.ts");
    return ({ macAddress, link }, place) => new Rtl8029({ ...place, macAddress, link });
  },
  async rtl8139() {
    const { Rtl8139 } = await import("../../devices/rtl8139/index.ts");
    return ({ macAddress, link }, place) => new Rtl8139({ ...place, macAddress, link });
  },
};

/** What builds a card of each of these models. */
export async function loadNetworkCards(
  models: readonly NetworkCardModel[],
): Promise<ReadonlyMap<NetworkCardModel, BuildNetworkCard>> {
  const entries = models.map(async (model) => [model, await LOADERS[model]()] as const);
  return new Map(await Promise.all(entries));
}
