import assert from "node:assert/strict";
import { test } from "node:test";
import * as zlib from "node:zlib";
import { unwrap } from "../../base/index.ts";
import { nodeDecompressors } from "./decompress.ts";

const ZEROS = new Uint8Array(100_000);
/** 100,000 zeros by `xz -9 --check=crc64`. */
const XZ = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4YafAFNdAABv/f//o7f/Rz5IFXI5YVG4kijmo4YH+e7kHoLTL8U6PAFLsX7JiopNL6MN2X+m44wjEV" +
    "PgWRjFdYrid/i2lH8MasDedElk4ulcU7IE1rH1lwAAAACPxpSiGONw8QABb6CNBgAAkORuUbHEZ/sCAAAAAARZWg==",
  "base64",
);

const FORMATS = [
  { name: "gzip", packed: zlib.gzipSync(ZEROS) },
  { name: "zstd", packed: zlib.zstdCompressSync(ZEROS) },
  { name: "xz", packed: XZ },
] as const;

function unpackerOf(
  name: "gzip" | "zstd" | "xz",
): (packed: Uint8Array, limitBytes: number) => Promise<Uint8Array> {
  if (name === "gzip") return (packed, limitBytes) => nodeDecompressors.gunzip(packed, limitBytes);
  if (name === "zstd") return (packed, limitBytes) => nodeDecompressors.unzstd(packed, limitBytes);
  return (packed, limitBytes) => nodeDecompressors.unxz(packed, limitBytes);
}

test("the LZ4 decoder is compiled to a module that needs nothing", async () => {
  const module = unwrap(await nodeDecompressors.lz4Decoder());
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  const { decode } = new WebAssembly.Instance(module).exports;
  assert.equal(typeof decode, "function");
});

for (const { name, packed } of FORMATS) {
  const unpack = unpackerOf(name);
  test(`${name} unpacks up to its limit and not beyond`, async () => {
    const unpacked = await unpack(packed, ZEROS.length);
    assert.deepEqual([unpacked.length, unpacked.every((byte) => byte === 0)], [ZEROS.length, true]);
    await assert.rejects(unpack(packed, ZEROS.length - 1));
  });

  test(`${name} rejects damage and truncation`, async () => {
    const damaged = Uint8Array.from(packed);
    const middle = Math.floor(damaged.length / 2);
    damaged.fill(0xa5, middle, middle + 8);
    await assert.rejects(unpack(damaged, ZEROS.length));
    await assert.rejects(unpack(packed.subarray(0, middle), ZEROS.length));
  });
}
