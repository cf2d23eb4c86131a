/**
 * Puts fragments of a guest's IPv4 packets together (RFC 791, section 3.2; RFC 815). Within bounds: a few packets at a time,
 * each for a limited time. Fragments that overlap end their packet: they are sent to deceive those who look at parts (RFC 5722
 * says so for IPv6).
 */

import type { Clock } from "../../base/index.ts";
import { NS_PER_S } from "../../base/index.ts";
import { FRAGMENT_UNIT_BYTES, IPV4_PACKET_BYTES_MAX } from "../wire/ipv4.ts";
import type { Ipv4Header } from "../wire/ipv4.ts";
import type { NetworkCounters } from "./statistics.ts";

/** Packets under way; each takes up to 64 KiB. */
export const PARTIAL_PACKETS_MAX = 8;
/** RFC 791 proposes 15 seconds. */
export const REASSEMBLY_TIMEOUT_NS = 15 * NS_PER_S;
const UNITS_MAX = Math.ceil(IPV4_PACKET_BYTES_MAX / FRAGMENT_UNIT_BYTES);

interface PartialPacket {
  readonly data: Uint8Array;
  /** A byte for each unit that has come. */
  readonly units: Uint8Array;
  readonly deadlineNs: number;
  receivedBytes: number;
  /** Known with the last fragment. */
  totalBytes: number | undefined;
}

export class Reassembly {
  readonly #clock: Clock;
  readonly #counters: NetworkCounters;
  /** By source, destination, protocol and identification; the oldest first. */
  readonly #packets = new Map<string, PartialPacket>();

  constructor(clock: Clock, counters: NetworkCounters) {
    this.#clock = clock;
    this.#counters = counters;
  }

  get packetCount(): number {
    return this.#packets.size;
  }

  /** The data of a packet that `data` completes, or undefined. */
  add(header: Ipv4Header, data: Uint8Array): Uint8Array | undefined {
    this.#expire();
    const { source, destination, protocol, identification } = header;
    const key = `${source} ${destination} ${protocol} ${identification}`;
    const packet = this.#packets.get(key) ?? this.#begin(key);
    if (!put(packet, header, data)) {
      this.#forget(key);
      return undefined;
    }
    if (packet.receivedBytes !== packet.totalBytes) return undefined;
    this.#packets.delete(key);
    return packet.data.subarray(0, packet.totalBytes);
  }

  clear(): void {
    this.#packets.clear();
  }

  #begin(key: string): PartialPacket {
    const [oldest] = this.#packets.keys();
    if (oldest !== undefined && this.#packets.size >= PARTIAL_PACKETS_MAX) this.#forget(oldest);
    const packet = {
      data: new Uint8Array(IPV4_PACKET_BYTES_MAX),
      units: new Uint8Array(UNITS_MAX),
      deadlineNs: this.#clock.nowNs() + REASSEMBLY_TIMEOUT_NS,
      receivedBytes: 0,
      totalBytes: undefined,
    };
    this.#packets.set(key, packet);
    return packet;
  }

  #expire(): void {
    const nowNs = this.#clock.nowNs();
    for (const [key, { deadlineNs }] of this.#packets) {
      if (deadlineNs > nowNs) return;
      this.#forget(key);
    }
  }

  #forget(key: string): void {
    this.#packets.delete(key);
    this.#counters.drop("fragments");
  }
}

/** False where the fragment contradicts itself or others. */
function put(packet: PartialPacket, header: Ipv4Header, data: Uint8Array): boolean {
  const { fragmentOffsetBytes: offset, hasMoreFragments } = header;
  const endAt = offset + data.length;
  const isSound =
    data.length > 0 &&
    header.headerBytes + endAt <= IPV4_PACKET_BYTES_MAX &&
    (!hasMoreFragments || data.length % FRAGMENT_UNIT_BYTES === 0);
  if (!isSound) return false;
  const { totalBytes } = packet;
  if (totalBytes !== undefined && (endAt > totalBytes || !hasMoreFragments)) return false;
  const from = offset / FRAGMENT_UNIT_BYTES;
  const to = Math.ceil(endAt / FRAGMENT_UNIT_BYTES);
  if (packet.units.subarray(from, to).includes(1)) return false;
  // What has come behind the end can never be complete.
  if (!hasMoreFragments && packet.units.subarray(to).includes(1)) return false;
  packet.units.fill(1, from, to);
  packet.data.set(data, offset);
  packet.receivedBytes += data.length;
  if (!hasMoreFragments) packet.totalBytes = endAt;
  return true;
}
