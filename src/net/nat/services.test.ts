/** ARP, DHCP, ICMP, DNS and what is refused, from the guest's side. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { NS_PER_S } from "../../base/index.ts";
import { ETHERNET_HEADER_BYTES, FRAME_BYTES_MIN } from "../network-link.ts";
import { ARP_BYTES, ARP_OPERATION, readArp, writeArp } from "../wire/arp.ts";
import { DHCP_OPTION, DHCP_TYPE } from "../wire/dhcp.ts";
import { DNS_RCODE } from "../wire/dns.ts";
import { BROADCAST_MAC, ETHER_TYPE, readMac } from "../wire/ethernet.ts";
import { finishIcmp, ICMP_TYPE } from "../wire/icmp.ts";
import { IP_PROTOCOL } from "../wire/ipv4.ts";
import { DNS_ADDRESS, GATEWAY_ADDRESS, GUEST_ADDRESS, LIMITED_BROADCAST, macOf } from "./addresses.ts";
import { DNS_QUERIES_MAX, DNS_TIMEOUT_NS } from "./dns-proxy.ts";
import { WAITING_FRAMES_MAX } from "./guest-port.ts";
import { ICMP_ERROR_BURST } from "./icmp-responder.ts";
import { PARTIAL_PACKETS_MAX, REASSEMBLY_TIMEOUT_NS } from "./reassembly.ts";
import { bytesOf, datagram, GUEST_MAC, ip, NetworkFixture, text } from "./testing.ts";
import type { GuestStation } from "./testing.ts";

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function askWhoHas(guest: GuestStation, targetIp: number): void {
  const data = new Uint8Array(ARP_BYTES);
  const sender = { senderMac: guest.mac, senderIp: guest.address };
  writeArp(viewOf(data), 0, { operation: ARP_OPERATION.request, ...sender, targetMac: 0, targetIp });
  guest.send(BROADCAST_MAC, ETHER_TYPE.arp, data);
}

test("ARP knows the gateway and the resolver, and nobody else", () => {
  const { guest } = new NetworkFixture();
  for (const address of [GATEWAY_ADDRESS, DNS_ADDRESS, GUEST_ADDRESS, ip("10.0.2.4")])
    askWhoHas(guest, address);
  const replies = guest.take();
  assert.deepEqual(
    replies.map((frame) => readArp(viewOf(frame), ETHERNET_HEADER_BYTES)),
    [GATEWAY_ADDRESS, DNS_ADDRESS].map((address) => ({
      operation: ARP_OPERATION.reply,
      senderMac: macOf(address),
      senderIp: address,
      targetMac: GUEST_MAC,
      targetIp: GUEST_ADDRESS,
    })),
  );
  assert.deepEqual(
    replies.map((frame) => [frame.length, readMac(viewOf(frame), 0)]),
    [
      [FRAME_BYTES_MIN, GUEST_MAC],
      [FRAME_BYTES_MIN, GUEST_MAC],
    ],
  );
});

// DHCP.

const TRANSACTION = 0x1234_5678;

interface DhcpFields {
  readonly options: readonly (readonly [number, readonly number[]])[];
  readonly clientAddress?: number;
  readonly flags?: number;
}

function dhcp({ options, clientAddress = 0, flags = 0 }: DhcpFields): Uint8Array {
  const tail = [...options.flatMap(([code, value]) => [code, value.length, ...value]), DHCP_OPTION.end];
  const message = new Uint8Array(240 + tail.length);
  const view = viewOf(message);
  message.set([1, 1, 6, 0]);
  view.setUint32(4, TRANSACTION);
  view.setUint16(10, flags);
  view.setUint32(12, clientAddress);
  view.setUint16(28, 0x5254);
  view.setUint32(30, 0x0012_3456);
  view.setUint32(236, 0x63825363);
  message.set(tail, 240);
  return message;
}

function sendDhcp(guest: GuestStation, fields: DhcpFields): void {
  const ends = { source: fields.clientAddress ?? 0, destination: LIMITED_BROADCAST };
  const data = datagram(ends, { sourcePort: 68, destinationPort: 67 }, dhcp(fields));
  guest.sendPacket({ ...ends, protocol: IP_PROTOCOL.udp, data });
}

/** Address given, options, and where it was sent. */
function takeReply(guest: GuestStation) {
  const [packet] = guest.takePackets();
  assert.ok(packet !== undefined);
  const message = packet.data.subarray(8);
  const options = new Map<number, number[]>();
  for (let at = 240; message[at] !== DHCP_OPTION.end;) {
    const lengthBytes = message[at + 1] ?? 0;
    options.set(message[at] ?? 0, [...message.subarray(at + 2, at + 2 + lengthBytes)]);
    at += 2 + lengthBytes;
  }
  const view = viewOf(message);
  assert.equal(view.getUint32(4), TRANSACTION);
  assert.ok(message.length >= 300);
  return {
    type: options.get(DHCP_OPTION.messageType)?.[0],
    yourAddress: view.getUint32(16),
    options,
    destination: packet.header.destination,
    destinationMac: readMac(packet.view, 0),
  };
}

