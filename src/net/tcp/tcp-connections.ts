/** All TCP connections of one guest: which segment is whose, who is connected to what, and how many there may be. */

import type { ConnectFailure, HostEnd, HostSockets, HostTcpSocket } from "../host-sockets.ts";
import type { GuestPort } from "../nat/guest-port.ts";
import { PACKET_DATA_AT } from "../nat/guest-port.ts";
import type { NetworkTimers } from "../nat/network-timers.ts";
import type { NetworkCounters } from "../nat/statistics.ts";
import { IP_PROTOCOL, IPV4_HEADER_BYTES, IPV4_PACKET_BYTES_MAX } from "../wire/ipv4.ts";
import { TCP_FLAG, TCP_HEADER_BYTES, tcpHeaderBytes, writeTcp } from "../wire/tcp.ts";
import type { TcpHeader, TcpSegment } from "../wire/tcp.ts";
import { advanced, distance } from "./sequence.ts";
import { TcpConnection } from "./tcp-connection.ts";
import type { OutgoingSegment, TcpConnectionParts, TcpFlow } from "./tcp-connection.ts";

export const TCP_CONNECTIONS_MAX = 512;
/** SYNs that wait for the host's connection, which the guest can make many of at no cost. */
export const TCP_CONNECTING_MAX = 64;
/** Of each of a connection's two buffers; the lesser while there are many connections. */
export const TCP_BUFFER_BYTES = 512 * 1024;
export const TCP_BUFFER_BYTES_MIN = 64 * 1024;
/** Until here connections have the larger buffers. All together they take at most this and 64 MiB. */
export const TCP_BUFFERS_BYTES_MAX = 64 * 1024 * 1024;

/** Ports for connections from the host whose own is taken. */
const FIRST_FREE_PORT = 49_152;
const LAST_PORT = 0xffff;

export interface TcpConnectionsParts {
  readonly sockets: HostSockets;
  readonly timers: NetworkTimers;
  readonly port: GuestPort;
  readonly counters: NetworkCounters;
  readonly entropy: (byteCount: number) => Uint8Array;
  /** Runs `callback` once, soon, when what runs now is over. */
  readonly soon: (callback: () => void) => void;
}

export class TcpConnections {
  readonly #parts: TcpConnectionsParts;
  readonly #connections = new Map<string, TcpConnection>();
  #bufferBytes = 0;
  #connectingCount = 0;
  /** Those that want a turn; emptied by one that was asked for with the first. */
  readonly #wanting = new Set<TcpConnection>();
  /** Those for whose segments the card had no room. */
  #blocked = new Set<TcpConnection>();

  constructor(parts: TcpConnectionsParts) {
    this.#parts = parts;
  }

  get openCount(): number {
    return this.#connections.size;
  }

  /** The connection that a segment belongs to, if there is one. */
  find(flow: TcpFlow): TcpConnection | undefined {
    return this.#connections.get(keyOf(flow));
  }

  /** Whether a segment of no connection begins one. */
  isOpening({ flags }: TcpSegment): boolean {
    return (flags & (TCP_FLAG.syn | TCP_FLAG.ack | TCP_FLAG.rst)) === TCP_FLAG.syn;
  }

  /** Whether a SYN begins a new connection although there is an old one (RFC 9293, section 3.10.7.4; RFC 1122, 4.2.2.13). */
  replaces(connection: TcpConnection, segment: TcpSegment): boolean {
    const isOver = connection.state === "time-wait";
    return isOver && this.isOpening(segment) && distance(segment.sequence, connection.receiveNext) > 0;
  }

