/**
 * What a guest may reach. Guests are not trusted: unless the user says otherwise, nothing that runs on the host itself is
 * theirs, neither by its loopback nor by its other addresses, nor is what answers on the host's link only (169.254.0.0/16, where
 * clouds keep the credentials of their machines).
 */

import type { HostEnd } from "../host-sockets.ts";
import { isInNetwork } from "../wire/addresses.ts";
import { GATEWAY_ADDRESS, isOnNetwork, LOOPBACK_ADDRESS } from "./addresses.ts";

export interface ReachSettings {
  /** Whether the guest reaches the host: its loopback by the gateway's address, and its own addresses. */
  readonly allowsHost: boolean;
  /** Nothing outside the guest's network is reached, but the host where that is allowed, and by forwarded ports. */
  readonly isRestricted: boolean;
}

export class Reach {
  readonly #settings: ReachSettings;
  readonly #isOwnAddress: (address: number) => boolean;

  constructor(settings: ReachSettings, isOwnAddress: (address: number) => boolean) {
    this.#settings = settings;
    this.#isOwnAddress = isOwnAddress;
  }

  get isRestricted(): boolean {
    return this.#settings.isRestricted;
  }

  /** Where the host finds what the guest calls `address`; undefined where it may not go. */
  hostEndOf(address: number, port: number): HostEnd | undefined {
    const { allowsHost, isRestricted } = this.#settings;
    // Nobody is at port 0, and sockets of the host do not take it.
    if (port === 0) return undefined;
    if (address === GATEWAY_ADDRESS) return allowsHost ? { address: LOOPBACK_ADDRESS, port } : undefined;
    if (isOnNetwork(address) || !isUnicast(address)) return undefined;
    const isHostOnly = isInNetwork(address, LINK_LOCAL, LINK_LOCAL_BITS) || this.#isOwnAddress(address);
    if (isHostOnly) return allowsHost ? { address, port } : undefined;
    return isRestricted ? undefined : { address, port };
  }
}

/** 169.254.0.0/16. */
const LINK_LOCAL = 0xa9fe0000;
const LINK_LOCAL_BITS = 16;
/** Networks 0 ("this network") and 127 (loopback) are never on a wire, and from 224 on there are no single hosts. */
function isUnicast(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}
