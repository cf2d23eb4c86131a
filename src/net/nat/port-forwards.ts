/** Ports of the host that lead to ports of the guest, for TCP and UDP. Whoever reaches them is known to the guest by the gateway's
 * address if it is the host itself. */

import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import type { HostEnd, HostListener, HostSockets, HostUdpSocket } from "../host-sockets.ts";
import type { TcpConnections } from "../tcp/tcp-connections.ts";
import { formatIpv4, isInNetwork } from "../wire/addresses.ts";
import { GATEWAY_ADDRESS, GUEST_ADDRESS, isOnNetwork, LOOPBACK_ADDRESS } from "./addresses.ts";
import type { GuestPort } from "./guest-port.ts";
import type { NetworkCounters } from "./statistics.ts";
import { sendDatagram } from "./udp-associations.ts";
import type { UdpFlow } from "./udp-associations.ts";

export interface PortForward {
  readonly protocol: "tcp" | "udp";
  readonly host: HostEnd;
  readonly guestPort: number;
}

export const PORT_FORWARDS_MAX = 64;
/** Clients of one forwarded port of UDP that are remembered; whoever was heard of first goes first. */
export const UDP_CLIENTS_MAX = 256;

export interface PortForwardsParts {
  readonly sockets: HostSockets;
  readonly port: GuestPort;
  readonly connections: TcpConnections;
  readonly counters: NetworkCounters;
}

interface UdpForward {
  readonly guestPort: number;
  readonly socket: HostUdpSocket;
  /** By address and port as the guest knows them. */
  readonly clients: Map<string, HostEnd>;
}

export class PortForwards {
  readonly #parts: PortForwardsParts;
  readonly #listeners: HostListener[] = [];
  readonly #udp: UdpForward[] = [];

  constructor(parts: PortForwardsParts) {
    this.#parts = parts;
  }

  /** All of them, or an error and whatever was opened until then, for close(). */
  async open(forwards: readonly PortForward[]): Promise<Result<void>> {
    for (const forward of forwards) {
      const opened = forward.protocol === "tcp" ? await this.#openTcp(forward) : await this.#openUdp(forward);
      if (opened.ok) continue;
      const { address, port } = forward.host;
      const place = `${forward.protocol}:${formatIpv4(address)}:${port}`;
      return err(opened.error.code, `The port ${place} cannot be forwarded: ${opened.error.message}`);
    }
    return ok(undefined);
  }

  /** True where the datagram is for a client of a forwarded port, and sent. */
  answer(flow: UdpFlow, data: Uint8Array): boolean {
    for (const { guestPort, clients, socket } of this.#udp) {
      const client = guestPort === flow.guestPort ? clients.get(clientKey(flow)) : undefined;
      if (client === undefined) continue;
      if (!socket.send(client, data)) this.#parts.counters.drop("hostBusy");
      return true;
    }
    return false;
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
    for (const { socket } of this.#udp) socket.close();
  }

  async #openTcp({ host, guestPort }: PortForward): Promise<Result<void>> {
    const { sockets, connections } = this.#parts;
    const listening = await sockets.listenTcp(host, (socket, from) => {
      const remote = { remoteAddress: this.#guestsNameOf(from.address), remotePort: from.port };
      return connections.openToGuest({ guestAddress: GUEST_ADDRESS, guestPort, ...remote }, socket);
    });
    if (!listening.ok) return listening;
    this.#listeners.push(listening.value);
    return ok(undefined);
  }

  async #openUdp({ host, guestPort }: PortForward): Promise<Result<void>> {
    const { sockets, port } = this.#parts;
    const clients = new Map<string, HostEnd>();
    const bound = await sockets.bindUdp(host, {
      received: (from, bytes) => {
        const remote = { remoteAddress: this.#guestsNameOf(from.address), remotePort: from.port };
        const flow = { guestAddress: GUEST_ADDRESS, guestPort, ...remote };
        // Who sends from port 0 wants no answer (RFC 768), and gets none.
        if (from.port > 0) remember(clients, clientKey(flow), from);
        sendDatagram(port, flow, bytes);
      },
      failed: () => undefined,
    });
    if (!bound.ok) return bound;
    this.#udp.push({ guestPort, socket: bound.value, clients });
    return ok(undefined);
  }

  #guestsNameOf(address: number): number {
    const isHost =
      isInNetwork(address, LOOPBACK_ADDRESS, LOOPBACK_BITS) || this.#parts.sockets.isOwnAddress(address);
    // An address of the guest's own network would be answered there.
    return isHost || isOnNetwork(address) ? GATEWAY_ADDRESS : address;
  }
}

/** 127.0.0.0/8. */
const LOOPBACK_BITS = 8;

function clientKey({ remoteAddress, remotePort }: UdpFlow): string {
  return `${remoteAddress}:${remotePort}`;
}

function remember(clients: Map<string, HostEnd>, key: string, client: HostEnd): void {
  clients.delete(key);
  const [first] = clients.keys();
  if (first !== undefined && clients.size >= UDP_CLIENTS_MAX) clients.delete(first);
  clients.set(key, client);
}
