/**
 * The guest's side of the NAT's Ethernet: packets for the guest get their headers here, in one buffer that is used for each,
 * and wait here in bounded number while the guest's card has no room.
 */

import {
  ETHERNET_HEADER_BYTES,
  ETHERNET_MTU_BYTES,
  FRAME_BYTES_MIN,
  LARGE_FRAME_BYTES_MAX,
} from "../network-link.ts";
import type { FrameReceiver, ReceiveOffload } from "../network-link.ts";
import { BROADCAST_MAC, ETHER_TYPE, writeEthernet } from "../wire/ethernet.ts";
import { FRAGMENT_UNIT_BYTES, IPV4_HEADER_BYTES, TTL_DEFAULT, writeIpv4 } from "../wire/ipv4.ts";
import { DNS_ADDRESS, GATEWAY_ADDRESS, LIMITED_BROADCAST, macOf } from "./addresses.ts";
import type { NetworkCounters } from "./statistics.ts";

/** Where the data of a packet is put before it is sent. */
export const PACKET_DATA_AT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
/** Data of a packet in one frame of a wire. */
export const PACKET_DATA_BYTES_MAX = ETHERNET_MTU_BYTES - IPV4_HEADER_BYTES;
const FRAGMENT_DATA_BYTES = PACKET_DATA_BYTES_MAX - (PACKET_DATA_BYTES_MAX % FRAGMENT_UNIT_BYTES);
/** Frames that wait for a card without room: enough for the largest datagram in fragments. */
export const WAITING_FRAMES_MAX = 64;
/** Stations whose Ethernet addresses are remembered: the guest may have several addresses. */
const NEIGHBOURS_MAX = 16;

export interface PacketForGuest {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  /** Of the data at PACKET_DATA_AT. */
  readonly dataBytes: number;
}

export class GuestPort {
  /** A packet is built in here: its data from PACKET_DATA_AT on. Large enough for any. */
  readonly bytes = new Uint8Array(LARGE_FRAME_BYTES_MAX);
  readonly view = new DataView(this.bytes.buffer);
  readonly #counters: NetworkCounters;
  readonly #cardMac: number;
  /** Ethernet addresses by IPv4 address, the one heard of last at the end. */
  readonly #neighbours = new Map<number, number>();
  readonly #waiting: Uint8Array[] = [];
  #receiver: FrameReceiver | undefined;
  #identification = 0;
  /** The card has said that it has no room. */
  #isFull = false;

  constructor(cardMac: number, counters: NetworkCounters) {
    this.#cardMac = cardMac;
    this.#counters = counters;
  }

  /** Whether a frame can be given to the card now. */
  get isReady(): boolean {
    return !this.#isFull;
  }

  get offload(): ReceiveOffload | undefined {
    return this.#receiver?.offload;
  }

  connect(receiver: FrameReceiver | undefined): void {
    this.#receiver = receiver;
    this.#isFull = false;
    this.#waiting.length = 0;
  }

