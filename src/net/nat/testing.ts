/**
 * Test doubles for networks: sockets of a host that is not there, and a station on the guest's side that writes frames by hand
 * and takes apart those that come.
 */

import { assert, defined, ManualClock, ok, TimerQueue } from "../../base/index.ts";
import type { Result } from "../../base/index.ts";
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
} from "../host-sockets.ts";
import { DNS_ADDRESS, GATEWAY_ADDRESS, GUEST_ADDRESS, macOf } from "./addresses.ts";
import { UserNetwork } from "./user-network.ts";
import type { UserNetworkParts } from "./user-network.ts";
import { ETHERNET_HEADER_BYTES } from "../network-link.ts";
import type { FrameReceiver, NetworkLink } from "../network-link.ts";
import { parseIpv4 } from "../wire/addresses.ts";
import { BROADCAST_MAC, ETHER_TYPE, readEthernet, writeEthernet } from "../wire/ethernet.ts";
import { IP_PROTOCOL, IPV4_HEADER_BYTES, readIpv4, writeIpv4 } from "../wire/ipv4.ts";
import type { Ipv4Header } from "../wire/ipv4.ts";
import { readTcp, TCP_FLAG, tcpHeaderBytes, writeTcp } from "../wire/tcp.ts";
import type { TcpHeader, TcpSegment } from "../wire/tcp.ts";
import { readUdp, UDP_HEADER_BYTES, writeUdp } from "../wire/udp.ts";
import type { IpEnds, UdpHeader } from "../wire/udp.ts";

export const ip = (text: string): number => defined(parseIpv4(text), `an IPv4 address: ${text}`);
export const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
export const bytesOf = (content: string): Uint8Array => new TextEncoder().encode(content);

/** A TCP socket whose other side the test is. */
export class FakeTcpSocket implements HostTcpSocket {
  readonly to: HostEnd;
  listener: TcpSocketListener;
  /** What the other side has taken. */
  written: number[] = [];
  /** How many bytes it takes before write() keeps them. */
  roomBytes = Infinity;
  isReading = false;
  isEnded = false;
  isClosed = false;
  #kept: Uint8Array | undefined;

  constructor(to: HostEnd, listener: TcpSocketListener) {
    this.to = to;
    this.listener = listener;
  }

  get text(): string {
    return text(Uint8Array.from(this.written));
  }

  get keptBytes(): number {
    return this.#kept?.length ?? 0;
  }