const octets = (address: number): number[] => [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff);
const typeOption = (type: number) => [DHCP_OPTION.messageType, [type]] as const;

test("DHCP discovers, offers, requests and acknowledges", () => {
  const { guest } = new NetworkFixture();
  const identifier = [DHCP_OPTION.clientIdentifier, [1, 2, 3]] as const;
  sendDhcp(guest, { options: [typeOption(DHCP_TYPE.discover), identifier] });
  const offer = takeReply(guest);
  assert.equal(offer.type, DHCP_TYPE.offer);
  assert.equal(offer.yourAddress, GUEST_ADDRESS);
  assert.deepEqual([offer.destination, offer.destinationMac], [GUEST_ADDRESS, GUEST_MAC]);

  sendDhcp(guest, {
    flags: 0x8000,
    options: [
      typeOption(DHCP_TYPE.request),
      [DHCP_OPTION.requestedAddress, octets(GUEST_ADDRESS)],
      [DHCP_OPTION.serverIdentifier, octets(GATEWAY_ADDRESS)],
      identifier,
    ],
  });
  const { type, options, destination, destinationMac } = takeReply(guest);
  assert.equal(type, DHCP_TYPE.ack);
  assert.deepEqual([destination, destinationMac], [LIMITED_BROADCAST, BROADCAST_MAC]);
  assert.deepEqual(options.get(DHCP_OPTION.subnetMask), [255, 255, 255, 0]);
  assert.deepEqual(options.get(DHCP_OPTION.router), octets(GATEWAY_ADDRESS));
  assert.deepEqual(options.get(DHCP_OPTION.dnsServer), octets(DNS_ADDRESS));
  assert.deepEqual(options.get(DHCP_OPTION.leaseTime), octets(86_400));
  assert.deepEqual(options.get(DHCP_OPTION.clientIdentifier), [1, 2, 3]);
  assert.equal(text(Uint8Array.from(options.get(DHCP_OPTION.hostName) ?? [])), "test-vm");
});

test("DHCP refuses another address, and is silent about another server's", () => {
  const { guest } = new NetworkFixture();
  const asksFor = [DHCP_OPTION.requestedAddress, octets(ip("192.168.1.7"))] as const;
  sendDhcp(guest, { options: [typeOption(DHCP_TYPE.request), asksFor] });
  const nak = takeReply(guest);
  assert.deepEqual([nak.type, nak.yourAddress], [DHCP_TYPE.nak, 0]);
  const other = [DHCP_OPTION.serverIdentifier, octets(ip("10.0.2.9"))] as const;
  sendDhcp(guest, { options: [typeOption(DHCP_TYPE.request), asksFor, other] });
  sendDhcp(guest, { options: [typeOption(DHCP_TYPE.release)] });
  assert.deepEqual(guest.take(), []);
});

