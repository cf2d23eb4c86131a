/**
 * NAT fuzz: guests that know the protocols and break their rules. Frames whose headers are sound but for a few bytes, fragments,
 * DHCP, DNS and ICMP, and TCP connections whose segments come in any state and order, while the host's sockets connect, fail,
 * deliver, stall and end, the card runs out of room, and time passes. Nothing throws, sockets are used as their contract says
 * (the doubles assert that), and nothing grows beyond its maximum; afterwards whoever keeps to the rules is served, and closing
 * gives every socket and timer back.
 */
import assert from "node:assert/strict";
import { NS_PER_MS } from "../../src/base/index.ts";
import { DNS_ADDRESS, GATEWAY_ADDRESS, GUEST_ADDRESS } from "../../src/net/nat/addresses.ts";
import { DNS_QUERIES_MAX } from "../../src/net/nat/dns-proxy.ts";
import { datagram, GuestTcp, ip, NetworkFixture } from "../../src/net/nat/testing.ts";
import type { FakeTcpSocket } from "../../src/net/nat/testing.ts";
import { UDP_ASSOCIATIONS_MAX } from "../../src/net/nat/udp-associations.ts";
import { ETHERNET_HEADER_BYTES } from "../../src/net/network-link.ts";
import type { ConnectFailure } from "../../src/net/host-sockets.ts";
import { TCP_CONNECTIONS_MAX } from "../../src/net/tcp/tcp-connections.ts";
import { addToSum, checksumOf } from "../../src/net/wire/checksum.ts";
import { DHCP_OPTION } from "../../src/net/wire/dhcp.ts";
import { IP_PROTOCOL, IPV4_HEADER_BYTES } from "../../src/net/wire/ipv4.ts";
import { TCP_FLAG } from "../../src/net/wire/tcp.ts";
import { Random } from "../oracle/index.ts";
import { assertBelowLimits } from "./memory-use.ts";

const STEPS = 800;
const STEP_MAX_MS = 2000;
const FORWARDED_PORT = 2222;
const FORWARDED_TO = 1000;
const CLIENT_PORTS = [50_000, 50_001] as const;
const ADDRESSES = [GATEWAY_ADDRESS, DNS_ADDRESS, GUEST_ADDRESS, ip("192.0.2.80"), ip("192.0.2.81")] as const;
const ODD_ADDRESSES = [0, 0xffff_ffff, ip("10.0.2.255"), ip("224.0.0.1"), ip("127.0.0.1")] as const;
const PORTS = [0, 7, 53, 67, 68, 80, 0xffff] as const;
const FAILURES: readonly ConnectFailure[] = [
  "refused",
  "failed",
  "timed-out",
  "host-unreachable",
  "network-unreachable",
];

const address = (random: Random): number =>
  random.below(8) === 0 ? random.pick(ODD_ADDRESSES) : random.pick(ADDRESSES);
/** Random at the beginning, where headers are. */
const randomBytes = (random: Random, lengthBytes: number): Uint8Array => {
  const bytes = new Uint8Array(lengthBytes).fill(random.below(256));
  return bytes.map((byte, index) => (index < 40 ? random.below(256) : byte));
};
/** Mostly small, sometimes full segments, sometimes beyond them. */
const lengthOf = (random: Random): number =>
  random.pick([0, 1, random.below(20), random.below(600), 1460, random.below(3000)]);

class HostileGuest {
  readonly fixture = new NetworkFixture({
    reach: { allowsHost: true, isRestricted: false },
  });
  readonly #random: Random;
  readonly #connections: GuestTcp[];
  /** As the socket contract has it: what each may still say. */
  readonly #begun = new Set<FakeTcpSocket>();
  readonly #over = new Set<FakeTcpSocket>();
  /** From outside, by the forwarded port. */
  readonly #arrived: FakeTcpSocket[] = [];
  readonly #ended = new Set<FakeTcpSocket>();

  constructor(random: Random) {
    this.#random = random;
    const { guest } = this.fixture;
    const outside = Array.from({ length: 5 }, (_, index) => {
      const remote = { address: address(random), port: random.pick(PORTS) };
      return new GuestTcp(guest, remote, 1001 + (index >> 1));
    });
    const forwarded = CLIENT_PORTS.map(
      (port) => new GuestTcp(guest, { address: GATEWAY_ADDRESS, port }, FORWARDED_TO),
    );
    this.#connections = [...outside, ...forwarded];
  }

