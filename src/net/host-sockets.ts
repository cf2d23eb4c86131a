/**
 * The contract between networks and the sockets of the host. Nothing here throws or blocks; what happens later is told through
 * listeners, from the event loop, never from within a call of the network's except where it is said.
 */

import type { OperatorError, Result } from "../base/index.ts";

/** An end of the host's; the address is a u32, as in wire/addresses.ts. */
export interface HostEnd {
  readonly address: number;
  readonly port: number;
}

/** The most bytes that a socket hands over at once. */
export const HOST_READ_BYTES_MAX = 64 * 1024;
/** The largest datagram of UDP over IPv4. */
export const DATAGRAM_BYTES_MAX = 65_507;

/** Why there is no connection: answered with a reset, and with ICMP errors. */
export type ConnectFailure = "refused" | "host-unreachable" | "network-unreachable" | "timed-out" | "failed";

export interface TcpSocketListener {
  connected(): void;
  /** Nothing else is told afterwards. */
  connectFailed(reason: ConnectFailure): void;
  /** At most HOST_READ_BYTES_MAX bytes, which are the socket's again on return. Not while reading is paused. */
  received(bytes: Uint8Array): void;
  /** The other side sends no more; it may still read. */
  ended(): void;
  /** All that write() has not taken at once is written. */
  drained(): void;
  /** The connection is lost: nothing else is told afterwards. */
  lost(): void;
}

export interface HostTcpSocket {
  /**
   * True when everything was taken and `bytes` are the caller's again. Otherwise they are the socket's until it is drained, and
   * nothing else may be written until then.
   */
  write(bytes: Uint8Array): boolean;
  /** No more will be written; what was is sent first. */
  end(): void;
  /** Sockets begin with reading paused. */
  pauseReading(): void;
  resumeReading(): void;
  /** Gives the socket back: in an orderly way if both sides have ended, otherwise with a reset. Nothing is told afterwards. */
  close(): void;
}

export interface HostUdpSocket {
  /** False where too much waits to be sent already; `bytes` are the caller's again. */
  send(to: HostEnd, bytes: Uint8Array): boolean;
  close(): void;
}

export interface UdpSocketListener {
  /** Of at most DATAGRAM_BYTES_MAX bytes, which are the socket's again on return. */
  received(from: HostEnd, bytes: Uint8Array): void;
  /** The socket cannot be used, or not any more; nothing else is told afterwards. */
  failed(): void;
}

/** A place of the host where guests can be reached. */
export interface HostListener {
  close(): void;
}

export type ListenError = OperatorError<"port-in-use" | "cannot-listen">;

export interface HostSockets {
  connectTcp(to: HostEnd, listener: TcpSocketListener): HostTcpSocket;
  /** `accept` is called for each connection with its socket and its other end; it gives its listener, or undefined to have it reset. */
  listenTcp(
    at: HostEnd,
    accept: (socket: HostTcpSocket, from: HostEnd) => TcpSocketListener | undefined,
  ): Promise<Result<HostListener, ListenError>>;
  openUdp(listener: UdpSocketListener): HostUdpSocket;
  /** A socket at a known place. */
  bindUdp(at: HostEnd, listener: UdpSocketListener): Promise<Result<HostUdpSocket, ListenError>>;
  /** The host's resolvers now, in their order; IPv4 only. */
  nameServers(): readonly HostEnd[];
  /** Whether an address is one of the host's own. */
  isOwnAddress(address: number): boolean;
}
