/** Headers and checksums against figures of others: RFC 1071's example, packets as they were captured from real stations. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIpv4, macNumber, parseIpv4, parseMac } from "./addresses.ts";
import { addToSum, checksumOf, isIntact, pseudoHeaderSum } from "./checksum.ts";
import { readIpv4, writeIpv4 } from "./ipv4.ts";
import { readTcp } from "./tcp.ts";
import { readUdp } from "./udp.ts";

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const hexBytes = (digits: string): Uint8Array =>
  Uint8Array.from(digits.replaceAll(" ", "").match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

test("the checksum is that of RFC 1071's example, in one piece or two", () => {
  const view = viewOf(hexBytes("0001 f203 f4f5 f6f7"));
  assert.equal(checksumOf(addToSum(view, 0, 8)), 0xffff - 0xddf2);
  assert.equal(checksumOf(addToSum(view, 2, 8, addToSum(view, 0, 2))), 0xffff - 0xddf2);
});

test("an odd last byte counts as the high one", () => {
  assert.equal(checksumOf(addToSum(viewOf(hexBytes("0001 ab")), 0, 3)), 0xffff - 0xab01);
});

test("the largest packet of ones does not overflow the sum", () => {
  const view = viewOf(new Uint8Array(65_535).fill(0xff));
  // 32767 words of ffff are 0 in one's complement; ff00 is left.
  assert.equal(checksumOf(addToSum(view, 0, 65_535)), 0x00ff);
});

test("sums do not depend on where bytes lie in memory", () => {
  const bytes = hexBytes("00 4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");
  assert.ok(isIntact(addToSum(viewOf(bytes), 1, bytes.length)));
});

test("an IPv4 header is read and written with its checksum", () => {
  const bytes = hexBytes("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7");
  const padded = new Uint8Array(0x73);
  padded.set(bytes);
  const header = readIpv4(viewOf(padded), 0);
  assert.equal(header?.protocol, 17);
  assert.equal(formatIpv4(header?.source ?? 0), "192.168.0.1");
  assert.equal(formatIpv4(header?.destination ?? 0), "192.168.0.199");
  const written = new Uint8Array(20);
  writeIpv4(viewOf(written), 0, {
    totalBytes: 0x73,
    identification: 0,
    fragmentOffsetBytes: 0,
    hasMoreFragments: false,
    ttl: 64,
    protocol: 17,
    source: 0xc0a80001,
    destination: 0xc0a800c7,
  });
  assert.deepEqual(written, bytes);
});

for (const [what, at, value] of [
  ["version 6", 0, 0x65],
  ["a header of 16 bytes", 0, 0x44],
  ["a total length behind the frame's end", 3, 0x74],
  ["a wrong checksum", 11, 0x62],
] as const) {
  test(`an IPv4 header with ${what} is not one`, () => {
    const bytes = new Uint8Array(0x73);
    bytes.set(hexBytes("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7"));
    bytes[at] = value;
    assert.equal(readIpv4(viewOf(bytes), 0), undefined);
  });
}

test("a SYN of Linux is read with its options", () => {
  const bytes = hexBytes(
    "a1b2 0050 11223344 00000000 a002 faf0 0000 0000 020405b4 0402 080a 00000001 00000000 01 030307",
  );
  const segment = readTcp(viewOf(bytes), 0, bytes.length, { source: 1, destination: 2 }, true);
  assert.deepEqual(
    { mss: segment?.mss, shift: segment?.windowShift, flags: segment?.flags, data: segment?.dataBytes },
    { mss: 1460, shift: 7, flags: 2, data: 0 },
  );
});

for (const [what, options] of [
  ["longer than the header", "020405b4 02ff0000"],
  ["of length 0", "0200 05b4 00000000"],
  ["cut at its kind", "01010101 01010102"],
] as const) {
  test(`a TCP option ${what} says nothing`, () => {
    const bytes = hexBytes(`a1b2 0050 11223344 00000000 7002 faf0 0000 0000 ${options}`);
    const segment = readTcp(viewOf(bytes), 0, bytes.length, { source: 1, destination: 2 }, true);
    assert.ok(segment?.mss === undefined || segment.mss === 1460);
    assert.equal(segment?.windowShift, undefined);
  });
}

test("a datagram with checksum 0 was not summed, and one that is wrong is none", () => {
  const ends = { source: 0x0a00020f, destination: 0x0a000203 };
  const bytes = hexBytes("1234 0035 000a 0000 abcd");
  assert.equal(readUdp(viewOf(bytes), 0, bytes.length, ends, false)?.destinationPort, 53);
  bytes[7] = 1;
  assert.equal(readUdp(viewOf(bytes), 0, bytes.length, ends, false), undefined);
  const pseudo = pseudoHeaderSum(ends.source, ends.destination, 17, 10);
  bytes.set([0, 0], 6);
  viewOf(bytes).setUint16(6, checksumOf(addToSum(viewOf(bytes), 0, 10, pseudo)));
  assert.equal(readUdp(viewOf(bytes), 0, bytes.length, ends, false)?.lengthBytes, 10);
});

test("addresses are read as people write them, and nothing else", () => {
  assert.equal(parseIpv4("10.0.2.15"), 0x0a00020f);
  for (const wrong of ["10.0.2", "10.0.2.256", "10.0.2.1.1", "10.0.02.1", "a.b.c.d", ""])
    assert.equal(parseIpv4(wrong), undefined, wrong);
  assert.equal(macNumber(parseMac("52:54:00:AB-cd:01") ?? new Uint8Array()), 0x525400abcd01);
  assert.equal(parseMac("52:54:00:ab:cd"), undefined);
});
