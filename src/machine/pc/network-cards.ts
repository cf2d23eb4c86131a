/** The network cards that a board is given, each plugged into its network. */

import type { NetworkLink } from "../../net/index.ts";

export type NetworkCardModel = "virtio" | "e1000" | "ne2000" | "rtl8139";

export interface NetworkCard {
  readonly model: NetworkCardModel;
  /** MAC_ADDRESS_BYTES of a single station's address. */
  readonly macAddress: Uint8Array;
  /** It outlives resets, and its owner closes it. */
  readonly link: NetworkLink;
}

/** Cards of one VM. */
export const NETWORK_CARDS_MAX = 4;
/** Those that boards can be given, the default first. */
export const NETWORK_CARD_MODELS: readonly NetworkCardModel[] = ["virtio"];
