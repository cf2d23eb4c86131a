import assert from "node:assert/strict";
import { test } from "node:test";
import { checksumAdd, checksumOf } from "../../net/index.ts";
import { frameOf } from "../../net/testing.ts";
import { CHECKED, checkReceived } from "./received-checksums.ts";

const { ip, ipGood, transport, transportGood, isUdp } = CHECKED;
const ADDRESSES = [10, 0, 2, 2, 10, 0, 2, 15];
const ADDRESSES6 = Array.from({ length: 32 }, (_, index) => index);

interface PacketParts {
  readonly protocol: number;
  /** Header and data, its checksum field 0. */
  readonly segment: readonly number[];
  /** Where the segment has its checksum. */
  readonly field: number;
  readonly fragment?: number;
  readonly vlan?: number;
}

const u16 = (value: number): number[] => [value >>> 8, value & 0xff];

function withSum(addresses: readonly number[], { protocol, segment, field }: PacketParts): Uint8Array {
  const bytes = Uint8Array.from(segment);
  const pseudo = checksumAdd(protocol + bytes.length, Uint8Array.from(addresses), 0, addresses.length);
  bytes.set(u16(checksumOf(checksumAdd(pseudo, bytes, 0, bytes.length))), field);
  return bytes;
}

function ipv4(parts: PacketParts): Uint8Array {
  const { protocol, segment, fragment = 0, vlan } = parts;
  const header = Uint8Array.from([0x45, 0, ...u16(20 + segment.length), 0, 1, ...u16(fragment), 64, protocol, 0, 0, ...ADDRESSES]); // prettier-ignore
  header.set(u16(checksumOf(checksumAdd(0, header, 0, 20))), 10);
  const data = [...header, ...withSum(ADDRESSES, parts)];
  return frameOf({ type: 0x0800, data, ...(vlan === undefined ? {} : { vlan }) });
}

function ipv6(parts: PacketParts, nextHeader = parts.protocol): Uint8Array {
  const header = [0x60, 0, 0, 0, ...u16(parts.segment.length), nextHeader, 64, ...ADDRESSES6];
  return frameOf({ type: 0x86dd, data: [...header, ...withSum(ADDRESSES6, parts)] });
}

const TCP: PacketParts = { protocol: 6, field: 16, segment: [...new Uint8Array(20), 1, 2, 3] };
const UDP: PacketParts = { protocol: 17, field: 6, segment: [0, 1, 0, 2, 0, 11, 0, 0, 7, 8, 9] };
const GOOD = ip | ipGood | transport | transportGood;

function spoilt(frame: Uint8Array, at: number): Uint8Array {
  const bytes = Uint8Array.from(frame);
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  return bytes;
}

test("TCP and UDP over both IPs, with padding behind them", () => {
  assert.equal(checkReceived(ipv4(TCP)), GOOD);
  assert.equal(checkReceived(ipv4(UDP)), GOOD | isUdp);
  assert.equal(checkReceived(ipv6(TCP)), transport | transportGood);
  assert.equal(checkReceived(ipv6(UDP)), transport | transportGood | isUdp);
  const padded = new Uint8Array(100).fill(0xee);
  padded.set(ipv4(TCP));
  assert.equal(checkReceived(padded), GOOD);
  assert.equal(checkReceived(ipv4({ ...TCP, vlan: 3 })), GOOD);
});

test("what is wrong is said apart for IP and what it carries", () => {
  assert.equal(checkReceived(spoilt(ipv4(TCP), 22)), ip);
  assert.equal(checkReceived(spoilt(ipv4(TCP), 56)), ip | ipGood | transport);
  assert.equal(checkReceived(spoilt(ipv4(UDP), 44)), ip | ipGood | transport | isUdp);
  assert.equal(checkReceived(spoilt(ipv6(TCP), 76)), transport);
});

test("what cannot be checked is not: fragments, other protocols, extension headers, UDP without a sum", () => {
  assert.equal(checkReceived(ipv4({ ...TCP, fragment: 0x2000 })), ip | ipGood);
  assert.equal(checkReceived(ipv4({ ...TCP, fragment: 1 })), ip | ipGood);
  assert.equal(checkReceived(ipv4({ ...TCP, fragment: 0x4000 })), GOOD);
  assert.equal(checkReceived(ipv4({ ...UDP, protocol: 1 })), ip | ipGood);
  assert.equal(checkReceived(ipv6(TCP, 0)), 0);
  const noSum = ipv4(UDP);
  noSum.set([0, 0], 14 + 20 + 6);
  assert.equal(checkReceived(noSum), ip | ipGood);
});

test("lengths that do not fit: nothing is checked", () => {
  const frame = ipv4(TCP);
  assert.equal(checkReceived(frame.subarray(0, frame.length - 1)), 0);
  assert.equal(checkReceived(ipv6(TCP).subarray(0, 70)), 0);
  for (const [at, value] of [
    [14, 0x44],
    [14, 0x55],
    [17, 19],
  ] as const) {
    // prettier-ignore
    const wrong = Uint8Array.from(frame);
    wrong[at] = value;
    assert.equal(checkReceived(wrong), 0, `${at}`);
  }
  assert.equal(checkReceived(ipv4({ ...TCP, segment: [...new Uint8Array(19)] })), ip | ipGood);
  assert.equal(checkReceived(frameOf()), 0);
  assert.equal(checkReceived(new Uint8Array(14)), 0);
});
