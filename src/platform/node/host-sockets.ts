/** Sockets of Node.js in the shape of the contract that networks have. IPv4 only. */

import { createSocket } from "node:dgram";
import type { Socket as DatagramSocket } from "node:dgram";
import { getServers } from "node:dns";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { err, ok } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
import { formatIpv4, HOST_READ_BYTES_MAX, parseIpv4 } from "../../net/index.ts";
import type {
  ConnectFailure,
  HostEnd,
  HostListener,
  HostSockets,
  HostTcpSocket,
  HostUdpSocket,
  ListenError,
  TcpSocketListener,
  UdpSocketListener,
} from "../../net/index.ts";

/** How long the host tries to connect before the guest is told. */
const CONNECT_TIMEOUT_MS = 30_000;
/** Datagrams of one socket that wait to be sent. */
const UDP_QUEUE_BYTES_MAX = 256 * 1024;
const DNS_PORT = 53;
/** Connections of a forwarded port that wait to be accepted. */
const BACKLOG = 64;

export const nodeSockets: HostSockets = {
  connectTcp(to, listener) {
    const place = { host: formatIpv4(to.address), port: to.port };
    return new NodeTcpSocket(listener, connect({ ...place, allowHalfOpen: true, noDelay: true }));
  },

  listenTcp(at, accept) {
    return new Promise((resolve) => {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
      server.on("connection", (socket) => {
        const from = endOf(socket.remoteAddress, socket.remotePort);
        const joined = new NodeTcpSocket(NOBODY, socket);
        const listener = from === undefined ? undefined : accept(joined, from);
        if (listener === undefined) joined.close();
        else joined.listener = listener;
      });
      server.once("error", (error) => resolve(listenError(error)));
      server.listen({ host: formatIpv4(at.address), port: at.port, backlog: BACKLOG }, () => {
        // Whatever goes wrong with single connections later leaves the port open.
        server.on("error", () => undefined);
        const listening: HostListener = { close: () => void server.close() };
        resolve(ok(listening));
      });
    });
  },

  openUdp: (listener) => new NodeUdpSocket(listener, createSocket("udp4")),

  bindUdp(at, listener) {
    return new Promise((resolve: (result: Result<HostUdpSocket, ListenError>) => void) => {
      const socket = createSocket("udp4");
      socket.once("error", (error) => resolve(listenError(error)));
      socket.bind({ address: formatIpv4(at.address), port: at.port }, () => {
        resolve(ok(new NodeUdpSocket(listener, socket)));
      });
    });
  },

  nameServers() {
    return getServers().flatMap((server) => {
      // "ADDRESS" or "ADDRESS:PORT"; IPv6 addresses have brackets or more colons.
      const [address = "", port] = server.split(":");
      const number = parseIpv4(address);
      return number === undefined ? [] : [{ address: number, port: Number(port ?? DNS_PORT) }];
    });
  },

  isOwnAddress: (address) => ownAddresses().has(formatIpv4(address)),
};

/** As of a moment ago: every datagram asks, and asking the host takes a while. */
const OWN_ADDRESSES_MS = 1000;
let own: { readonly addresses: ReadonlySet<string>; readonly untilMs: number } | undefined;

function ownAddresses(): ReadonlySet<string> {
  const nowMs = performance.now();
  if (own === undefined || nowMs >= own.untilMs) {
    const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    own = { addresses: new Set(all.map(({ address }) => address)), untilMs: nowMs + OWN_ADDRESSES_MS };
  }
  return own.addresses;
}

class NodeTcpSocket implements HostTcpSocket {
  listener: TcpSocketListener;
  readonly #socket: Socket;
  #state: "connecting" | "open" | "closed";
  #hasReadAll = false;
  /** write() has kept something. */
  #isWriting = false;