  /** The card has room again; what waited goes first. */
  receiverReady(): void {
    this.#isFull = false;
    while (this.#waiting.length > 0) {
      const [frame] = this.#waiting;
      if (frame === undefined || !this.#give(frame)) return;
      this.#waiting.shift();
    }
  }

  learn(address: number, mac: number): void {
    if (this.#neighbours.get(address) === mac) return;
    this.#neighbours.delete(address);
    if (this.#neighbours.size >= NEIGHBOURS_MAX) {
      const [oldest] = this.#neighbours.keys();
      if (oldest !== undefined) this.#neighbours.delete(oldest);
    }
    this.#neighbours.set(address, mac);
  }

  /** Sends what was built behind the Ethernet header, from `source` (one of our IPv4 addresses). */
  sendFrame(source: number, destinationMac: number, type: number, dataBytes: number): void {
    writeEthernet(this.view, { destination: destinationMac, source: macOf(source), type });
    const lengthBytes = ETHERNET_HEADER_BYTES + dataBytes;
    this.bytes.fill(0, lengthBytes, FRAME_BYTES_MIN);
    this.#giveOrKeep(this.bytes.subarray(0, Math.max(lengthBytes, FRAME_BYTES_MIN)));
  }

  /** Sends a packet whose data was built at PACKET_DATA_AT, in fragments if it must be. */
  sendPacket(packet: PacketForGuest, destinationMac = this.#macOf(packet.destination)): void {
    const { dataBytes } = packet;
    const identification = this.#nextIdentification();
    if (dataBytes <= PACKET_DATA_BYTES_MAX) {
      this.#writeHeader(packet, identification, 0, dataBytes, false);
      this.sendFrame(
        this.#via(packet.source),
        destinationMac,
        ETHER_TYPE.ipv4,
        IPV4_HEADER_BYTES + dataBytes,
      );
      return;
    }
    for (let offset = 0; offset < dataBytes; offset += FRAGMENT_DATA_BYTES) {
      const partBytes = Math.min(FRAGMENT_DATA_BYTES, dataBytes - offset);
      // Each fragment is moved to the place of the first, whose own data has gone by then.
      if (offset > 0) {
        const from = PACKET_DATA_AT + offset;
        this.bytes.copyWithin(PACKET_DATA_AT, from, from + partBytes);
      }
      this.#writeHeader(packet, identification, offset, partBytes, offset + partBytes < dataBytes);
      this.sendFrame(
        this.#via(packet.source),
        destinationMac,
        ETHER_TYPE.ipv4,
        IPV4_HEADER_BYTES + partBytes,
      );
    }
  }

  /**
   * Sends a packet of TCP whose data was built at PACKET_DATA_AT; false where there is no room, and nothing is kept. With
   * `segmentBytes` it goes through the card's offload.
   */
  trySendPacket(packet: PacketForGuest, segmentBytes: number | undefined): boolean {
    if (this.#isFull) return false;
    const { dataBytes } = packet;
    this.#writeHeader(packet, this.#nextIdentification(), 0, dataBytes, false);
    writeEthernet(this.view, {
      destination: this.#macOf(packet.destination),
      source: macOf(this.#via(packet.source)),
      type: ETHER_TYPE.ipv4,
    });
    const lengthBytes = PACKET_DATA_AT + dataBytes;
    if (lengthBytes < FRAME_BYTES_MIN) this.bytes.fill(0, lengthBytes, FRAME_BYTES_MIN);
    return this.#give(this.bytes.subarray(0, Math.max(lengthBytes, FRAME_BYTES_MIN)), segmentBytes);
  }

  #writeHeader(
    { source, destination, protocol }: PacketForGuest,
    identification: number,
    fragmentOffsetBytes: number,
    dataBytes: number,
    hasMoreFragments: boolean,
  ): void {
    writeIpv4(this.view, ETHERNET_HEADER_BYTES, {
      totalBytes: IPV4_HEADER_BYTES + dataBytes,
      identification,
      fragmentOffsetBytes,
      hasMoreFragments,
      ttl: TTL_DEFAULT,
      ...{ protocol, source, destination },
    });
  }

  #nextIdentification(): number {
    this.#identification = (this.#identification + 1) & 0xffff;
    return this.#identification;
  }

  /** What comes from outside comes through the gateway. */
  #via(source: number): number {
    return source === DNS_ADDRESS ? source : GATEWAY_ADDRESS;
  }

  #macOf(address: number): number {
    if (address === LIMITED_BROADCAST) return BROADCAST_MAC;
    return this.#neighbours.get(address) ?? this.#cardMac;
  }

  #giveOrKeep(frame: Uint8Array): void {
    if (!this.#isFull && this.#give(frame)) return;
    if (this.#waiting.length < WAITING_FRAMES_MAX) this.#waiting.push(frame.slice());
    else this.#counters.drop("guestBusy");
  }

  #give(frame: Uint8Array, segmentBytes?: number): boolean {
    const receiver = this.#receiver;
    // As on an unplugged cable: whoever sends does not notice.
    if (receiver === undefined) {
      this.#counters.drop("guestBusy");
      return true;
    }
    const offload = segmentBytes === undefined ? undefined : receiver.offload;
    const isTaken =
      offload === undefined ? receiver.receive(frame) : offload.receive(frame, segmentBytes ?? 0);
    if (isTaken) {
      this.#counters.framesToGuest++;
      this.#counters.bytesToGuest += frame.length;
    } else {
      this.#isFull = true;
    }
    return isTaken;
  }
}