  write(bytes: Uint8Array): boolean {
    assert(this.#kept === undefined && !this.isEnded && !this.isClosed, "who writes has been told to");
    if (bytes.length > this.roomBytes) {
      this.#kept = bytes;
      return false;
    }
    this.roomBytes -= bytes.length;
    for (const byte of bytes) this.written.push(byte);
    return true;
  }

  /** The other side takes what write() has kept. */
  drain(roomBytes = Infinity): void {
    const kept = defined(this.#kept, "something was kept");
    this.#kept = undefined;
    this.roomBytes = roomBytes;
    for (const byte of kept) this.written.push(byte);
    this.listener.drained();
  }

  end(): void {
    assert(this.#kept === undefined && !this.isEnded, "a socket is ended once, with nothing left");
    this.isEnded = true;
  }

  pauseReading(): void {
    this.isReading = false;
  }

  resumeReading(): void {
    this.isReading = true;
  }

  close(): void {
    this.isClosed = true;
  }
}

export class FakeUdpSocket implements HostUdpSocket {
  readonly listener: UdpSocketListener;
  readonly sent: { readonly to: HostEnd; readonly bytes: Uint8Array }[] = [];
  hasRoom = true;
  isClosed = false;

  constructor(listener: UdpSocketListener) {
    this.listener = listener;
  }

  send(to: HostEnd, bytes: Uint8Array): boolean {
    if (this.hasRoom) this.sent.push({ to, bytes: bytes.slice() });
    return this.hasRoom;
  }

  close(): void {
    this.isClosed = true;
  }
}

/** Every socket that was asked for, in order. */
export class FakeHostSockets implements HostSockets {
  readonly tcp: FakeTcpSocket[] = [];
  readonly udp: FakeUdpSocket[] = [];
  readonly bound = new Map<number, FakeUdpSocket>();
  readonly accepting = new Map<
    number,
    (socket: HostTcpSocket, from: HostEnd) => TcpSocketListener | undefined
  >();
  servers: HostEnd[] = [{ address: ip("192.0.2.53"), port: 53 }];
  own: number[] = [ip("192.0.2.1")];

  connectTcp(to: HostEnd, listener: TcpSocketListener): HostTcpSocket {
    const socket = new FakeTcpSocket(to, listener);
    this.tcp.push(socket);
    return socket;
  }

  listenTcp(
    at: HostEnd,
    accept: (socket: HostTcpSocket, from: HostEnd) => TcpSocketListener | undefined,
  ): Promise<Result<HostListener, ListenError>> {
    this.accepting.set(at.port, accept);
    return Promise.resolve(ok({ close: () => void this.accepting.delete(at.port) }));
  }

  /** Somebody connects to a port that is listened at. */
  arrive(port: number, from: HostEnd): FakeTcpSocket {
    const accept = defined(this.accepting.get(port), "somebody listens");
    const socket = new FakeTcpSocket({ address: 0, port }, NOBODY);
    const listener = accept(socket, from);
    if (listener === undefined) socket.close();
    else socket.listener = listener;
    return socket;
  }

  openUdp(listener: UdpSocketListener): HostUdpSocket {
    const socket = new FakeUdpSocket(listener);
    this.udp.push(socket);
    return socket;
  }

  bindUdp(at: HostEnd, listener: UdpSocketListener): Promise<Result<HostUdpSocket, ListenError>> {
    const socket = new FakeUdpSocket(listener);
    this.bound.set(at.port, socket);
    return Promise.resolve(ok(socket));
  }

  nameServers(): readonly HostEnd[] {
    return this.servers;
  }

  isOwnAddress(address: number): boolean {
    return this.own.includes(address);
  }
}

const ignore = (): void => undefined;
const NOBODY: TcpSocketListener = {
  connected: ignore,
  connectFailed: (_reason: ConnectFailure) => undefined,
  received: ignore,
  ended: ignore,
  drained: ignore,
  lost: ignore,
};

export const GUEST_MAC = 0x5254_0012_3456;

/** What is in a frame that came to the station. */
export interface Arrived {
  readonly frame: Uint8Array;
  readonly view: DataView;
  readonly header: Ipv4Header;
  /** Behind the IPv4 header. */
  readonly data: Uint8Array;
}

export type ArrivedSegment = TcpSegment & { readonly source: number; readonly data: Uint8Array };
export type ArrivedDatagram = UdpHeader & { readonly source: number; readonly data: Uint8Array };

/** A card, its driver, and as much of a stack as a test writes. */
export class GuestStation implements FrameReceiver {
  readonly link: NetworkLink;
  mac = GUEST_MAC;
  address = GUEST_ADDRESS;
  /** Frames that there is room for. */
  roomFrames = Infinity;
  /** All that came and was not taken out, as copies. */
  frames: Uint8Array[] = [];
  offload: FrameReceiver["offload"];

  constructor(link: NetworkLink) {
    this.link = link;
    link.connect(this);
  }

  receive(frame: Uint8Array): boolean {
    if (this.roomFrames === 0) return false;
    this.roomFrames--;
    this.frames.push(frame.slice());
    return true;
  }

  linkChanged(): void {
    // It is always up.
  }

  makeRoom(frames = Infinity): void {
    this.roomFrames = frames;
    this.link.receiverReady();
  }

  /** Takes large segments from now on. */
  offerOffload(): { readonly segmentBytes: number[] } {
    const segmentBytes: number[] = [];
    this.offload = {
      receive: (frame, bytes) => {
        segmentBytes.push(bytes);
        return this.receive(frame);
      },
    };
    return { segmentBytes };
  }

  take(): Uint8Array[] {
    return this.frames.splice(0);
  }

  /** The IPv4 packets that came; everything is sound. */
  takePackets(): Arrived[] {
    return this.take().map((frame) => {
      const view = viewOf(frame);
      const ethernet = defined(readEthernet(view), "a frame has a header");
      assert(ethernet.type === ETHER_TYPE.ipv4, "only IPv4 has come");
      const isForUs = ethernet.destination === this.mac || ethernet.destination === BROADCAST_MAC;
      assert(isForUs, "frames are for the station");
      const header = defined(readIpv4(view, ETHERNET_HEADER_BYTES), "an IPv4 header is sound");
      const from = ETHERNET_HEADER_BYTES + header.headerBytes;
      const endAt = ETHERNET_HEADER_BYTES + header.totalBytes;
      return { frame, view, header, data: frame.subarray(from, endAt) };
    });
  }

  takeSegments(): ArrivedSegment[] {
    return this.takePackets().map(({ header, data }) => {
      assert(header.protocol === IP_PROTOCOL.tcp, "only TCP has come");
      const isSummed = this.offload !== undefined;
      const segment = defined(readTcp(viewOf(data), 0, data.length, header, isSummed), "TCP is sound");
      return { ...segment, source: header.source, data: data.subarray(segment.dataAt) };
    });
  }

  takeDatagrams(): ArrivedDatagram[] {
    return this.takePackets().map(({ header, data }) => {
      assert(header.protocol === IP_PROTOCOL.udp, "only UDP has come");
      const udp = defined(readUdp(viewOf(data), 0, data.length, header, false), "UDP is sound");
      return { ...udp, source: header.source, data: data.subarray(UDP_HEADER_BYTES) };
    });
  }

  send(destinationMac: number, type: number, data: Uint8Array): void {
    const frame = new Uint8Array(ETHERNET_HEADER_BYTES + data.length);
    writeEthernet(viewOf(frame), { destination: destinationMac, source: this.mac, type });
    frame.set(data, ETHERNET_HEADER_BYTES);
    this.link.send(frame);
  }

  sendPacket(packet: {
    readonly destination: number;
    readonly protocol: number;
    readonly data: Uint8Array;
    readonly source?: number;
    readonly ttl?: number;
    readonly identification?: number;
    readonly fragmentOffsetBytes?: number;
    readonly hasMoreFragments?: boolean;
    readonly isLarge?: boolean;
  }): void {
    const { data, isLarge = false, ...given } = packet;
    const frame = new Uint8Array(ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES + data.length);
    const view = viewOf(frame);
    const isOurs = given.destination === DNS_ADDRESS;
    const gateway = macOf(isOurs ? DNS_ADDRESS : GATEWAY_ADDRESS);
    writeEthernet(view, { destination: gateway, source: this.mac, type: ETHER_TYPE.ipv4 });
    writeIpv4(view, ETHERNET_HEADER_BYTES, {
      totalBytes: IPV4_HEADER_BYTES + data.length,
      identification: 1,
      fragmentOffsetBytes: 0,
      hasMoreFragments: false,
      ttl: 64,
      source: this.address,
      ...given,
    });
    frame.set(data, ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES);
    if (isLarge) defined(this.link.offload, "the link takes large frames").send(frame);
    else this.link.send(frame);
  }

  sendDatagram(destination: number, ports: Omit<UdpHeader, "lengthBytes">, data: Uint8Array): void {
    const ends = { source: this.address, destination };
    this.sendPacket({ ...ends, protocol: IP_PROTOCOL.udp, data: datagram(ends, ports, data) });
  }

  sendSegment(
    destination: number,
    header: TcpHeader,
    content: Uint8Array = new Uint8Array(0),
    isLarge = false,
  ): void {
    const ends = { source: this.address, destination };
    const data = new Uint8Array(tcpHeaderBytes(header) + content.length);
    data.set(content, tcpHeaderBytes(header));
    writeTcp(viewOf(data), 0, data.length, header, ends, isLarge ? "pseudo-header" : "complete");
    this.sendPacket({ ...ends, protocol: IP_PROTOCOL.tcp, data, isLarge });
  }
}

export function datagram(
  ends: IpEnds,
  ports: Omit<UdpHeader, "lengthBytes">,
  content: Uint8Array,
): Uint8Array {
  const data = new Uint8Array(UDP_HEADER_BYTES + content.length);
  data.set(content, UDP_HEADER_BYTES);
  writeUdp(viewOf(data), 0, { ...ports, lengthBytes: data.length }, ends);
  return data;
}

/** The guest's end of a TCP connection, as far as a test drives it: it answers nothing by itself. */
export class GuestTcp {
  readonly station: GuestStation;
  readonly remote: HostEnd;
  readonly port: number;
  /** SND.NXT and RCV.NXT. */
  sequence = 1000;
  acknowledgment = 0;
  window = 0xffff;

  constructor(station: GuestStation, remote: HostEnd, port = 40_000) {
    this.station = station;
    this.remote = remote;
    this.port = port;
  }

  /** Sends what counts in its own sequence numbers, and counts it. */
  send(flags: number, content?: Uint8Array, fields: Partial<TcpHeader> = {}): void {
    this.resend(flags, content, fields);
    const controls = ((flags & TCP_FLAG.syn) === 0 ? 0 : 1) + ((flags & TCP_FLAG.fin) === 0 ? 0 : 1);
    this.sequence += (content?.length ?? 0) + controls;
  }

  resend(flags: number, content?: Uint8Array, fields: Partial<TcpHeader> = {}, isLarge = false): void {
    const { sequence, acknowledgment, window } = this;
    this.station.sendSegment(
      this.remote.address,
      {
        sourcePort: this.port,
        destinationPort: this.remote.port,
        ...{ sequence, acknowledgment, window, flags },
        ...fields,
      },
      content,
      isLarge,
    );
  }

  /** Takes what came, counting it as received in order. */
  takeAll(): ArrivedSegment[] {
    const segments = this.station.takeSegments();
    for (const { sequence, data, flags } of segments) {
      const controls = (flags & (TCP_FLAG.syn | TCP_FLAG.fin)) === 0 ? 0 : 1;
      this.acknowledgment = sequence + data.length + controls;
    }
    return segments;
  }

  /** The three-way handshake with a host that answers. */
  open(sockets: FakeHostSockets, fields: Partial<TcpHeader> = { mss: 1460, windowShift: 0 }): FakeTcpSocket {
    this.send(TCP_FLAG.syn, undefined, fields);
    const socket = defined(sockets.tcp.at(-1), "a connection was asked for");
    socket.listener.connected();
    this.takeAll();
    this.send(TCP_FLAG.ack);
    return socket;
  }
}

/** A NAT with everything that it needs. */
export class NetworkFixture {
  readonly clock = new ManualClock();
  readonly timers = new TimerQueue();
  readonly sockets = new FakeHostSockets();
  readonly network: UserNetwork;
  readonly guest: GuestStation;
  #soon: (() => void)[] = [];
  #entropy = 0;

  constructor(parts: Partial<UserNetworkParts> = {}) {
    this.network = new UserNetwork({
      macAddress: Uint8Array.of(0x52, 0x54, 0, 0x12, 0x34, 0x56),
      hostName: "test-vm",
      reach: { allowsHost: false, isRestricted: false },
      sockets: this.sockets,
      clock: this.clock,
      timers: this.timers,
      entropy: (byteCount) => Uint8Array.from({ length: byteCount }, () => ++this.#entropy & 0xff),
      soon: (callback) => void this.#soon.push(callback),
      ...parts,
    });
    this.guest = new GuestStation(this.network);
  }

  get dropped(): UserNetwork["statistics"]["dropped"] {
    return this.network.statistics.dropped;
  }

  /** What was left for the end of what ran. */
  settle(): void {
    for (const callback of this.#soon.splice(0)) callback();
  }

  /** Time passes, with everything that is due meanwhile at its time. */
  run(forNs: number): void {
    const endNs = this.clock.nowNs() + forNs;
    for (;;) {
      this.settle();
      const nextNs = this.timers.nextDeadlineNs();
      if (nextNs === undefined || nextNs > endNs) break;
      this.clock.advanceTo(Math.max(nextNs, this.clock.nowNs()));
      this.timers.runDue(this.clock.nowNs());
    }
    this.clock.advanceTo(endNs);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
