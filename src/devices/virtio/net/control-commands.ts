/** The control queue's commands (Virtual I/O Device 1.2, section 5.1.6.5), for what the driver has negotiated. */

import { MAC_ADDRESS_BYTES } from "../../../net/index.ts";
import { NET_FEATURE } from "./net-config.ts";
import { RECEIVE_MODES, TABLE_ADDRESSES_MAX } from "./receive-filter.ts";
import type { ReceiveFilter } from "./receive-filter.ts";

/** Class and command are before the data. */
export const CONTROL_HEADER_BYTES = 2;
/**
 * The longest command with an effect: both tables of addresses, some of which are too many to be kept. Of one that is longer
 * the rest is not looked at.
 */
export const CONTROL_BYTES_MAX = 64 * 1024;
export const CONTROL_ANSWER = { ok: 0, error: 1 } as const;

const CLASS = { receive: 0, mac: 1, vlan: 2, announce: 3 } as const;
const MAC_COMMAND = { tableSet: 0, addressSet: 1 } as const;
const VLAN_COMMAND = { add: 0, delete: 1 } as const;
const ANNOUNCE_COMMAND = { acknowledge: 0 } as const;
/** Modes from here on are of VIRTIO_NET_F_CTRL_RX_EXTRA. */
const FIRST_EXTRA_MODE = 2;

export interface ControlledCard {
  readonly filter: ReceiveFilter;
  hasFeature(bit: number): boolean;
  setMacAddress(address: Uint8Array): void;
  announced(): void;
}

/** Whether the command, from its class on, is known and right; it has had its effect then, and otherwise none. */
export function runControlCommand(card: ControlledCard, bytes: Uint8Array): boolean {
  const [kind = 0xff, command = 0xff] = bytes;
  const data = bytes.subarray(CONTROL_HEADER_BYTES);
  switch (kind) {
    case CLASS.receive:
      return setReceiveMode(card, command, data);
    case CLASS.mac:
      return runMacCommand(card, command, data);
    case CLASS.vlan:
      return runVlanCommand(card, command, data);
    case CLASS.announce:
      if (!card.hasFeature(NET_FEATURE.guestAnnounce) || command !== ANNOUNCE_COMMAND.acknowledge)
        return false;
      card.announced();
      return true;
    default:
      return false;
  }
}

function setReceiveMode(card: ControlledCard, command: number, data: Uint8Array): boolean {
  const mode = RECEIVE_MODES[command];
  const [isOn] = data;
  const feature = command < FIRST_EXTRA_MODE ? NET_FEATURE.controlReceive : NET_FEATURE.controlReceiveExtra;
  if (mode === undefined || isOn === undefined || !card.hasFeature(feature)) return false;
  card.filter.setMode(mode, isOn !== 0);
  return true;
}

function runMacCommand(card: ControlledCard, command: number, data: Uint8Array): boolean {
  if (command === MAC_COMMAND.addressSet) {
    if (!card.hasFeature(NET_FEATURE.controlMacAddress) || data.length < MAC_ADDRESS_BYTES) return false;
    card.setMacAddress(data.subarray(0, MAC_ADDRESS_BYTES));
    return true;
  }
  if (command !== MAC_COMMAND.tableSet || !card.hasFeature(NET_FEATURE.controlReceive)) return false;
  const unicast = readTable(data, 0);
  const multicast = unicast && readTable(data, unicast.end);
  if (multicast === undefined) return false;
  card.filter.unicast.set(unicast?.addresses);
  card.filter.multicast.set(multicast.addresses);
  return true;
}

/** A count of 32 bits and so many addresses, which are left out where they are too many; undefined if they are not all there. */
function readTable(
  data: Uint8Array,
  start: number,
): { readonly addresses: Uint8Array | undefined; readonly end: number } | undefined {
  const first = start + 4;
  if (data.length < first) return undefined;
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = data.subarray(start, first);
  const count = (b0 | (b1 << 8) | (b2 << 16) | (b3 << 24)) >>> 0;
  const end = first + count * MAC_ADDRESS_BYTES;
  if (data.length < end) return undefined;
  return { addresses: count > TABLE_ADDRESSES_MAX ? undefined : data.subarray(first, end), end };
}

function runVlanCommand(card: ControlledCard, command: number, data: Uint8Array): boolean {
  const [low, high] = data;
  if (!card.hasFeature(NET_FEATURE.controlVlan) || low === undefined || high === undefined) return false;
  if (command !== VLAN_COMMAND.add && command !== VLAN_COMMAND.delete) return false;
  return card.filter.setVlan(low | (high << 8), command === VLAN_COMMAND.add);
}
