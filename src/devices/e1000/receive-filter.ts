/** Which frames the card takes (the manual's section 3.2.1): VLANs, exact addresses, the multicast table. */

import { isBroadcast, isGroup } from "../ethernet/addresses.ts";
import { RCTL } from "./registers.ts";
import type { E1000Values } from "./registers.ts";
import type { WordTables } from "./word-tables.ts";

export const VERDICT = { rejected: 0, accepted: 1, acceptedInexactly: 2 } as const;
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT];

const ADDRESSES = 16;
const ADDRESS_VALID = 0x8000_0000;
/** Where the twelve bits that name a bit of the multicast table begin in an address's last two bytes. */
const MULTICAST_SHIFTS = [4, 3, 2, 0] as const;
const TAG_CFI = 0x1000;

/** `vlan` is the frame's tag, if it has one. */
export function filterFrame(
  frame: Uint8Array,
  vlan: number | undefined,
  values: E1000Values,
  { words }: WordTables,
): Verdict {
  const { rctl } = values;
  if (vlan !== undefined && (rctl & RCTL.vlanFilter) !== 0) {
    if (!hasBit(words.vlanFilter, vlan & 0xfff)) return VERDICT.rejected;
    const cfi = (vlan & TAG_CFI) !== 0;
    const wanted = (rctl & RCTL.canonicalFormValue) !== 0;
    if ((rctl & RCTL.canonicalFormEnable) !== 0 && cfi !== wanted) return VERDICT.rejected;
  }
  const promiscuous = isGroup(frame) ? RCTL.multicastPromiscuous : RCTL.unicastPromiscuous;
  if ((rctl & promiscuous) !== 0) return VERDICT.accepted;
  if ((rctl & RCTL.broadcastAccept) !== 0 && isBroadcast(frame)) return VERDICT.accepted;
  if (hasAddress(frame, words.receiveAddresses)) return VERDICT.accepted;
  if (!isGroup(frame)) return VERDICT.rejected;
  const shift = MULTICAST_SHIFTS[(rctl >>> RCTL.multicastOffset.shift) & RCTL.multicastOffset.mask] ?? 0;
  const hash = ((((frame[5] ?? 0) << 8) | (frame[4] ?? 0)) >>> shift) & 0xfff;
  return hasBit(words.multicast, hash) ? VERDICT.acceptedInexactly : VERDICT.rejected;
}

function hasBit(words: Uint32Array, bit: number): boolean {
  return (((words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) !== 0;
}

function hasAddress(frame: Uint8Array, words: Uint32Array): boolean {
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0] = frame;
  const low = (b0 | (b1 << 8) | (b2 << 16) | (b3 << 24)) >>> 0;
  const high = b4 | (b5 << 8);
  for (let index = 0; index < ADDRESSES; index++) {
    const upper = words[2 * index + 1] ?? 0;
    if ((upper & ADDRESS_VALID) !== 0 && words[2 * index] === low && (upper & 0xffff) === high) return true;
  }
  return false;
}
