/**
 * The DHCP server of a guest's network (RFC 2131), which has one address to give: 10.0.2.15. Plain BOOTP clients are given it
 * too (RFC 1534, section 2). Deliberately missing: leases that end (a guest that asks gets its address again for ever), files
 * to boot from.
 */

import { DHCP_OPTION, DHCP_PORT, DHCP_TYPE, readDhcpRequest, writeDhcpReply } from "../wire/dhcp.ts";
import type { DhcpRequest } from "../wire/dhcp.ts";
import { BROADCAST_MAC, isStation } from "../wire/ethernet.ts";
import { IP_PROTOCOL } from "../wire/ipv4.ts";
import { UDP_HEADER_BYTES, writeUdp } from "../wire/udp.ts";
import {
  DNS_ADDRESS,
  GATEWAY_ADDRESS,
  GUEST_ADDRESS,
  LIMITED_BROADCAST,
  NETWORK_BROADCAST,
  NETWORK_MASK,
} from "./addresses.ts";
import { PACKET_DATA_AT } from "./guest-port.ts";
import type { GuestPort } from "./guest-port.ts";
import type { NetworkCounters } from "./statistics.ts";

const LEASE_SECONDS = 86_400;
/** T1 and T2 (section 4.4.5). */
const RENEWAL_SECONDS = LEASE_SECONDS / 2;
const REBINDING_SECONDS = (LEASE_SECONDS * 7) / 8;
const MESSAGE_AT = PACKET_DATA_AT + UDP_HEADER_BYTES;
/** RFC 1035, section 2.3.4. */
const HOST_NAME_CHARACTERS_MAX = 63;

export interface DhcpServerParts {
  readonly port: GuestPort;
  readonly counters: NetworkCounters;
  /** What the guest may call itself; undefined to leave it to the guest. */
  readonly hostName: string | undefined;
}

type Answer = "offer" | "ack" | "nak" | "bootp" | "inform";

export class DhcpServer {
  readonly #port: GuestPort;
  readonly #counters: NetworkCounters;
  readonly #hostName: Uint8Array | undefined;

  constructor({ port, counters, hostName }: DhcpServerParts) {
    this.#port = port;
    this.#counters = counters;
    this.#hostName = hostName === undefined ? undefined : hostNameBytes(hostName);
  }

  /** A datagram for the server's port, in [at, endAt). */
  receive(view: DataView, at: number, endAt: number): void {
    const request = readDhcpRequest(view, at, endAt);
    if (request === undefined || !isStation(request.clientMac)) {
      this.#counters.drop("malformed");
      return;
    }
    const answer = answerTo(request);
    if (answer !== undefined) this.#reply(request, answer);
  }

  #reply(request: DhcpRequest, answer: Answer): void {
    const { bytes, view } = this.#port;
    const messageBytes = writeDhcpReply(bytes, view, MESSAGE_AT, request, {
      yourAddress: answer === "nak" || answer === "inform" ? 0 : GUEST_ADDRESS,
      serverAddress: answer === "nak" ? 0 : GATEWAY_ADDRESS,
      options: this.#options(request, answer),
    });
    // Section 4.1: to the address that the client has, otherwise to the one it is given, and to all if it asks for that.
    const { clientAddress, wantsBroadcast } = request;
    const isToAll = answer === "nak" || (clientAddress === 0 && wantsBroadcast);
    const knownAddress = clientAddress === 0 ? GUEST_ADDRESS : clientAddress;
    const destination = isToAll ? LIMITED_BROADCAST : knownAddress;
    const lengthBytes = UDP_HEADER_BYTES + messageBytes;
    const ends = { source: GATEWAY_ADDRESS, destination };
    const ports = { sourcePort: DHCP_PORT.server, destinationPort: DHCP_PORT.client };
    writeUdp(view, PACKET_DATA_AT, { ...ports, lengthBytes }, ends);
    this.#port.sendPacket(
      { ...ends, protocol: IP_PROTOCOL.udp, dataBytes: lengthBytes },
      isToAll ? BROADCAST_MAC : request.clientMac,
    );
  }

  #options(request: DhcpRequest, answer: Answer): [number, Uint8Array][] {
    const identifier: [number, Uint8Array][] =
      request.clientIdentifier === undefined
        ? []
        : [[DHCP_OPTION.clientIdentifier, request.clientIdentifier]];
    const types = { offer: DHCP_TYPE.offer, ack: DHCP_TYPE.ack, inform: DHCP_TYPE.ack, nak: DHCP_TYPE.nak };
    const head: [number, Uint8Array][] =
      answer === "bootp"
        ? []
        : [
            [DHCP_OPTION.messageType, Uint8Array.of(types[answer])],
            [DHCP_OPTION.serverIdentifier, u32Bytes(GATEWAY_ADDRESS)],
          ];
    if (answer === "nak") return [...head, ...identifier];
    const hasLease = answer === "offer" || answer === "ack";
    return [
      ...head,
      ...(hasLease ? LEASE : []),
      [DHCP_OPTION.subnetMask, u32Bytes(NETWORK_MASK)],
      [DHCP_OPTION.router, u32Bytes(GATEWAY_ADDRESS)],
      [DHCP_OPTION.dnsServer, u32Bytes(DNS_ADDRESS)],
      [DHCP_OPTION.broadcastAddress, u32Bytes(NETWORK_BROADCAST)],
      ...(this.#hostName === undefined
        ? []
        : [[DHCP_OPTION.hostName, this.#hostName] satisfies [number, Uint8Array]]),
      ...identifier,
    ];
  }
}

const LEASE: readonly [number, Uint8Array][] = [
  [DHCP_OPTION.leaseTime, u32Bytes(LEASE_SECONDS)],
  [DHCP_OPTION.renewalTime, u32Bytes(RENEWAL_SECONDS)],
  [DHCP_OPTION.rebindingTime, u32Bytes(REBINDING_SECONDS)],
];

/** What a server with one address says (section 4.3); undefined where it is silent. */
function answerTo(request: DhcpRequest): Answer | undefined {
  switch (request.type) {
    case undefined:
      return "bootp";
    case DHCP_TYPE.discover:
      return "offer";
    case DHCP_TYPE.inform:
      return "inform";
    case DHCP_TYPE.request: {
      const { serverIdentifier, requestedAddress, clientAddress } = request;
      // The offer of another server was taken.
      if (serverIdentifier !== undefined && serverIdentifier !== GATEWAY_ADDRESS) return undefined;
      // Selecting and rebooting clients name it here, renewing ones have it already.
      return (requestedAddress ?? clientAddress) === GUEST_ADDRESS ? "ack" : "nak";
    }
    default:
      // DECLINE and RELEASE: there is no other address, and the same one is given again.
      return undefined;
  }
}

function u32Bytes(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

/** Of a VM's name, what a host may be called: letters, digits and dashes (RFC 1123, section 2.1). */
function hostNameBytes(name: string): Uint8Array | undefined {
  const label = name
    .replaceAll(/[^A-Za-z0-9-]/g, "-")
    .slice(0, HOST_NAME_CHARACTERS_MAX)
    .replaceAll(/^-+|-+$/g, "");
  return label === "" ? undefined : Uint8Array.from(label, (character) => character.charCodeAt(0));
}
