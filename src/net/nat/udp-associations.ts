/**
 * UDP through the NAT (RFC 4787): each port of the guest's is given a socket of the host's, for all destinations (endpoint
 * independent mapping); what comes back is let in from addresses that the guest has sent to (address dependent filtering).
 * An association ends when the guest has not sent for some minutes, or for another one when there are as many as there may be.
 *
 * Deliberately missing: ICMP errors that the host gets from outside are not passed on to the guest.
 */

import { NS_PER_S } from "../../base/index.ts";
import type { HostEnd, HostSockets, HostUdpSocket } from "../host-sockets.ts";
import { IP_PROTOCOL } from "../wire/ipv4.ts";
import { UDP_HEADER_BYTES, writeUdp } from "../wire/udp.ts";
import { PACKET_DATA_AT } from "./guest-port.ts";
import type { GuestPort } from "./guest-port.ts";
import { Deadline } from "./network-timers.ts";
import type { NetworkTimers } from "./network-timers.ts";
import type { NetworkCounters } from "./statistics.ts";

export const UDP_ASSOCIATIONS_MAX = 256;
/** RFC 4787, REQ-5. */
export const UDP_TIMEOUT_NS = 300 * NS_PER_S;
/** Addresses from which answers are let in, of one association; the one that was sent to first goes first. */
export const UDP_REMOTES_MAX = 64;

/** A datagram's two ends as the guest sees them. */
export interface UdpFlow {
  readonly guestAddress: number;
  readonly guestPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
}

export interface UdpParts {
  readonly sockets: HostSockets;
  readonly timers: NetworkTimers;
  readonly port: GuestPort;
  readonly counters: NetworkCounters;
}

interface Association {
  readonly guestAddress: number;
  readonly guestPort: number;
  readonly socket: HostUdpSocket;
  readonly deadline: Deadline;
  /** What the guest calls each of the host's addresses that it has sent to. */
  readonly remotes: Map<number, number>;
}

export class UdpAssociations {
  readonly #parts: UdpParts;
  /** By address and port of the guest; the one used last at the end. */
  readonly #associations = new Map<number, Association>();

  constructor(parts: UdpParts) {
    this.#parts = parts;
  }

  get openCount(): number {
    return this.#associations.size;
  }

  /** Sends a datagram of the guest's to where the host finds its destination. */
  send(flow: UdpFlow, to: HostEnd, data: Uint8Array): void {
    const key = keyOf(flow);
    const association = this.#associations.get(key) ?? this.#open(key, flow);
    // Again at the end.
    this.#associations.delete(key);
    this.#associations.set(key, association);
    association.deadline.setIn(UDP_TIMEOUT_NS);
    allow(association.remotes, to.address, flow.remoteAddress);
    if (!association.socket.send(to, data)) this.#parts.counters.drop("hostBusy");
  }

  close(): void {
    for (const key of [...this.#associations.keys()]) this.#end(key);
  }

  #open(key: number, { guestAddress, guestPort }: UdpFlow): Association {
    const { counters, sockets, timers } = this.#parts;
    const [oldest] = this.#associations.keys();
    if (oldest !== undefined && this.#associations.size >= UDP_ASSOCIATIONS_MAX) {
      this.#end(oldest);
      counters.drop("limit");
    }
    counters.udpAssociations++;
    const end = (): void => {
      if (this.#associations.get(key) === association) this.#end(key);
    };
    const association: Association = {
      guestAddress,
      guestPort,
      socket: sockets.openUdp({
        received: (from, bytes) => this.#received(association, from, bytes),
        failed: end,
      }),
      deadline: new Deadline(timers, end),
      remotes: new Map(),
    };
    return association;
  }

  #received({ guestAddress, guestPort, remotes }: Association, from: HostEnd, bytes: Uint8Array): void {
    const remoteAddress = remotes.get(from.address);
    if (remoteAddress === undefined) {
      this.#parts.counters.drop("refused");
      return;
    }
    sendDatagram(this.#parts.port, { guestAddress, guestPort, remoteAddress, remotePort: from.port }, bytes);
  }

  #end(key: number): void {
    const association = this.#associations.get(key);
    this.#associations.delete(key);
    association?.deadline.close();
    association?.socket.close();
  }
}

/** Sends the guest a datagram. */
export function sendDatagram(port: GuestPort, flow: UdpFlow, data: Uint8Array): void {
  const ends = { source: flow.remoteAddress, destination: flow.guestAddress };
  const lengthBytes = UDP_HEADER_BYTES + data.length;
  port.bytes.set(data, PACKET_DATA_AT + UDP_HEADER_BYTES);
  const ports = { sourcePort: flow.remotePort, destinationPort: flow.guestPort };
  writeUdp(port.view, PACKET_DATA_AT, { ...ports, lengthBytes }, ends);
  port.sendPacket({ ...ends, protocol: IP_PROTOCOL.udp, dataBytes: lengthBytes });
}

/** Guests differ in the last byte of their addresses. */
function keyOf({ guestAddress, guestPort }: UdpFlow): number {
  return (guestAddress & 0xff) * 0x10000 + guestPort;
}

function allow(remotes: Map<number, number>, address: number, guestsName: number): void {
  remotes.delete(address);
  const [first] = remotes.keys();
  if (first !== undefined && remotes.size >= UDP_REMOTES_MAX) remotes.delete(first);
  remotes.set(address, guestsName);
}
