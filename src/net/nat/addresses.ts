/** The addresses of a guest's network behind NAT, as users of other hypervisors know them. */

import { isInNetwork } from "../wire/addresses.ts";

/** 10.0.2.0/24. */
export const NETWORK = 0x0a000200;
export const NETWORK_PREFIX_BITS = 24;
export const NETWORK_MASK = 0xffffff00;
export const NETWORK_BROADCAST = NETWORK | 0xff;
/** 10.0.2.2: the gateway, and the host for guests that may reach it. */
export const GATEWAY_ADDRESS = NETWORK | 2;
/** 10.0.2.3. */
export const DNS_ADDRESS = NETWORK | 3;
/** 10.0.2.15: what the guest is given. */
export const GUEST_ADDRESS = NETWORK | 15;
export const LIMITED_BROADCAST = 0xffffffff;
export const LOOPBACK_ADDRESS = 0x7f000001;

/** 52:55:0a:00:02:xx, locally administered, with the IPv4 address in them. */
export const macOf = (address: number): number => 0x5255 * 2 ** 32 + address;

export const isOnNetwork = (address: number): boolean => isInNetwork(address, NETWORK, NETWORK_PREFIX_BITS);

/** Whose packets are taken: a station on the network that is not one of ours. */
export function isGuestAddress(address: number): boolean {
  const isOurs = address === GATEWAY_ADDRESS || address === DNS_ADDRESS;
  return isOnNetwork(address) && !isOurs && address !== NETWORK && address !== NETWORK_BROADCAST;
}