  step(): void {
    const random = this.#random;
    const acts = [
      () => this.#segment(),
      () => this.#segment(),
      () => this.#segment(),
      () => this.#duplicates(),
      () => this.#hostActs(),
      () => this.#hostActs(),
      () => this.#datagram(),
      () => this.#dns(),
      () => this.#dhcp(),
      () => this.#icmp(),
      () => this.#fragment(),
      () => this.#damagedFrame(),
      () => this.#arrive(),
      () => this.#card(),
      () => this.fixture.settle(),
      () => this.fixture.run(random.pick([1, 20, 500, 5000, 60_000]) * NS_PER_MS),
    ];
    random.pick(acts)();
    this.#learn();
    // A guest that remembers everything would be the one that grows.
    if (this.fixture.guest.frames.length > 200) this.fixture.guest.take();
  }

  /** What the guest knows of its connections from what came, now and then. */
  #learn(): void {
    const random = this.#random;
    if (random.below(2) !== 0) return;
    for (const frame of this.fixture.guest.take()) {
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      if (view.getUint16(12) !== 0x0800 || view.getUint8(23) !== IP_PROTOCOL.tcp) continue;
      const tcpAt = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;
      const [remotePort, port] = [view.getUint16(tcpAt), view.getUint16(tcpAt + 2)];
      const known = this.#connections.filter((each) => each.port === port && each.remote.port === remotePort);
      const headersBytes = IPV4_HEADER_BYTES + (view.getUint8(tcpAt + 12) >>> 4) * 4;
      const flags = view.getUint8(tcpAt + 13);
      const controls = (flags & (TCP_FLAG.syn | TCP_FLAG.fin)) === 0 ? 0 : 1;
      const countedBytes = view.getUint16(ETHERNET_HEADER_BYTES + 2) - headersBytes + controls;
      for (const each of known) {
        each.acknowledgment = (view.getUint32(tcpAt + 4) + countedBytes) >>> 0;
        if (random.below(4) === 0) each.sequence = view.getUint32(tcpAt + 8);
      }
    }
  }

  #segment(): void {
    const random = this.#random;
    const tcp = random.pick(this.#connections);
    const { syn, ack, fin, rst, psh } = TCP_FLAG;
    const flags = random.pick([
      ...[syn, syn, syn | ack, ack, ack, ack, ack, ack | psh, ack | psh, ack | fin, rst, rst | ack],
      random.below(64),
    ]);
    tcp.window = random.pick([0, 1, 100, 1460, 8192, 0xffff]);
    const near = random.pick([0, 0, 0, 0, 1, -1, 1460, -1460, 0x8000_0000, random.below(70_000)]);
    const fields = {
      sequence: (tcp.sequence + near) >>> 0,
      acknowledgment: (tcp.acknowledgment + random.pick([0, 0, 0, 1, -1, random.below(9000)])) >>> 0,
      ...((flags & syn) === 0
        ? {}
        : { mss: random.pick([0, 1, 88, 536, 1460, 0xffff]), windowShift: random.pick([0, 2, 14, 255]) }),
    };
    const content = randomBytes(random, lengthOf(random));
    const isLarge = random.below(4) === 0;
    tcp.resend(flags, content, fields, isLarge);
    if (near === 0)
      tcp.sequence = (tcp.sequence + content.length + ((flags & (syn | fin)) === 0 ? 0 : 1)) >>> 0;
  }

  /** As from a guest that misses a segment. */
  #duplicates(): void {
    const tcp = this.#random.pick(this.#connections);
    for (let count = 0; count < 4; count++) tcp.resend(TCP_FLAG.ack);
  }

  /** One of the host's sockets says something that it may say now. */
  #hostActs(): void {
    const random = this.#random;
    const { tcp, udp } = this.fixture.sockets;
    if (random.below(3) === 0) {
      const open = udp.filter(({ isClosed }) => !isClosed);
      if (open.length === 0) return;
      const socket = random.pick(open);
      if (random.below(10) === 0) socket.listener.failed();
      else {
        const [last] = socket.sent.slice(-1);
        const from = last?.to ?? { address: address(random), port: 53 };
        // Sometimes the resolver's answer, more or less.
        const answer = Uint8Array.from(last?.bytes ?? []);
        if (answer.length > 3) answer[2] = 0x80;
        socket.listener.received(
          from,
          random.below(2) === 0 ? answer : randomBytes(random, lengthOf(random)),
        );
      }
      return;
    }
    const open = [...tcp, ...this.#arrived].filter((socket) => !socket.isClosed && !this.#over.has(socket));
    if (open.length === 0) return;
    const socket = random.pick(open);
    const { listener } = socket;
    if (!this.#begun.has(socket)) {
      this.#begun.add(socket);
      if (random.below(4) > 0) listener.connected();
      else {
        this.#over.add(socket);
        listener.connectFailed(random.pick(FAILURES));
      }
      return;
    }
    switch (random.below(8)) {
      case 0:
        this.#over.add(socket);
        listener.lost();
        break;
      case 1:
        if (socket.isReading) {
          socket.isReading = false;
          this.#ended.add(socket);
          listener.ended();
        }
        break;
      case 2:
        socket.roomBytes = random.pick([0, 10, 5000, Infinity]);
        break;
      case 3:
        if (socket.keptBytes > 0) socket.drain(random.pick([0, 3000, Infinity]));
        break;
      default:
        if (socket.isReading && !this.#ended.has(socket))
          listener.received(randomBytes(random, 1 + random.pick([0, 100, 5000, 65_535])));
    }
    socket.written.length = 0;
  }

  #arrive(): void {
    const random = this.#random;
    const from = { address: ip("127.0.0.1"), port: random.pick(CLIENT_PORTS) };
    const socket = this.fixture.sockets.arrive(FORWARDED_PORT, from);
    this.#begun.add(socket);
    this.#arrived.push(socket);
  }

  #card(): void {
    const random = this.#random;
    const { guest } = this.fixture;
    if (random.below(3) === 0) {
      if (guest.offload === undefined) guest.offerOffload();
      else guest.offload = undefined;
    }
    guest.roomFrames = random.pick([0, 1, 3]);
    if (random.below(2) === 0) guest.makeRoom();
  }

  #datagram(): void {
    const random = this.#random;
    const ports = { sourcePort: random.below(0x1_0000), destinationPort: random.pick(PORTS) };
    this.fixture.guest.sendDatagram(address(random), ports, randomBytes(random, lengthOf(random) % 1400));
  }

  #dns(): void {
    const random = this.#random;
    const query = [0, random.below(256), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 0x61, 0x62, 0x63, 0, 0, 1, 0, 1];
    const message = this.#damaged(Uint8Array.from(query));
    this.fixture.guest.sendDatagram(DNS_ADDRESS, { sourcePort: 5353, destinationPort: 53 }, message);
  }

  #dhcp(): void {
    const random = this.#random;
    const message = new Uint8Array(240 + random.below(64));
    message.set([1, 1, 6]);
    message.set([0x52, 0x54, 0, 0x12, 0x34, 0x56], 28);
    message.set([0x63, 0x82, 0x53, 0x63], 236);
    const codes = Object.values(DHCP_OPTION);
    for (let at = 240; at < message.length;) {
      const lengthBytes = random.pick([0, 1, 4, 4, 255]);
      message.set([random.pick(codes), lengthBytes].slice(0, message.length - at), at);
      at += 2 + lengthBytes;
    }
    const ends = { source: 0, destination: 0xffff_ffff };
    const data = datagram(ends, { sourcePort: 68, destinationPort: 67 }, this.#damaged(message));
    this.fixture.guest.sendPacket({ ...ends, protocol: IP_PROTOCOL.udp, data });
  }

  #icmp(): void {
    const random = this.#random;
    const data = Uint8Array.from([
      random.pick([0, 3, 5, 8, 8, 8, 11, 13]),
      0,
      0,
      0,
      1,
      2,
      3,
      4,
      ...randomBytes(random, 9),
    ]);
    const view = new DataView(data.buffer);
    view.setUint16(2, checksumOf(addToSum(view, 0, data.length)));
    this.fixture.guest.sendPacket({
      destination: address(random),
      protocol: IP_PROTOCOL.icmp,
      data,
      ttl: random.pick([0, 1, 64]),
    });
  }

  #fragment(): void {
    const random = this.#random;
    this.fixture.guest.sendPacket({
      destination: address(random),
      protocol: random.pick(Object.values(IP_PROTOCOL)),
      identification: random.below(12),
      fragmentOffsetBytes: 8 * random.pick([0, 1, 2, 185, 8190, 8191]),
      hasMoreFragments: random.below(2) === 0,
      data: randomBytes(random, random.pick([0, 8, 8, 16, 1480, random.below(100)])),
    });
  }

  /** A frame that came, or a sound one, with some of its bytes changed, or cut. */
  #damagedFrame(): void {
    const random = this.#random;
    const { guest, network } = this.fixture;
    const sound = guest.frames[0] ?? randomBytes(random, 60);
    const frame = this.#damaged(sound.slice(0, 1514));
    // For us, as a rule.
    if (random.below(4) > 0 && frame.length >= 12) {
      frame.set([0x52, 0x55, 10, 0, 2, 2], 0);
      frame.set([0x52, 0x54, 0, 0x12, 0x34, 0x56], 6);
    }
    if (random.below(2) === 0) network.send(frame);
    else network.offload.send(frame);
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const random = this.#random;
    if (random.below(2) === 0) return bytes;
    const damaged = bytes.slice(0, random.below(4) === 0 ? random.below(bytes.length + 1) : bytes.length);
    for (let count = random.below(4); count > 0 && damaged.length > 0; count--)
      damaged[random.below(damaged.length)] = random.below(256);
    return damaged;
  }
}