test("DHCP renews, informs, and serves BOOTP", () => {
  const { guest } = new NetworkFixture();
  sendDhcp(guest, { options: [typeOption(DHCP_TYPE.request)], clientAddress: GUEST_ADDRESS });
  assert.equal(takeReply(guest).type, DHCP_TYPE.ack);
  guest.address = ip("10.0.2.77");
  sendDhcp(guest, { options: [typeOption(DHCP_TYPE.inform)], clientAddress: guest.address });
  const inform = takeReply(guest);
  assert.deepEqual([inform.type, inform.yourAddress, inform.destination], [DHCP_TYPE.ack, 0, guest.address]);
  assert.equal(inform.options.has(DHCP_OPTION.leaseTime), false);
  sendDhcp(guest, { options: [] });
  const bootp = takeReply(guest);
  assert.deepEqual([bootp.type, bootp.yourAddress], [undefined, GUEST_ADDRESS]);
});

// ICMP.

function echo(guest: GuestStation, destination: number, content: Uint8Array, ttl = 64): void {
  const data = new Uint8Array(8 + content.length);
  data.set([8, 0, 0, 0, 0xab, 0xcd, 0, 7]);
  data.set(content, 8);
  finishIcmp(viewOf(data), 0, data.length, ICMP_TYPE.echoRequest, 0);
  guest.sendPacket({ destination, protocol: IP_PROTOCOL.icmp, data, ttl });
}

test("the gateway and the resolver answer echo requests", () => {
  const { guest } = new NetworkFixture();
  echo(guest, GATEWAY_ADDRESS, bytesOf("hello"));
  echo(guest, DNS_ADDRESS, new Uint8Array(0));
  const [first, second] = guest.takePackets();
  assert.deepEqual([...(first?.data ?? [])].toSpliced(2, 2), [0, 0, 0xab, 0xcd, 0, 7, ...bytesOf("hello")]);
  assert.equal(first?.header.source, GATEWAY_ADDRESS);
  assert.equal(second?.header.source, DNS_ADDRESS);
});

test("echo requests to the outside are prohibited, and counted", () => {
  const fixture = new NetworkFixture();
  echo(fixture.guest, ip("192.0.2.9"), bytesOf("hello"));
  const [answer] = fixture.guest.takePackets();
  assert.deepEqual([...(answer?.data.subarray(0, 2) ?? [])], [3, 13]);
  // The header of the request, and eight bytes of it.
  assert.equal(answer?.data.length, 8 + 20 + 8);
  assert.equal(viewOf(answer?.data ?? new Uint8Array(40)).getUint32(24), ip("192.0.2.9"));
  assert.equal(fixture.dropped.refused, 1);
});

test("the gateway is the first router of a path", () => {
  const { guest } = new NetworkFixture();
  echo(guest, ip("192.0.2.9"), bytesOf("hello"), 1);
  const [answer] = guest.takePackets();
  assert.deepEqual([answer?.header.source, ...(answer?.data.subarray(0, 2) ?? [])], [GATEWAY_ADDRESS, 11, 0]);
});

test("errors are limited in number, and come again with time", () => {
  const fixture = new NetworkFixture();
  const refused = (count: number): number => {
    for (let index = 0; index < count; index++) echo(fixture.guest, ip("192.0.2.9"), bytesOf("x"));
    return fixture.guest.take().length;
  };
  assert.equal(refused(ICMP_ERROR_BURST + 10), ICMP_ERROR_BURST);
  fixture.run(NS_PER_S);
  assert.equal(refused(5), 5);
});

// Packets in parts.

function fragments(
  guest: GuestStation,
  data: Uint8Array,
  partBytes: number,
  identification = 9,
): (() => void)[] {
  const count = Math.ceil(data.length / partBytes);
  return Array.from({ length: count }, (_, index) => () => {
    const from = index * partBytes;
    guest.sendPacket({
      destination: GATEWAY_ADDRESS,
      protocol: IP_PROTOCOL.icmp,
      data: data.subarray(from, from + partBytes),
      identification,
      fragmentOffsetBytes: from,
      hasMoreFragments: index < count - 1,
    });
  });
}

function largeEcho(): Uint8Array {
  const data = Uint8Array.from({ length: 4008 }, (_, index) => index & 0xff);
  finishIcmp(viewOf(data), 0, data.length, ICMP_TYPE.echoRequest, 0);
  return data;
}

