import assert from "node:assert/strict";
import { test } from "node:test";
import { appendFrameCheckSequence, frameCheckSequence, multicastHash } from "./frame-check-sequence.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

test("the check value of CRC-32", () => {
  assert.equal(frameCheckSequence(ascii("123456789")), 0xcbf43926);
  assert.equal(frameCheckSequence(new Uint8Array(0)), 0);
});

test("bytes behind the length do not count, and lengths of all remainders agree with the definition", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => index * 37);
  for (let length = 0; length <= bytes.length; length++) {
    let crc = 0xffffffff;
    for (const byte of bytes.subarray(0, length)) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) * 0xedb88320);
    }
    assert.equal(frameCheckSequence(bytes, length), ~crc >>> 0, String(length));
  }
});

test("a frame with its sequence behind it leaves the residue", () => {
  const bytes = new Uint8Array(64).fill(0x5a);
  appendFrameCheckSequence(bytes, 60);
  assert.equal(frameCheckSequence(bytes), 0x2144df1c);
});

test("the multicast hash is the upper bits of the CRC with the highest power first", () => {
  for (const address of [
    [0x01, 0x00, 0x5e, 0, 0, 1],
    [0x33, 0x33, 0, 0, 0, 1],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ]) {
    assert.equal(multicastHash(Uint8Array.from(address)), hashByDefinition(address));
  }
});

/** Bit by bit; where a bit is 1 depends on what is shifted out and on the next bit of the address. */
function hashByDefinition(address: readonly number[]): number {
  let crc = 0xffffffff;
  for (const byte of address) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++, rest >>= 1) {
      const carry = (crc >>> 31) ^ (rest & 1);
      crc = (crc << 1) ^ (carry * 0x04c11db7);
    }
  }
  return crc >>> 26;
}