/** Runs `guests` guests and gives how many of their packets were dropped for a reason. */
export async function fuzzNat(seed: number, guests: number): Promise<number> {
  let dropped = 0;
  for (let index = 0; index < guests; index++) {
    try {
      dropped += await oneGuest(new Random(seed + index));
    } catch (error) {
      throw new Error(`seed ${String(seed + index)}`, { cause: error });
    }
  }
  return dropped;
}

async function oneGuest(random: Random): Promise<number> {
  const guest = new HostileGuest(random);
  const { fixture } = guest;
  const { network, sockets } = fixture;
  await network.openForwards([
    { protocol: "tcp", host: { address: ip("127.0.0.1"), port: FORWARDED_PORT }, guestPort: FORWARDED_TO },
  ]);
  for (let step = 0; step < STEPS; step++) {
    const beganMs = performance.now();
    guest.step();
    assert.ok(performance.now() - beganMs < STEP_MAX_MS, `step ${String(step)} takes long`);
    const { tcpConnectionsOpen, udpAssociationsOpen } = network.statistics;
    assert.ok(tcpConnectionsOpen <= TCP_CONNECTIONS_MAX && udpAssociationsOpen <= UDP_ASSOCIATIONS_MAX);
    const openUdp = sockets.udp.filter(({ isClosed }) => !isClosed).length;
    assert.ok(openUdp <= UDP_ASSOCIATIONS_MAX + DNS_QUERIES_MAX);
  }
  assertBelowLimits("the NAT");
  const { dropped } = network.statistics;
  serves(fixture);
  network.close();
  assert.equal(fixture.timers.nextDeadlineNs(), undefined, "a closed network has no timer");
  const all = [...sockets.tcp, ...sockets.udp];
  assert.ok(
    all.every(({ isClosed }) => isClosed),
    "every socket is closed",
  );
  return Object.values(dropped).reduce((sum, count) => sum + count, 0);
}

/** A connection from a port that nobody has used. */
function serves(fixture: NetworkFixture): void {
  fixture.guest.offload = undefined;
  fixture.guest.makeRoom();
  fixture.guest.take();
  const tcp = new GuestTcp(fixture.guest, { address: ip("192.0.2.99"), port: 80 }, 60_000);
  const socket = tcp.open(fixture.sockets);
  const content = Uint8Array.from({ length: 3000 }, (_, index) => index & 0xff);
  tcp.send(TCP_FLAG.ack, content.subarray(0, 1460));
  tcp.send(TCP_FLAG.ack | TCP_FLAG.psh, content.subarray(1460));
  fixture.settle();
  assert.deepEqual(Uint8Array.from(socket.written), content);
}