test("fragments in any order become one packet, whose answer comes in fragments", () => {
  const { guest } = new NetworkFixture();
  const message = largeEcho();
  for (const send of fragments(guest, message, 1480).toReversed()) send();
  const parts = guest.takePackets();
  assert.deepEqual(
    parts.map(({ header }) => [header.fragmentOffsetBytes, header.hasMoreFragments]),
    [
      [0, true],
      [1480, true],
      [2960, false],
    ],
  );
  const answer = Uint8Array.from(parts.flatMap(({ data }) => [...data]));
  assert.deepEqual(answer.subarray(4), message.subarray(4));
  assert.equal(answer[0], ICMP_TYPE.echoReply);
});

test("fragments that overlap end their packet", () => {
  const fixture = new NetworkFixture();
  const [first, , last] = fragments(fixture.guest, largeEcho(), 1480);
  first?.();
  first?.();
  last?.();
  assert.deepEqual([fixture.guest.take().length, fixture.dropped.fragments], [0, 1]);
});

test("a few packets may be in parts at once, for a time", () => {
  const fixture = new NetworkFixture();
  const first = (identification: number): void =>
    fragments(fixture.guest, largeEcho(), 1480, identification)[0]?.();
  for (let index = 0; index < PARTIAL_PACKETS_MAX + 3; index++) first(index);
  assert.equal(fixture.dropped.fragments, 3);
  fixture.run(REASSEMBLY_TIMEOUT_NS + 1);
  first(100);
  assert.equal(fixture.dropped.fragments, 3 + PARTIAL_PACKETS_MAX);
});

// What waits for the card.

test("frames wait for a card without room, as many as there may be, in order", () => {
  const fixture = new NetworkFixture();
  const { guest } = fixture;
  guest.roomFrames = 0;
  const count = WAITING_FRAMES_MAX + 5;
  for (let index = 0; index < count; index++) echo(guest, GATEWAY_ADDRESS, Uint8Array.of(index));
  assert.equal(fixture.dropped.guestBusy, 5);
  guest.makeRoom(10);
  assert.equal(guest.frames.length, 10);
  guest.makeRoom();
  const order = guest.takePackets().map(({ data }) => data[8]);
  assert.deepEqual(
    order,
    Array.from({ length: WAITING_FRAMES_MAX }, (_, index) => index),
  );
});

// DNS.

function dnsQuery(name: string, type = 1, id = 0x4242): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...bytesOf(label)]);
  const head = [id >>> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...head, ...labels, 0, 0, type, 0, 1]);
}

const ask = (guest: GuestStation, query: Uint8Array): void =>
  guest.sendDatagram(DNS_ADDRESS, { sourcePort: 5353, destinationPort: 53 }, query);

test("our own names are answered without asking anybody", () => {
  const { guest, sockets } = new NetworkFixture();
  ask(guest, dnsQuery("Host.Typevisor"));
  ask(guest, dnsQuery("host.typevisor", 28));
  ask(guest, dnsQuery("nobody.typevisor"));
  ask(guest, dnsQuery("2.2.0.10.in-addr.arpa", 12));
  const [address, none, unknown, reverse] = guest.takeDatagrams().map(({ data }) => data);
  assert.deepEqual([...(address?.slice(-4) ?? [])], octets(GATEWAY_ADDRESS));
  assert.deepEqual([address?.[7], none?.[7]], [1, 0]);
  assert.equal((unknown?.[3] ?? 0) & 0xf, DNS_RCODE.nameError);
  assert.match(text(reverse?.slice(-16) ?? new Uint8Array()), /host\ttypevisor\0$/);
  assert.equal(sockets.udp.length, 0);
});

