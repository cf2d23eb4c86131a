/**
 * Which frames the driver wants: receive modes, tables of addresses, and VLANs (Virtual I/O Device 1.2, sections 5.1.6.5.1
 * to 5.1.6.5.3). Until a driver says something else all of them: one without the control queue could not.
 */

import type { DeviceState, StateReader } from "../../../hw/index.ts";
import { MAC_ADDRESS_BYTES } from "../../../net/index.ts";
import { isBroadcast, isFor, isGroup } from "../../ethernet/addresses.ts";

/** Addresses of each table; with more, everything of the table's kind is received. */
export const TABLE_ADDRESSES_MAX = 64;
const VLANS = 4096;
const VLAN_WORDS = VLANS / 32;
const TAG_TYPE = 0x8100;
const TAG_BYTES = 4;
const TYPE_OFFSET = 12;

/** By their commands' numbers. */
export const RECEIVE_MODES = [
  "promiscuous",
  "allMulticast",
  "allUnicast",
  "noMulticast",
  "noUnicast",
  "noBroadcast",
] as const;
export type ReceiveMode = (typeof RECEIVE_MODES)[number];

/** Addresses one behind the other. */
class AddressTable {
  #addresses = new Uint8Array(0);
  #hasOverflowed = false;

  /** `addresses` is copied; undefined means that there are more than fit. */
  set(addresses: Uint8Array | undefined): void {
    this.#addresses = addresses?.slice() ?? new Uint8Array(0);
    this.#hasOverflowed = addresses === undefined;
  }

  has(frame: Uint8Array): boolean {
    if (this.#hasOverflowed) return true;
    for (let at = 0; at < this.#addresses.length; at += MAC_ADDRESS_BYTES) {
      if (isFor(frame, this.#addresses, at)) return true;
    }
    return false;
  }

  save(): DeviceState {
    return { addresses: this.#addresses.slice(), hasOverflowed: this.#hasOverflowed };
  }

  restore(reader: StateReader): void {
    const addresses = reader.bytes("addresses", TABLE_ADDRESSES_MAX * MAC_ADDRESS_BYTES);
    this.set(reader.boolean("hasOverflowed") ? undefined : addresses);
  }
}

export class ReceiveFilter {
  readonly unicast = new AddressTable();
  readonly multicast = new AddressTable();
  readonly #modes: Record<ReceiveMode, boolean>;
  readonly #vlans = new Uint32Array(VLAN_WORDS);

  constructor() {
    this.#modes = {
      promiscuous: true,
      allMulticast: false,
      allUnicast: false,
      noMulticast: false,
      noUnicast: false,
      noBroadcast: false,
    };
  }

  setMode(mode: ReceiveMode, isOn: boolean): void {
    this.#modes[mode] = isOn;
  }

  /** False: there is no such VLAN. */
  setVlan(id: number, isReceived: boolean): boolean {
    if (id >= VLANS) return false;
    const word = this.#vlans[id >>> 5] ?? 0;
    const bit = 1 << (id & 31);
    this.#vlans[id >>> 5] = isReceived ? word | bit : word & ~bit;
    return true;
  }

  /** Whether a frame is for a card of the address `own`, which may filter by VLAN. */
  accepts(frame: Uint8Array, own: Uint8Array, filtersVlans: boolean): boolean {
    const modes = this.#modes;
    if (modes.promiscuous) return true;
    if (filtersVlans && !this.#acceptsVlan(frame)) return false;
    if (isBroadcast(frame)) return !modes.noBroadcast;
    if (isGroup(frame)) {
      return !modes.noMulticast && (modes.allMulticast || this.multicast.has(frame));
    }
    if (modes.noUnicast) return false;
    return modes.allUnicast || isFor(frame, own) || this.unicast.has(frame);
  }

  reset(): void {
    for (const mode of RECEIVE_MODES) this.#modes[mode] = mode === "promiscuous";
    this.unicast.set(new Uint8Array(0));
    this.multicast.set(new Uint8Array(0));
    this.#vlans.fill(0);
  }

  save(): DeviceState {
    return {
      modes: { ...this.#modes },
      unicast: this.unicast.save(),
      multicast: this.multicast.save(),
      vlans: [...this.#vlans],
    };
  }

  restore(reader: StateReader): void {
    const modes = reader.child("modes");
    for (const mode of RECEIVE_MODES) this.#modes[mode] = modes.boolean(mode);
    this.unicast.restore(reader.child("unicast"));
    this.multicast.restore(reader.child("multicast"));
    this.#vlans.fill(0);
    this.#vlans.set(reader.integers("vlans", VLAN_WORDS, 0xffffffff));
  }

  /** Frames without a tag belong to no VLAN. */
  #acceptsVlan(frame: Uint8Array): boolean {
    const type = ((frame[TYPE_OFFSET] ?? 0) << 8) | (frame[TYPE_OFFSET + 1] ?? 0);
    if (type !== TAG_TYPE || frame.length < TYPE_OFFSET + TAG_BYTES) return true;
    const id = (((frame[TYPE_OFFSET + 2] ?? 0) & 0x0f) << 8) | (frame[TYPE_OFFSET + 3] ?? 0);
    return (((this.#vlans[id >>> 5] ?? 0) >>> (id & 31)) & 1) !== 0;
  }
}