  /** `socket` is connected, or connects. */
  constructor(listener: TcpSocketListener, socket: Socket) {
    this.listener = listener;
    this.#socket = socket;
    this.#state = socket.connecting ? "connecting" : "open";
    if (socket.connecting) {
      socket.setTimeout(CONNECT_TIMEOUT_MS, () => this.#failed("timed-out"));
      socket.once("connect", () => this.#connected());
    }
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    // Listening to data has begun reading.
    socket.pause();
    socket.on("end", () => {
      this.#hasReadAll = true;
      if (this.#state !== "closed") this.listener.ended();
    });
    socket.on("error", (error) => this.#failed(failureOf(error)));
    socket.on("close", () => {
      // Closed without an error before both sides had ended.
      if (this.#state !== "closed" && !(this.#hasReadAll && socket.writableFinished)) this.#failed("failed");
    });
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket;
    socket.write(bytes, this.#written);
    // The host's system has taken everything, and only Node's own account of it is open.
    if (socket.writableLength === 0) return true;
    this.#isWriting = true;
    return false;
  }

  end(): void {
    this.#socket.end();
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    const socket = this.#socket;
    if (this.#hasReadAll && socket.writableEnded) {
      // Bytes that are still on their way are sent first.
      socket.destroySoon();
    } else if (socket.connecting) {
      socket.destroy();
    } else {
      socket.resetAndDestroy();
    }
  }

  /** One function for all writes. */
  readonly #written = (): void => {
    if (!this.#isWriting || this.#socket.writableLength > 0) return;
    this.#isWriting = false;
    if (this.#state === "open") this.listener.drained();
  };

  #connected(): void {
    this.#socket.setTimeout(0);
    if (this.#state !== "connecting") return;
    this.#state = "open";
    this.listener.connected();
  }

  #received(bytes: Uint8Array): void {
    // Node reads as much as is one piece for us; were it ever more, whoever pauses in between gets the rest later.
    for (let at = 0; at < bytes.length && this.#state === "open"; at += HOST_READ_BYTES_MAX) {
      if (at > 0 && this.#socket.isPaused()) {
        this.#socket.unshift(bytes.subarray(at));
        return;
      }
      this.listener.received(bytes.subarray(at, at + HOST_READ_BYTES_MAX));
    }
  }

  #failed(reason: ConnectFailure): void {
    const state = this.#state;
    if (state === "closed") return;
    this.#state = "closed";
    this.#socket.destroy();
    if (state === "connecting") this.listener.connectFailed(reason);
    else this.listener.lost();
  }
}

class NodeUdpSocket implements HostUdpSocket {
  readonly #socket: DatagramSocket;
  #isClosed = false;
  #waitingBytes = 0;

  constructor(listener: UdpSocketListener, socket: DatagramSocket) {
    this.#socket = socket;
    socket.on("message", (bytes, remote) => {
      const from = endOf(remote.address, remote.port);
      if (from !== undefined && !this.#isClosed) listener.received(from, bytes);
    });
    socket.on("error", () => {
      if (this.#isClosed) return;
      this.close();
      listener.failed();
    });
  }

  send(to: HostEnd, bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#waitingBytes + bytes.length > UDP_QUEUE_BYTES_MAX) return false;
    this.#waitingBytes += bytes.length;
    // Datagrams that cannot be sent are lost, as they may be anywhere.
    this.#socket.send(bytes.slice(), to.port, formatIpv4(to.address), () => {
      this.#waitingBytes -= bytes.length;
    });
    return true;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }
}

function endOf(address: string | undefined, port: number | undefined): HostEnd | undefined {
  const number = parseIpv4(address ?? "");
  return number === undefined || port === undefined ? undefined : { address: number, port };
}

const codeOf = (error: Error): unknown => ("code" in error ? error.code : undefined);

function failureOf(error: Error): ConnectFailure {
  switch (codeOf(error)) {
    case "ECONNREFUSED":
    case "ECONNRESET":
      return "refused";
    case "EHOSTUNREACH":
    case "EHOSTDOWN":
      return "host-unreachable";
    case "ENETUNREACH":
    case "ENETDOWN":
    case "EACCES":
    case "EPERM":
      return "network-unreachable";
    case "ETIMEDOUT":
      return "timed-out";
    default:
      return "failed";
  }
}

function listenError(error: Error): Result<never, ListenError> {
  const code = codeOf(error);
  if (code === "EADDRINUSE") return err("port-in-use", "it is in use.");
  if (code === "EACCES") return err("cannot-listen", "this user may not listen there.");
  if (code === "EADDRNOTAVAIL") return err("cannot-listen", "the address is none of this host's.");
  return err("cannot-listen", `${error.message}.`);
}

const ignore = (): void => undefined;
/** Until somebody has taken the socket. */
const NOBODY: TcpSocketListener = {
  connected: ignore,
  connectFailed: ignore,
  received: ignore,
  ended: ignore,
  drained: ignore,
  lost: ignore,
};
