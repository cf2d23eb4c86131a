/** Ethernet addresses as frames begin with them: whose frame it is. */

import { MAC_ADDRESS_BYTES } from "../../net/index.ts";

/** Whether a frame is for the address at `at` in a table of them. */
export function isFor(frame: Uint8Array, addresses: Uint8Array, at = 0): boolean {
  for (let index = 0; index < MAC_ADDRESS_BYTES; index++) {
    if (frame[index] !== addresses[at + index]) return false;
  }
  return true;
}

/** Multicast, and broadcast among it. */
export function isGroup(frame: Uint8Array): boolean {
  return ((frame[0] ?? 0) & 1) !== 0;
}

export function isBroadcast(frame: Uint8Array): boolean {
  for (let index = 0; index < MAC_ADDRESS_BYTES; index++) if (frame[index] !== 0xff) return false;
  return true;
}
