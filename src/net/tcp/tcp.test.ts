/** TCP, driven from the guest's side segment by segment, with a host's socket whose other side the test is. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NS_PER_MS, NS_PER_S } from "../../base/index.ts";
import { DNS_ADDRESS, GATEWAY_ADDRESS, GUEST_ADDRESS, LOOPBACK_ADDRESS } from "../nat/addresses.ts";
import { bytesOf, GuestTcp, ip, NetworkFixture, text } from "../nat/testing.ts";
import type { ArrivedSegment, FakeTcpSocket } from "../nat/testing.ts";
import { TCP_FLAG } from "../wire/tcp.ts";
import { GAPS_MAX } from "./receive-stream.ts";
import { RTO_INITIAL_NS, RTO_MIN_NS } from "./round-trip.ts";
import {
  KEEP_ALIVE_NS,
  RETRANSMISSIONS_MAX,
  SYN_RETRANSMISSIONS_MAX,
  TIME_WAIT_NS,
} from "./tcp-connection.ts";
import {
  TCP_BUFFER_BYTES,
  TCP_BUFFER_BYTES_MIN,
  TCP_BUFFERS_BYTES_MAX,
  TCP_CONNECTING_MAX,
  TCP_CONNECTIONS_MAX,
} from "./tcp-connections.ts";

const { fin: FIN, syn: SYN, rst: RST, psh: PSH, ack: ACK } = TCP_FLAG;
const WEB = { address: ip("192.0.2.80"), port: 80 };

interface Opened {
  readonly fixture: NetworkFixture;
  readonly tcp: GuestTcp;
  readonly socket: FakeTcpSocket;
}

function opened(fields?: { readonly mss?: number; readonly windowShift?: number }): Opened {
  const fixture = new NetworkFixture();
  const tcp = new GuestTcp(fixture.guest, WEB);
  const socket = tcp.open(fixture.sockets, fields);
  assert.deepEqual(fixture.guest.take(), []);
  return { fixture, tcp, socket };
}

const flagsOf = (segments: readonly ArrivedSegment[]): number[] => segments.map(({ flags }) => flags);
const dataOf = (segments: readonly ArrivedSegment[]): string =>
  segments.map(({ data }) => text(data)).join("");
const pattern = (lengthBytes: number): Uint8Array =>
  Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 7 + (index >> 8)) & 0xff);

// Opening.

test("the guest's SYN is answered when the host has its connection", () => {
  const fixture = new NetworkFixture();
  const tcp = new GuestTcp(fixture.guest, WEB);
  tcp.send(SYN, undefined, { mss: 1460, windowShift: 7 });
  const [socket] = fixture.sockets.tcp;
  assert.deepEqual(socket?.to, WEB);
  assert.deepEqual(fixture.guest.take(), []);
  socket?.listener.connected();
  const [answer] = tcp.takeAll();
  assert.deepEqual(
    [answer?.flags, answer?.acknowledgment, answer?.mss, answer?.windowShift],
    [SYN | ACK, 1001, 1460, 4],
  );
  assert.deepEqual([answer?.source, answer?.sourcePort, answer?.destinationPort], [WEB.address, 80, 40_000]);
  assert.equal(socket?.isReading, false);
  tcp.send(ACK);
  assert.equal(socket?.isReading, true);
});

test("a guest without window scaling is not offered it", () => {
  const fixture = new NetworkFixture();
  const tcp = new GuestTcp(fixture.guest, WEB);
  tcp.send(SYN, undefined, { mss: 1460 });
  fixture.sockets.tcp[0]?.listener.connected();
  const [answer] = tcp.takeAll();
  assert.deepEqual([answer?.windowShift, answer?.window], [undefined, 0xffff]);
});

for (const [reason, type, code] of [
  ["host-unreachable", 3, 1],
  ["timed-out", 3, 1],
  ["network-unreachable", 3, 0],
] as const) {
  test(`that the host has no connection (${reason}) is told by ICMP, with the SYN in it`, () => {
    const fixture = new NetworkFixture();
    const tcp = new GuestTcp(fixture.guest, WEB);
    tcp.send(SYN);
    fixture.sockets.tcp[0]?.listener.connectFailed(reason);
    const packets = fixture.guest.takePackets();
    assert.deepEqual([...(packets[0]?.data.subarray(0, 2) ?? [])], [type, code]);
    assert.deepEqual([...(packets[0]?.data.subarray(28, 32) ?? [])], [40_000 >> 8, 40_000 & 0xff, 0, 80]);
    assert.equal(fixture.network.statistics.tcpConnectionsOpen, 0);
  });
}

test("a refused connection is reset", () => {
  const fixture = new NetworkFixture();
  const tcp = new GuestTcp(fixture.guest, WEB);
  tcp.send(SYN);
  fixture.sockets.tcp[0]?.listener.connectFailed("refused");
  const [answer] = tcp.takeAll();
  assert.deepEqual([answer?.flags, answer?.sequence, answer?.acknowledgment], [RST | ACK, 0, 1001]);
});

test("what may not be reached is refused at once, and the resolver is the host's", () => {
  const fixture = new NetworkFixture();
  for (const address of [GATEWAY_ADDRESS, ip("127.0.0.1"), ip("224.0.0.1"), ip("169.254.169.254")])
    new GuestTcp(fixture.guest, { address, port: 80 }).send(SYN);
  assert.deepEqual(flagsOf(fixture.guest.takeSegments()), [RST | ACK, RST | ACK, RST | ACK, RST | ACK]);
  assert.equal(fixture.sockets.tcp.length, 0);
  new GuestTcp(fixture.guest, { address: DNS_ADDRESS, port: 53 }).send(SYN);
  assert.deepEqual(fixture.sockets.tcp[0]?.to, fixture.sockets.servers[0]);
});

test("host=allow leads from the gateway's address to the host's loopback", () => {
  const fixture = new NetworkFixture({ reach: { allowsHost: true, isRestricted: false } });
  new GuestTcp(fixture.guest, { address: GATEWAY_ADDRESS, port: 80 }).send(SYN);
  assert.deepEqual(fixture.sockets.tcp[0]?.to, { address: LOOPBACK_ADDRESS, port: 80 });
});

test("the answer to a SYN is sent again until the guest has it, and not for ever", () => {
  const fixture = new NetworkFixture();
  const tcp = new GuestTcp(fixture.guest, WEB);
  tcp.send(SYN, undefined, { mss: 1460 });
  fixture.sockets.tcp[0]?.listener.connected();
  fixture.run(RTO_INITIAL_NS);
  assert.deepEqual(flagsOf(tcp.takeAll()), [SYN | ACK, SYN | ACK]);
  fixture.run(120 * NS_PER_S);
  const flags = flagsOf(tcp.takeAll());
  assert.deepEqual(flags.at(-1), RST | ACK);
  assert.equal(flags.length, SYN_RETRANSMISSIONS_MAX);
  assert.equal(fixture.sockets.tcp[0]?.isClosed, true);
});

test("a segment of no connection is reset, a reset is not", () => {
  const fixture = new NetworkFixture();
  const tcp = new GuestTcp(fixture.guest, WEB);
  tcp.acknowledgment = 77;
  tcp.send(ACK, bytesOf("x"));
  const [answer] = tcp.takeAll();
  assert.deepEqual([answer?.flags, answer?.sequence], [RST, 77]);
  tcp.send(RST);
  assert.deepEqual(fixture.guest.take(), []);
});

// From the guest to the host.

test("the guest's bytes reach the host in order, and are acknowledged", () => {
  const { fixture, tcp, socket } = opened();
  tcp.send(ACK | PSH, bytesOf("GET / "));
  tcp.send(ACK | PSH, bytesOf("HTTP/1.0"));
  fixture.settle();
  assert.equal(socket.text, "GET / HTTP/1.0");
  // Less than two full segments: a little later.
  assert.deepEqual(fixture.guest.take(), []);
  fixture.run(20 * NS_PER_MS);
  const [ack] = tcp.takeAll();
  assert.deepEqual([ack?.flags, ack?.acknowledgment], [ACK, tcp.sequence]);
});

test("the first of what the guest sends goes to the host at once, and what follows before the turn together", () => {
  const { fixture, tcp, socket } = opened();
  tcp.send(ACK, bytesOf("a"));
  const atOnce = socket.text;
  tcp.send(ACK, bytesOf("b"));
  tcp.send(ACK, bytesOf("c"));
  const beforeTheTurn = socket.text;
  fixture.settle();
  const behindIt = socket.text;
  tcp.send(ACK, bytesOf("d"));
  assert.deepEqual([atOnce, beforeTheTurn, behindIt, socket.text], ["a", "a", "abc", "abcd"]);
});

test("two full segments are acknowledged at once", () => {
  const { fixture, tcp } = opened();
  tcp.send(ACK, pattern(1460));
  tcp.send(ACK, pattern(1460));
  fixture.settle();
  const [ack] = tcp.takeAll();
  assert.equal(ack?.acknowledgment, tcp.sequence);
});

test("segments out of order are put in order, and what was there is not taken twice", () => {
  const { fixture, tcp, socket } = opened();
  const first = tcp.sequence;
  tcp.resend(ACK, bytesOf("ghi"), { sequence: first + 6 });
  tcp.resend(ACK, bytesOf("cde"), { sequence: first + 2 });
  fixture.settle();
  assert.deepEqual(
    tcp.takeAll().map(({ acknowledgment }) => acknowledgment),
    [first, first],
  );
  assert.equal(socket.text, "");
  tcp.resend(ACK, bytesOf("abcdef"), { sequence: first });
  fixture.settle();
  assert.equal(socket.text, "abcdefghi");
  tcp.resend(ACK, bytesOf("abcdef"), { sequence: first });
  fixture.settle();
  assert.equal(socket.text, "abcdefghi");
  assert.equal(tcp.takeAll().at(-1)?.acknowledgment, first + 9);
});

test("more gaps than there may be lose segments, which come again", () => {
  const { fixture, tcp, socket } = opened();
  const first = tcp.sequence;
  for (let gap = 0; gap <= GAPS_MAX; gap++) tcp.resend(ACK, bytesOf("x"), { sequence: first + 1 + 2 * gap });
  tcp.resend(ACK, bytesOf("y".repeat(2 * GAPS_MAX + 1)), { sequence: first });
  fixture.settle();
  assert.equal(socket.text, "y".repeat(2 * GAPS_MAX + 1));
});

test("a host that does not read closes the window, and opens it again", () => {
  const { fixture, tcp, socket } = opened();
  socket.roomBytes = 0;
  const sent = pattern(TCP_BUFFER_BYTES);
  for (let at = 0; at < sent.length; at += 32_768) {
    tcp.send(ACK, sent.subarray(at, at + 32_768));
    fixture.settle();
  }
  const closed = tcp.takeAll().at(-1);
  assert.deepEqual([closed?.window, closed?.acknowledgment], [0, tcp.sequence]);
  // A probe into the closed window is answered, and its byte not taken.
  tcp.resend(ACK, bytesOf("z"));
  assert.deepEqual(tcp.takeAll().at(-1)?.acknowledgment, tcp.sequence);
  // The ring's bytes lie around its end: what is kept at first is the first write.
  socket.drain();
  fixture.settle();
  assert.equal((tcp.takeAll().at(-1)?.window ?? 0) << 4, TCP_BUFFER_BYTES);
  assert.deepEqual(Uint8Array.from(socket.written), sent);
});

test("data beyond the window is cut off", () => {
  const { fixture, tcp, socket } = opened();
  socket.roomBytes = 0;
  tcp.resend(ACK, pattern(1460), { sequence: tcp.sequence + TCP_BUFFER_BYTES - 10 });
  tcp.resend(ACK, pattern(1460), { sequence: tcp.sequence + TCP_BUFFER_BYTES });
  fixture.settle();
  assert.deepEqual(
    tcp.takeAll().map(({ acknowledgment }) => acknowledgment),
    [tcp.sequence, tcp.sequence],
  );
});

test("a large segment whose checksum is not filled in is taken through the offload", () => {
  const { fixture, tcp, socket } = opened();
  const sent = pattern(60_000);
  tcp.resend(ACK | PSH, sent, {}, true);
  fixture.settle();
  assert.deepEqual(Uint8Array.from(socket.written), sent);
  assert.equal(fixture.dropped.malformed, 0);
});

test("the same without the offload is damaged", () => {
  const { fixture, tcp, socket } = opened();
  const frame = Uint8Array.from(fixture.guest.frames[0] ?? []);
  assert.equal(frame.length, 0);
  tcp.send(ACK, bytesOf("good"));
  fixture.network.send(new Uint8Array(60).fill(0x45));
  fixture.settle();
  assert.deepEqual([socket.text, fixture.dropped.malformed + fixture.dropped.unknownProtocol], ["good", 1]);
});

// From the host to the guest.

test("the host's bytes come in segments of the guest's size, the last one pushed", () => {
  const { tcp, socket } = opened({ mss: 1000 });
  const sent = pattern(2500);
  socket.listener.received(sent);
  const segments = tcp.takeAll();
  assert.deepEqual(
    segments.map(({ data, flags }) => [data.length, flags]),
    [
      [1000, ACK],
      [1000, ACK],
      [500, ACK | PSH],
    ],
  );
  assert.deepEqual(Uint8Array.from(segments.flatMap(({ data }) => [...data])), sent);
});

test("what the guest's window does not hold waits, and is sent as it opens", () => {
  const { tcp, socket } = opened();
  tcp.window = 2000;
  tcp.send(ACK);
  socket.listener.received(pattern(5000));
  assert.deepEqual(
    tcp.takeAll().map(({ data }) => data.length),
    [1460],
  );
  tcp.window = 10_000;
  tcp.send(ACK);
  assert.deepEqual(
    tcp.takeAll().map(({ data }) => data.length),
    [1460, 1460, 620],
  );
});

test("the guest's window is scaled as it said", () => {
  const { fixture, tcp, socket } = opened({ mss: 1460, windowShift: 8 });
  tcp.window = 16;
  tcp.send(ACK);
  socket.listener.received(pattern(9000));
  assert.equal(
    tcp.takeAll().reduce((sum, { data }) => sum + data.length, 0),
    // 4096 bytes in segments of 1460 and what is left of more than half a window.
    2920,
  );
  assert.equal(fixture.network.statistics.tcpRetransmissions, 0);
});

test("a closed window is probed with one byte, for as long as the guest answers", () => {
  const { fixture, tcp, socket } = opened();
  tcp.window = 0;
  tcp.send(ACK);
  socket.listener.received(bytesOf("waiting"));
  assert.deepEqual(tcp.takeAll(), []);
  const first = tcp.acknowledgment;
  for (let round = 0; round < 2 * RETRANSMISSIONS_MAX; round++) {
    fixture.run(61 * NS_PER_S);
    const probes = fixture.guest.takeSegments();
    assert.ok(
      probes.length > 0 && probes.every(({ data, sequence }) => data.length === 1 && sequence === first),
    );
    tcp.send(ACK);
  }
  tcp.window = 100;
  tcp.send(ACK);
  assert.equal(dataOf(tcp.takeAll()), "waiting");
});

test("while the guest's window is closed, its own data is acknowledged at a number that it takes", () => {
  const { fixture, tcp, socket } = opened();
  tcp.window = 0;
  tcp.send(ACK);
  socket.listener.received(bytesOf("waiting"));
  fixture.run(RTO_INITIAL_NS);
  assert.equal(fixture.guest.takeSegments()[0]?.data.length, 1);
  tcp.send(ACK, pattern(3000));
  fixture.settle();
  const [ack] = fixture.guest.takeSegments();
  assert.deepEqual([ack?.sequence, ack?.acknowledgment], [tcp.acknowledgment, tcp.sequence]);
});

test("after a time-out the guest's data is acknowledged behind what it may have received", () => {
  const { fixture, tcp, socket } = opened();
  const start = tcp.acknowledgment;
  socket.listener.received(pattern(3000));
  fixture.run(RTO_INITIAL_NS);
  fixture.guest.take();
  tcp.resend(ACK, pattern(3000));
  fixture.settle();
  const [ack] = fixture.guest.takeSegments();
  assert.equal(ack?.sequence, start + 3000);
});

test("reading the host's socket pauses while the guest takes nothing", () => {
  const { tcp, socket } = opened({ mss: 1460, windowShift: 4 });
  tcp.window = 0;
  tcp.send(ACK);
  const rounds = TCP_BUFFER_BYTES / 65_536;
  for (let round = 1; round < rounds; round++) {
    socket.listener.received(pattern(65_536));
    assert.equal(socket.isReading, true);
  }
  socket.listener.received(pattern(65_536));
  assert.equal(socket.isReading, false);
  tcp.window = 0xffff;
  tcp.send(ACK);
  for (let round = 0; round < 40 && !socket.isReading; round++) {
    tcp.takeAll();
    tcp.send(ACK);
  }
  assert.equal(socket.isReading, true);
});

test("what is not acknowledged in time is sent again, later each time, and then given up", () => {
  const { fixture, tcp, socket } = opened();
  socket.listener.received(bytesOf("lost"));
  const first = tcp.takeAll()[0]?.sequence;
  fixture.run(RTO_INITIAL_NS);
  const again = fixture.guest.takeSegments();
  assert.deepEqual(
    again.map(({ sequence, data }) => [sequence, text(data)]),
    [[first, "lost"]],
  );
  fixture.run(RTO_INITIAL_NS);
  assert.deepEqual(fixture.guest.take(), []);
  fixture.run(RTO_INITIAL_NS);
  assert.equal(fixture.guest.take().length, 1);
  fixture.run(900 * NS_PER_S);
  const rest = fixture.guest.takeSegments();
  assert.equal(rest.at(-1)?.flags, RST | ACK);
  assert.equal(fixture.network.statistics.tcpRetransmissions, RETRANSMISSIONS_MAX);
  assert.equal(socket.isClosed, true);
});

test("the time-out follows measured round trips, but not below its least", () => {
  const { fixture, tcp, socket } = opened();
  for (let round = 0; round < 5; round++) {
    socket.listener.received(bytesOf("ping"));
    tcp.takeAll();
    fixture.run(NS_PER_MS);
    tcp.send(ACK);
  }
  socket.listener.received(bytesOf("lost"));
  tcp.takeAll();
  fixture.run(RTO_MIN_NS - 1);
  assert.deepEqual(fixture.guest.take(), []);
  fixture.run(1);
  assert.equal(fixture.guest.take().length, 1);
});

test("three duplicate acknowledgments bring what is missing at once, and no more than that", () => {
  const { fixture, tcp, socket } = opened();
  const start = tcp.acknowledgment;
  socket.listener.received(pattern(8 * 1460));
  const segments = fixture.guest.takeSegments();
  assert.equal(segments.length, 8);
  // The first was lost.
  tcp.acknowledgment = start;
  tcp.send(ACK);
  tcp.send(ACK);
  assert.deepEqual(fixture.guest.take(), []);
  tcp.send(ACK);
  const again = fixture.guest.takeSegments();
  assert.deepEqual(
    again.map(({ sequence, data }) => [sequence, data.length]),
    [[start, 1460]],
  );
  tcp.acknowledgment = start + 8 * 1460;
  tcp.send(ACK);
  assert.deepEqual(fixture.guest.take(), []);
  assert.equal(fixture.network.statistics.tcpRetransmissions, 1);
});

test("a card without room is given the rest when it has room again", () => {
  const { fixture, tcp, socket } = opened();
  fixture.guest.roomFrames = 2;
  const sent = pattern(8 * 1460);
  socket.listener.received(sent);
  assert.equal(fixture.guest.frames.length, 2);
  fixture.guest.makeRoom();
  assert.deepEqual(Uint8Array.from(tcp.takeAll().flatMap(({ data }) => [...data])), sent);
  assert.equal(fixture.network.statistics.tcpRetransmissions, 0);
});

test("a SYN that the card has no room for goes as soon as there is some", () => {
  const fixture = new NetworkFixture();
  const tcp = new GuestTcp(fixture.guest, WEB);
  tcp.send(SYN, undefined, { mss: 1460 });
  fixture.guest.roomFrames = 0;
  fixture.sockets.tcp[0]?.listener.connected();
  assert.deepEqual(fixture.guest.take(), []);
  fixture.guest.makeRoom();
  assert.deepEqual(flagsOf(tcp.takeAll()), [SYN | ACK]);
});

test("several connections take turns at a card with little room", () => {
  const fixture = new NetworkFixture();
  const sockets = [1, 2, 3].map((port) => new GuestTcp(fixture.guest, WEB, port).open(fixture.sockets));
  fixture.guest.roomFrames = 0;
  for (const { listener } of sockets) listener.received(pattern(20 * 1460));
  const first = new Map<number, number>();
  for (let round = 0; round < 3; round++) {
    fixture.guest.makeRoom(5);
    for (const { destinationPort } of fixture.guest.takeSegments())
      first.set(destinationPort, (first.get(destinationPort) ?? 0) + 1);
  }
  assert.deepEqual([...first.values()], [5, 5, 5]);
});

test("small segments are acknowledged in pairs too", () => {
  const { fixture, tcp } = opened({ mss: 536 });
  tcp.send(ACK, pattern(536));
  tcp.send(ACK, pattern(536));
  fixture.settle();
  assert.equal(tcp.takeAll()[0]?.acknowledgment, tcp.sequence);
});

test("a card that cuts segments itself is given large ones", () => {
  const { fixture, tcp, socket } = opened();
  const { segmentBytes } = fixture.guest.offerOffload();
  const sent = pattern(10 * 1460);
  socket.listener.received(sent);
  const segments = tcp.takeAll();
  assert.deepEqual(
    segments.map(({ data }) => data.length),
    [10 * 1460],
  );
  assert.deepEqual(segmentBytes, [1460]);
});

// Closing.

test("the guest closes first, and then the host", () => {
  const { fixture, tcp, socket } = opened();
  tcp.send(ACK | FIN, bytesOf("last words"));
  fixture.settle();
  assert.deepEqual([socket.text, socket.isEnded], ["last words", true]);
  assert.equal(tcp.takeAll().at(-1)?.acknowledgment, tcp.sequence);
  socket.listener.received(bytesOf("answer"));
  socket.listener.ended();
  const segments = tcp.takeAll();
  assert.equal(dataOf(segments), "answer");
  assert.equal((segments.at(-1)?.flags ?? 0) & FIN, FIN);
  tcp.send(ACK);
  assert.equal(fixture.network.statistics.tcpConnectionsOpen, 0);
  assert.equal(socket.isClosed, true);
});

test("the host closes first, and the guest may go on sending", () => {
  const { fixture, tcp, socket } = opened();
  socket.listener.received(bytesOf("all"));
  socket.listener.ended();
  const segments = tcp.takeAll();
  assert.deepEqual([dataOf(segments), (segments.at(-1)?.flags ?? 0) & FIN], ["all", FIN]);
  tcp.send(ACK);
  tcp.send(ACK, bytesOf("more"));
  fixture.settle();
  assert.equal(socket.text, "more");
  assert.equal(socket.isEnded, false);
  tcp.send(ACK | FIN);
  fixture.settle();
  assert.equal(socket.isEnded, true);
  assert.equal(tcp.takeAll().at(-1)?.acknowledgment, tcp.sequence);
  // TIME-WAIT: a lost acknowledgment can still be sent again.
  tcp.resend(ACK | FIN, undefined, { sequence: tcp.sequence - 1 });
  assert.equal(tcp.takeAll().at(-1)?.acknowledgment, tcp.sequence);
  fixture.run(TIME_WAIT_NS - 1);
  assert.equal(fixture.network.statistics.tcpConnectionsOpen, 1);
  fixture.run(1);
  assert.equal(fixture.network.statistics.tcpConnectionsOpen, 0);
});

test("both close at once", () => {
  const { fixture, tcp, socket } = opened();
  socket.listener.ended();
  const before = tcp.acknowledgment;
  tcp.send(ACK | FIN);
  fixture.settle();
  const segments = tcp.takeAll();
  assert.equal((segments[0]?.flags ?? 0) & FIN, FIN);
  assert.equal(segments[0]?.sequence, before);
  assert.equal(segments.at(-1)?.acknowledgment, tcp.sequence);
  tcp.send(ACK);
  fixture.run(TIME_WAIT_NS);
  assert.equal(fixture.network.statistics.tcpConnectionsOpen, 0);
});

test("a FIN that was lost comes again", () => {
  const { fixture, tcp, socket } = opened();
  socket.listener.ended();
  const [fin] = fixture.guest.takeSegments();
  fixture.run(RTO_INITIAL_NS);
  const [again] = tcp.takeAll();
  assert.deepEqual([again?.flags, again?.sequence], [fin?.flags, fin?.sequence]);
});

test("the last bytes of the guest's are written before the host's socket is ended", () => {
  const { fixture, tcp, socket } = opened();
  socket.roomBytes = 0;
  tcp.send(ACK | FIN, bytesOf("slowly"));
  fixture.settle();
  socket.listener.ended();
  tcp.takeAll();
  tcp.send(ACK);
  assert.deepEqual([socket.isEnded, socket.isClosed], [false, false]);
  socket.drain();
  assert.deepEqual([socket.text, socket.isEnded, socket.isClosed], ["slowly", true, true]);
});

test("a reset of the guest's resets the host's side, and the other way round", () => {
  const first = opened();
  first.tcp.send(RST | ACK);
  assert.equal(first.socket.isClosed, true);
  assert.deepEqual(first.fixture.guest.take(), []);
  const second = opened();
  second.socket.listener.lost();
  assert.deepEqual(flagsOf(second.tcp.takeAll()), [RST | ACK]);
});

test("a reset or a SYN inside the window but not at its start is only answered (RFC 5961)", () => {
  const { fixture, tcp, socket } = opened();
  tcp.resend(RST, undefined, { sequence: tcp.sequence + 5 });
  tcp.resend(SYN, undefined, { sequence: tcp.sequence + 5 });
  assert.deepEqual(flagsOf(tcp.takeAll()), [ACK, ACK]);
  tcp.resend(RST, undefined, { sequence: tcp.sequence + 0x4000_0000 });
  assert.equal(socket.isClosed, false);
  assert.equal(fixture.network.statistics.tcpConnectionsOpen, 1);
});

test("an acknowledgment of what was never sent is answered and changes nothing", () => {
  const { tcp, socket } = opened();
  tcp.resend(ACK, undefined, { acknowledgment: tcp.acknowledgment + 1000 });
  assert.deepEqual(flagsOf(tcp.takeAll()), [ACK]);
  socket.listener.received(bytesOf("still here"));
  assert.equal(dataOf(tcp.takeAll()), "still here");
});

test("an idle connection is probed, and ended when nobody answers", () => {
  const { fixture, tcp, socket } = opened();
  fixture.run(KEEP_ALIVE_NS);
  const [probe] = fixture.guest.takeSegments();
  assert.equal(probe?.sequence, tcp.acknowledgment - 1);
  tcp.send(ACK);
  fixture.run(KEEP_ALIVE_NS - 1);
  assert.deepEqual(fixture.guest.take(), []);
  fixture.run(KEEP_ALIVE_NS);
  assert.equal(socket.isClosed, true);
});

// Limits.

test("connections are limited, and those in TIME-WAIT make room", () => {
  const fixture = new NetworkFixture();
  const sockets: FakeTcpSocket[] = [];
  for (let index = 0; index < TCP_CONNECTIONS_MAX; index++)
    sockets.push(new GuestTcp(fixture.guest, WEB, 1000 + index).open(fixture.sockets));
  new GuestTcp(fixture.guest, WEB, 999).send(SYN);
  assert.deepEqual([fixture.sockets.tcp.length, fixture.dropped.limit], [TCP_CONNECTIONS_MAX, 1]);
  assert.ok(TCP_CONNECTIONS_MAX * 2 * TCP_BUFFER_BYTES > TCP_BUFFERS_BYTES_MAX);
  const last = new GuestTcp(fixture.guest, WEB, 1000);
  fixture.guest.take();
  sockets[0]?.listener.ended();
  last.takeAll();
  last.sequence = 1001;
  last.send(ACK | FIN);
  fixture.settle();
  fixture.guest.take();
  new GuestTcp(fixture.guest, WEB, 999).open(fixture.sockets);
  assert.equal(fixture.network.statistics.tcpConnectionsOpen, TCP_CONNECTIONS_MAX);
});

test("many connections have smaller buffers", () => {
  const fixture = new NetworkFixture();
  const large = TCP_BUFFERS_BYTES_MAX / (2 * TCP_BUFFER_BYTES);
  const windows: number[] = [];
  for (let index = 0; index <= large; index++) {
    const tcp = new GuestTcp(fixture.guest, WEB, 1000 + index);
    const socket = tcp.open(fixture.sockets, { mss: 1460, windowShift: 4 });
    socket.listener.received(bytesOf("x"));
    windows.push((fixture.guest.takeSegments()[0]?.window ?? 0) << 4);
  }
  assert.equal(windows[0], TCP_BUFFER_BYTES);
  assert.equal(windows.at(-1), TCP_BUFFER_BYTES_MIN);
});

test("connections that the host has not made yet are limited", () => {
  const fixture = new NetworkFixture();
  for (let index = 0; index < TCP_CONNECTING_MAX + 5; index++)
    new GuestTcp(fixture.guest, WEB, 1000 + index).send(SYN);
  assert.deepEqual([fixture.sockets.tcp.length, fixture.dropped.limit], [TCP_CONNECTING_MAX, 5]);
  fixture.sockets.tcp[0]?.listener.connectFailed("refused");
  new GuestTcp(fixture.guest, WEB, 999).send(SYN);
  assert.equal(fixture.sockets.tcp.length, TCP_CONNECTING_MAX + 1);
});

test("a new SYN takes the place of a connection in TIME-WAIT", () => {
  const { fixture, tcp, socket } = opened();
  socket.listener.ended();
  tcp.takeAll();
  tcp.send(ACK | FIN);
  fixture.settle();
  fixture.guest.take();
  const again = new GuestTcp(fixture.guest, WEB);
  again.sequence = tcp.sequence + 100;
  again.open(fixture.sockets);
  assert.equal(fixture.sockets.tcp.length, 2);
  assert.equal(fixture.network.statistics.tcpConnectionsOpen, 1);
});

// Forwarded ports.

async function forwarded(): Promise<{ fixture: NetworkFixture; tcp: GuestTcp; socket: FakeTcpSocket }> {
  const fixture = new NetworkFixture();
  const host = { address: LOOPBACK_ADDRESS, port: 2222 };
  const result = await fixture.network.openForwards([{ protocol: "tcp", host, guestPort: 22 }]);
  assert.equal(result.ok, true);
  const socket = fixture.sockets.arrive(2222, { address: LOOPBACK_ADDRESS, port: 50_000 });
  const tcp = new GuestTcp(fixture.guest, { address: GATEWAY_ADDRESS, port: 50_000 }, 22);
  return { fixture, tcp, socket };
}

test("a forwarded port opens a connection to the guest", async () => {
  const { fixture, tcp, socket } = await forwarded();
  const [syn] = tcp.takeAll();
  assert.deepEqual(
    [syn?.flags, syn?.source, syn?.sourcePort, syn?.destinationPort, syn?.mss],
    [SYN, GATEWAY_ADDRESS, 50_000, 22, 1460],
  );
  tcp.send(SYN | ACK, undefined, { mss: 1460, windowShift: 2 });
  assert.equal(socket.isReading, true);
  assert.deepEqual(flagsOf(tcp.takeAll()), [ACK]);
  tcp.send(ACK, bytesOf("SSH-2.0"));
  fixture.settle();
  assert.equal(socket.text, "SSH-2.0");
  socket.listener.received(bytesOf("hello"));
  assert.equal(dataOf(tcp.takeAll()), "hello");
});

test("a guest that refuses resets the client, and one that is silent too, later", async () => {
  const refusing = await forwarded();
  refusing.tcp.takeAll();
  refusing.tcp.send(RST | ACK);
  assert.equal(refusing.socket.isClosed, true);
  const silent = await forwarded();
  silent.fixture.run(120 * NS_PER_S);
  assert.equal(silent.socket.isClosed, true);
  assert.ok(silent.fixture.guest.frames.length > SYN_RETRANSMISSIONS_MAX);
});

test("both ends may open at once", async () => {
  const { tcp, socket } = await forwarded();
  tcp.takeAll();
  tcp.send(SYN, undefined, { mss: 1460, windowShift: 2 });
  const [answer] = tcp.takeAll();
  assert.equal(answer?.flags, SYN | ACK);
  tcp.send(ACK);
  assert.equal(socket.isReading, true);
});

test("an acknowledgment that makes no sense while opening is reset", async () => {
  const { tcp, socket } = await forwarded();
  tcp.takeAll();
  tcp.resend(ACK, undefined, { acknowledgment: 12_345 });
  const [answer] = tcp.takeAll();
  assert.deepEqual([answer?.flags, answer?.sequence], [RST, 12_345]);
  assert.equal(socket.isClosed, false);
});

test("clients with the same port from different addresses of the host get ports of their own", async () => {
  const { fixture } = await forwarded();
  fixture.sockets.arrive(2222, { address: ip("192.0.2.1"), port: 50_000 });
  const ports = fixture.guest.takeSegments().map(({ source, sourcePort }) => [source, sourcePort]);
  assert.deepEqual(ports, [
    [GATEWAY_ADDRESS, 50_000],
    [GATEWAY_ADDRESS, 49_152],
  ]);
  fixture.sockets.arrive(2222, { address: ip("192.0.2.77"), port: 50_000 });
  assert.equal(fixture.guest.takeSegments()[0]?.source, ip("192.0.2.77"));
  assert.equal(fixture.guest.address, GUEST_ADDRESS);
});

test("closing the network closes every socket and leaves no timer", async () => {
  const { fixture, tcp, socket } = await forwarded();
  tcp.takeAll();
  const other = new GuestTcp(fixture.guest, WEB).open(fixture.sockets);
  fixture.network.close();
  assert.deepEqual([socket.isClosed, other.isClosed], [true, true]);
  assert.equal(fixture.sockets.accepting.size, 0);
  assert.equal(fixture.timers.nextDeadlineNs(), undefined);
});
