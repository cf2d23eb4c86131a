import assert from "node:assert/strict";
import { test } from "node:test";
import xz from "xz-decompress";
import { BootFailure } from "./boot-error.ts";
import { withoutX86Filter } from "./xz-x86.ts";

/** `xz --check=crc32 --x86 --lzma2=preset=9e,dict=4KiB` of 625 bytes dense with calls and jumps. */
const FILTERED = Buffer.from(
  "/Td6WFoAAAFpIt42AgEEACEBAADaM60D4AJwANZdAHS7WNCR1b/XSrsXvDod/0xzndUZ6k35hVgHA7aNrNfuo4LrRiYZISthKHmy" +
    "XrpA42JoZX+ragtHgT+oG2yBdWoUSMImws5Pbf+FFvkpxv5IYGu8fX+AuGsn+kwa31AVjNufaVsOpIY4qaSHKGiEbeghzT1PMBd9" +
    "0ic3MElWod4BVfDa/tlUvZ1dtqG0wRGuyeZR4B5FaxfRd+Ywl5ctUBK1VaFHnqew9MgaylAPJF0UMs/OGUqInjIDJql9yIWzoMOK" +
    "jqMVrJqh6eGK7Bl1KazSwiqnl84AAACstZMqAAHuAfEEAACBXqjrPjANiwIAAAAAAVla",
  "base64",
);

async function unpack(stream: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(
    await new Response(new xz.XzReadableStream(new Blob([Buffer.from(stream)]).stream())).arrayBuffer(),
  );
}

test("a filtered stream unpacks to bytes with the CRC-32 that was stored for them", async () => {
  const stripped = withoutX86Filter("k", FILTERED);
  assert.ok(stripped);
  const unpacked = await unpack(stripped.stream);
  const before = unpacked.slice();

  stripped.restore(unpacked);

  assert.equal(unpacked.length, 625);
  assert.notDeepEqual(unpacked, before);
});

test("damage that the decoder itself no longer sees is found by the CRC-32", async () => {
  const stripped = withoutX86Filter("k", FILTERED);
  assert.ok(stripped);
  const unpacked = await unpack(stripped.stream);
  unpacked[300] = (unpacked[300] ?? 0) ^ 1;
  assert.throws(() => stripped.restore(unpacked), /fails its CRC-32/);
});

test("a stream without the filter is left alone", () => {
  const plain = Buffer.from(FILTERED);
  // Filter count 1 and LZMA2 first; the header's own CRC does not matter here.
  plain.set([0x00, 0x21, 0x01, 0x00], 13);
  assert.equal(withoutX86Filter("k", plain), undefined);
});

test("a stream cut anywhere is refused with a sentence", () => {
  for (let length = 0; length < FILTERED.length; length++) {
    assert.throws(() => withoutX86Filter("k", FILTERED.subarray(0, length)), BootFailure, `${length} bytes`);
  }
});