  /** The guest opens a connection that the host finds at `to`; `unreachable` tells the guest that there is none. */
  open(flow: TcpFlow, syn: TcpSegment, to: HostEnd, unreachable: (reason: ConnectFailure) => void): void {
    if (this.#connectingCount >= TCP_CONNECTING_MAX || !this.#makeRoom()) {
      // As if the SYN had been lost: the guest tries again.
      this.#parts.counters.drop("limit");
      return;
    }
    this.#connectingCount++;
    let isConnecting = true;
    const decided = (): void => {
      if (isConnecting) this.#connectingCount--;
      isConnecting = false;
    };
    const connection = this.#add(flow, "connecting", { unreachable, decided });
    connection.acceptGuest(syn, (listener) =>
      this.#parts.sockets.connectTcp(to, {
        connected: () => {
          decided();
          listener.connected();
        },
        connectFailed: (reason) => listener.connectFailed(reason),
        received: (bytes) => listener.received(bytes),
        ended: () => listener.ended(),
        drained: () => listener.drained(),
        lost: () => listener.lost(),
      }),
    );
  }

  /** Somebody on the host opens a connection to the guest; undefined where there may be no more. */
  openToGuest(wanted: TcpFlow, socket: HostTcpSocket): TcpConnection | undefined {
    const flow = this.#freeFlow(wanted);
    if (flow === undefined || !this.#makeRoom()) {
      this.#parts.counters.drop("limit");
      return undefined;
    }
    const nothing = (): void => undefined;
    const connection = this.#add(flow, "syn-sent", { unreachable: nothing, decided: nothing });
    connection.openToGuest(socket);
    return connection;
  }

  /** The answer to a segment of no connection (RFC 9293, section 3.5.2, group 1). */
  refuse(flow: TcpFlow, segment: TcpSegment): void {
    const { flags, sequence, acknowledgment, dataBytes } = segment;
    if ((flags & TCP_FLAG.rst) !== 0) return;
    const hasAck = (flags & TCP_FLAG.ack) !== 0;
    const controls = ((flags & TCP_FLAG.syn) === 0 ? 0 : 1) + ((flags & TCP_FLAG.fin) === 0 ? 0 : 1);
    this.#transmit({
      flow,
      sequence: hasAck ? acknowledgment : 0,
      acknowledgment: hasAck ? 0 : advanced(sequence, dataBytes + controls),
      flags: hasAck ? TCP_FLAG.rst : TCP_FLAG.rst | TCP_FLAG.ack,
      window: 0,
      segmentBytes: 0,
    });
  }

  cardReady(): void {
    // Somebody else begins each time, so that nobody keeps the card for itself.
    const [first, ...others] = this.#blocked;
    if (first === undefined) return;
    this.#blocked = new Set();
    for (const connection of [...others, first]) connection.cardReady();
  }

  close(): void {
    for (const connection of [...this.#connections.values()]) connection.close();
  }

  #add(
    flow: TcpFlow,
    state: "connecting" | "syn-sent",
    hooks: { readonly unreachable: (reason: ConnectFailure) => void; readonly decided: () => void },
  ): TcpConnection {
    const { timers, counters, entropy, port } = this.#parts;
    const bufferBytes =
      this.#bufferBytes + 2 * TCP_BUFFER_BYTES <= TCP_BUFFERS_BYTES_MAX
        ? TCP_BUFFER_BYTES
        : TCP_BUFFER_BYTES_MIN;
    const parts: TcpConnectionParts = {
      flow,
      timers,
      counters,
      bufferBytes,
      initialSequence: u32Of(entropy(4)),
      transmit: (segment) => {
        const isSent = this.#transmit(segment);
        if (!isSent) this.#blocked.add(connection);
        return isSent;
      },
      segmentBytesMax: () => (port.offload === undefined ? 0 : LARGE_SEGMENT_BYTES_MAX),
      wantTurn: (wanting) => this.#want(wanting),
      unreachable: hooks.unreachable,
      closed: () => {
        hooks.decided();
        this.#bufferBytes -= 2 * bufferBytes;
        this.#blocked.delete(connection);
        this.#wanting.delete(connection);
        if (this.find(flow) === connection) this.#connections.delete(keyOf(flow));
      },
    };
    const connection = new TcpConnection(parts, state);
    this.#bufferBytes += 2 * bufferBytes;
    counters.tcpConnections++;
    this.#connections.set(keyOf(flow), connection);
    return connection;
  }

  /** Connections that only wait for stray segments make room first. */
  #makeRoom(): boolean {
    if (this.#connections.size < TCP_CONNECTIONS_MAX) return true;
    for (const connection of this.#connections.values()) {
      if (connection.state !== "time-wait") continue;
      connection.close();
      return true;
    }
    return false;
  }

  /** With the port of the host's end, or another where that would be a connection that there is. */
  #freeFlow(wanted: TcpFlow): TcpFlow | undefined {
    if (this.find(wanted) === undefined) return wanted;
    for (let remotePort = FIRST_FREE_PORT; remotePort <= LAST_PORT; remotePort++) {
      const flow = { ...wanted, remotePort };
      if (this.find(flow) === undefined) return flow;
    }
    return undefined;
  }

  #want(connection: TcpConnection): void {
    const isAsked = this.#wanting.size > 0;
    this.#wanting.add(connection);
    if (isAsked) return;
    this.#parts.soon(() => {
      const wanting = [...this.#wanting];
      this.#wanting.clear();
      for (const each of wanting) each.turn();
    });
  }

  // hot: `npm run bench -- network`: each byte for the guest is copied and summed here, or only copied.
  #transmit({ flow, data, segmentBytes, ...segment }: OutgoingSegment): boolean {
    const { port } = this.#parts;
    if (!port.isReady) return false;
    const header: TcpHeader = {
      sourcePort: flow.remotePort,
      destinationPort: flow.guestPort,
      ...segment,
    };
    const headerBytes = tcpHeaderBytes(header);
    const dataAt = PACKET_DATA_AT + headerBytes;
    const dataBytes = data?.byteCount ?? 0;
    data?.ring.copy(data.offset, dataBytes, port.bytes, dataAt);
    const ends = { source: flow.remoteAddress, destination: flow.guestAddress };
    const hasOffload = port.offload !== undefined;
    const sums = hasOffload ? "pseudo-header" : "complete";
    writeTcp(port.view, PACKET_DATA_AT, dataAt + dataBytes, header, ends, sums);
    return port.trySendPacket(
      { ...ends, protocol: IP_PROTOCOL.tcp, dataBytes: headerBytes + dataBytes },
      hasOffload ? segmentBytes : undefined,
    );
  }
}

const LARGE_SEGMENT_BYTES_MAX = IPV4_PACKET_BYTES_MAX - IPV4_HEADER_BYTES - TCP_HEADER_BYTES;

function keyOf({ guestAddress, guestPort, remoteAddress, remotePort }: TcpFlow): string {
  return `${guestAddress}:${guestPort} ${remoteAddress}:${remotePort}`;
}

function u32Of(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => ((sum << 8) | byte) >>> 0, 0);
}