/** The resolver's answer to a query that it got. */
function answerTo(query: Uint8Array): Uint8Array {
  const answer = Uint8Array.from([...query, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
  answer.set([0x81, 0x80], 2);
  answer[7] = 1;
  return answer;
}

test("other names are asked of the host's resolver, with another identification", () => {
  const { guest, sockets } = new NetworkFixture();
  const query = dnsQuery("example.org");
  ask(guest, query);
  const socket = sockets.udp[0];
  const sent = socket?.sent[0];
  assert.deepEqual(sent?.to, sockets.servers[0]);
  assert.notDeepEqual(sent?.bytes.subarray(0, 2), query.subarray(0, 2));
  const answer = answerTo(sent?.bytes ?? query);
  const forged = answer.slice();
  forged[0] = (forged[0] ?? 0) ^ 1;
  socket?.listener.received({ address: ip("192.0.2.66"), port: 53 }, answer);
  socket?.listener.received(sockets.servers[0] ?? { address: 0, port: 0 }, forged);
  assert.deepEqual(guest.take(), []);
  socket?.listener.received(sockets.servers[0] ?? { address: 0, port: 0 }, answer);
  const [reply] = guest.takeDatagrams();
  assert.deepEqual(reply?.data, answerTo(query));
  assert.equal(reply?.source, DNS_ADDRESS);
  assert.equal(socket?.isClosed, true);
});

test("a resolver that does not answer is followed by the next, and then by a failure", () => {
  const fixture = new NetworkFixture();
  const { guest, sockets } = fixture;
  sockets.servers = [1, 2].map((last) => ({ address: ip(`192.0.2.${last}`), port: 53 }));
  ask(guest, dnsQuery("example.org"));
  fixture.run(DNS_TIMEOUT_NS);
  assert.deepEqual(
    sockets.udp.map(({ sent }) => sent[0]?.to),
    sockets.servers,
  );
  fixture.run(DNS_TIMEOUT_NS);
  const [reply] = guest.takeDatagrams();
  assert.equal((reply?.data[3] ?? 0) & 0xf, DNS_RCODE.serverFailure);
  assert.deepEqual(
    sockets.udp.map(({ isClosed }) => isClosed),
    [true, true],
  );
});

test("queries that wait for answers are limited", () => {
  const fixture = new NetworkFixture();
  for (let index = 0; index < DNS_QUERIES_MAX + 3; index++)
    ask(fixture.guest, dnsQuery(`n${index}.example.org`));
  assert.equal(fixture.sockets.udp.length, DNS_QUERIES_MAX);
  assert.equal(fixture.dropped.limit, 3);
});

test("a restricted guest knows our names only", () => {
  const fixture = new NetworkFixture({ reach: { allowsHost: false, isRestricted: true } });
  ask(fixture.guest, dnsQuery("example.org"));
  ask(fixture.guest, dnsQuery("host.typevisor"));
  const codes = fixture.guest.takeDatagrams().map(({ data }) => (data[3] ?? 0) & 0xf);
  assert.deepEqual(codes, [DNS_RCODE.refused, DNS_RCODE.noError]);
  assert.equal(fixture.sockets.udp.length, 0);
});

// What is not taken.

test("frames for others, foreign sources and damage are counted and go nowhere", () => {
  const fixture = new NetworkFixture();
  const { guest } = fixture;
  guest.send(0x3333_0000_0001, 0x86dd, new Uint8Array(46));
  guest.send(BROADCAST_MAC, 0x86dd, new Uint8Array(46));
  guest.sendPacket({
    destination: ip("192.0.2.9"),
    protocol: IP_PROTOCOL.udp,
    source: ip("192.168.1.5"),
    data: new Uint8Array(8),
  });
  guest.send(macOf(GATEWAY_ADDRESS), ETHER_TYPE.ipv4, new Uint8Array(46));
  fixture.network.send(new Uint8Array(13));
  const { unknownProtocol, spoofed, malformed } = fixture.dropped;
  assert.deepEqual({ unknownProtocol, spoofed, malformed }, { unknownProtocol: 2, spoofed: 1, malformed: 2 });
  assert.deepEqual(guest.take(), []);
});

test("a protocol that nobody speaks is unreachable", () => {
  const { guest } = new NetworkFixture();
  guest.sendPacket({ destination: GATEWAY_ADDRESS, protocol: 47, data: new Uint8Array(20) });
  assert.deepEqual([...(guest.takePackets()[0]?.data.subarray(0, 2) ?? [])], [3, 2]);
});
