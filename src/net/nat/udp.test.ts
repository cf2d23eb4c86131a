/** UDP through the NAT, from the guest's side and from outside. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GATEWAY_ADDRESS, LOOPBACK_ADDRESS } from "./addresses.ts";
import { UDP_CLIENTS_MAX } from "./port-forwards.ts";
import { bytesOf, ip, NetworkFixture, text } from "./testing.ts";
import type { FakeUdpSocket, GuestStation } from "./testing.ts";
import { UDP_ASSOCIATIONS_MAX, UDP_REMOTES_MAX, UDP_TIMEOUT_NS } from "./udp-associations.ts";

const OUTSIDE = ip("192.0.2.9");
const PORT = 7;

function send(guest: GuestStation, content: string, to = OUTSIDE, sourcePort = 5000): void {
  guest.sendDatagram(to, { sourcePort, destinationPort: PORT }, bytesOf(content));
}

const socketOf = (fixture: NetworkFixture, index = 0): FakeUdpSocket => {
  const socket = fixture.sockets.udp[index];
  assert.ok(socket !== undefined);
  return socket;
};

test("a datagram goes out and its answer comes back from where it was sent to", () => {
  const fixture = new NetworkFixture();
  send(fixture.guest, "question");
  const socket = socketOf(fixture);
  assert.deepEqual(socket.sent, [{ to: { address: OUTSIDE, port: PORT }, bytes: bytesOf("question") }]);
  socket.listener.received({ address: OUTSIDE, port: PORT }, bytesOf("answer"));
  const [answer] = fixture.guest.takeDatagrams();
  assert.equal(text(answer?.data ?? new Uint8Array()), "answer");
  assert.deepEqual([answer?.source, answer?.sourcePort, answer?.destinationPort], [OUTSIDE, PORT, 5000]);
});

test("a port of the guest's has one socket for all destinations, and lets in whom it has sent to", () => {
  const fixture = new NetworkFixture();
  send(fixture.guest, "one");
  send(fixture.guest, "two", ip("192.0.2.10"));
  assert.equal(fixture.sockets.udp.length, 1);
  const { listener } = socketOf(fixture);
  listener.received({ address: ip("192.0.2.10"), port: 99 }, bytesOf("other port"));
  listener.received({ address: ip("192.0.2.11"), port: PORT }, bytesOf("stranger"));
  assert.deepEqual(
    fixture.guest.takeDatagrams().map(({ data }) => text(data)),
    ["other port"],
  );
  assert.equal(fixture.dropped.refused, 1);
});

test("the addresses that may answer are limited", () => {
  const fixture = new NetworkFixture();
  for (let index = 0; index <= UDP_REMOTES_MAX; index++) send(fixture.guest, "x", OUTSIDE + index);
  const { listener } = socketOf(fixture);
  listener.received({ address: OUTSIDE, port: PORT }, bytesOf("forgotten"));
  listener.received({ address: OUTSIDE + 1, port: PORT }, bytesOf("known"));
  assert.deepEqual(
    fixture.guest.takeDatagrams().map(({ data }) => text(data)),
    ["known"],
  );
});

test("an association ends when the guest has been silent for long", () => {
  const fixture = new NetworkFixture();
  send(fixture.guest, "first");
  fixture.run(UDP_TIMEOUT_NS - 1);
  send(fixture.guest, "again");
  fixture.run(UDP_TIMEOUT_NS - 1);
  assert.equal(fixture.network.statistics.udpAssociationsOpen, 1);
  fixture.run(1);
  assert.equal(fixture.network.statistics.udpAssociationsOpen, 0);
  assert.equal(socketOf(fixture).isClosed, true);
});

test("the association used longest ago makes room for a new one", () => {
  const fixture = new NetworkFixture();
  for (let index = 0; index < UDP_ASSOCIATIONS_MAX; index++) send(fixture.guest, "x", OUTSIDE, 1000 + index);
  send(fixture.guest, "x", OUTSIDE, 1000);
  send(fixture.guest, "x", OUTSIDE, 9000);
  assert.equal(fixture.network.statistics.udpAssociationsOpen, UDP_ASSOCIATIONS_MAX);
  assert.deepEqual([socketOf(fixture, 0).isClosed, socketOf(fixture, 1).isClosed], [false, true]);
  assert.equal(fixture.dropped.limit, 1);
});

test("a large datagram for the guest comes in fragments", () => {
  const fixture = new NetworkFixture();
  send(fixture.guest, "question");
  const content = new Uint8Array(65_507).fill(0x5a);
  socketOf(fixture).listener.received({ address: OUTSIDE, port: PORT }, content);
  const parts = fixture.guest.takePackets();
  assert.equal(parts.length, 45);
  assert.ok(parts.every(({ frame }) => frame.length <= 1514));
  assert.equal(
    parts.reduce((sum, { data }) => sum + data.length, 0),
    8 + content.length,
  );
  assert.deepEqual(parts.at(-1)?.data.slice(-4), content.slice(-4));
});

test("the host's loopback and its own addresses are refused unless they are allowed", () => {
  const refused = new NetworkFixture();
  for (const address of [GATEWAY_ADDRESS, ip("192.0.2.1"), ip("169.254.169.254"), ip("127.0.0.1")])
    send(refused.guest, "x", address);
  const codes = refused.guest.takePackets().map(({ data }) => [...data.subarray(0, 2)]);
  assert.deepEqual(codes, [
    [3, 3],
    [3, 13],
    [3, 13],
    [3, 13],
  ]);
  assert.equal(refused.sockets.udp.length, 0);

  const allowed = new NetworkFixture({ reach: { allowsHost: true, isRestricted: true } });
  for (const address of [GATEWAY_ADDRESS, ip("192.0.2.1"), OUTSIDE]) send(allowed.guest, "x", address);
  assert.deepEqual(
    socketOf(allowed).sent.map(({ to }) => to.address),
    [LOOPBACK_ADDRESS, ip("192.0.2.1")],
  );
  socketOf(allowed).listener.received({ address: LOOPBACK_ADDRESS, port: PORT }, bytesOf("host"));
  const [error, answer] = allowed.guest.takePackets();
  assert.equal(error?.data[1], 13);
  assert.equal(answer?.header.source, GATEWAY_ADDRESS);
});

test("what the host's socket has no room for is lost and counted", () => {
  const fixture = new NetworkFixture();
  send(fixture.guest, "first");
  socketOf(fixture).hasRoom = false;
  send(fixture.guest, "second");
  assert.equal(fixture.dropped.hostBusy, 1);
});

test("a socket that fails ends its association", () => {
  const fixture = new NetworkFixture();
  send(fixture.guest, "first");
  socketOf(fixture).listener.failed();
  send(fixture.guest, "second");
  assert.equal(fixture.sockets.udp.length, 2);
});

test("a forwarded port leads to the guest, and its answers to the client", async () => {
  const fixture = new NetworkFixture();
  const host = { address: LOOPBACK_ADDRESS, port: 6000 };
  await fixture.network.openForwards([{ protocol: "udp", host, guestPort: 69 }]);
  const bound = fixture.sockets.bound.get(6000);
  assert.ok(bound !== undefined);
  const client = { address: LOOPBACK_ADDRESS, port: 3333 };
  bound.listener.received(client, bytesOf("question"));
  const [arrived] = fixture.guest.takeDatagrams();
  assert.deepEqual(
    [arrived?.source, arrived?.sourcePort, arrived?.destinationPort],
    [GATEWAY_ADDRESS, 3333, 69],
  );
  fixture.guest.sendDatagram(GATEWAY_ADDRESS, { sourcePort: 69, destinationPort: 3333 }, bytesOf("answer"));
  assert.deepEqual(bound.sent, [{ to: client, bytes: bytesOf("answer") }]);
  fixture.guest.sendDatagram(GATEWAY_ADDRESS, { sourcePort: 69, destinationPort: 3334 }, bytesOf("nobody"));
  assert.equal(fixture.dropped.refused, 1);
});

test("clients of a forwarded port are limited", async () => {
  const fixture = new NetworkFixture();
  const host = { address: LOOPBACK_ADDRESS, port: 6000 };
  await fixture.network.openForwards([{ protocol: "udp", host, guestPort: 69 }]);
  const bound = fixture.sockets.bound.get(6000);
  for (let index = 0; index <= UDP_CLIENTS_MAX; index++)
    bound?.listener.received({ address: OUTSIDE, port: 1000 + index }, bytesOf("x"));
  fixture.guest.take();
  const answer = (port: number): void =>
    fixture.guest.sendDatagram(OUTSIDE, { sourcePort: 69, destinationPort: port }, bytesOf("y"));
  answer(1001);
  answer(1000);
  assert.equal(bound?.sent.length, 1);
  // Whoever was forgotten is an address outside like any other.
  assert.equal(fixture.sockets.udp.length, 1);
});
