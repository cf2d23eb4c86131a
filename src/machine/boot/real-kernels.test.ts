/**
 * The kernels that Debian ships, read and placed as the run command would. The folder TYPEVISOR_TEST_KERNELS holds
 * them under their Debian file names; without it these tests are skipped and say so.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import xz from "xz-decompress";
import { MiB, ok, unwrap } from "../../base/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { describeKernel, loadKernel, pcMemoryMap, readKernel } from "./index.ts";
import type { Decompressors } from "./index.ts";

const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.gunzip);
const unzstd = promisify<Uint8Array, zlib.ZstdOptions, Uint8Array>(zlib.zstdDecompress);
const lz4 = new WebAssembly.Module(readFileSync(new URL("../../../build/lz4.wasm", import.meta.url)));
const decompressors: Decompressors = {
  gunzip: (packed, limitBytes) => gunzip(packed, { maxOutputLength: limitBytes }),
  unzstd: (packed, limitBytes) => unzstd(packed, { maxOutputLength: limitBytes }),
  unxz: async (packed) => {
    const stream = new xz.XzReadableStream(new Blob([Buffer.from(packed)]).stream());
    return new Uint8Array(await new Response(stream).arrayBuffer());
  },
  lz4Decoder: () => Promise.resolve(ok(lz4)),
};

const folder = process.env["TYPEVISOR_TEST_KERNELS"];
const names = folder === undefined ? [] : readdirSync(folder);

/** File name pattern, what describeKernel says, and the first bytes at the entry point where they are known. */
const EXPECTED: readonly (readonly [RegExp, RegExp])[] = [
  [/^vmlinuz-.*-cloud-amd64$/, /^Linux [\d.-]+-cloud-amd64, 64-bit boot protocol$/],
  [/^vmlinuz-.*-686$/, /^Linux [\d.-]+-686, 32-bit boot protocol$/],
  [/^memtest86\+x64\.bin$/, /^Memtest86\+ v[\d.]+, 32-bit boot protocol, not unpacked$/],
  [/^gnumach-.*-dbg\.gz$/, /^ELF32, multiboot$/],
  [/^xen-.*-amd64\.gz$/, /^ELF32, multiboot$/],
  [/^invaders\.exec$/, /^ELF32, multiboot$/],
];

for (const [pattern, description] of EXPECTED) {
  const name = names.find((candidate) => pattern.test(candidate));
  const skip = name === undefined ? `no file ${String(pattern)} in TYPEVISOR_TEST_KERNELS` : false;
  test(`${String(pattern)} is recognised and fits in 128 MiB`, { skip }, async () => {
    const bytes = readFileSync(join(folder ?? "", name ?? ""));
    const image = unwrap(await readKernel({ name: name ?? "", bytes }, decompressors));
    assert.match(describeKernel(image), description);

    const ram = unwrap(createGuestRam({ sizeBytes: 128 * MiB, reservedPrefixBytes: 0 }));
    const memoryMap = pcMemoryMap(ram.sizeBytes);
    const state = unwrap(
      loadKernel(ram, image, {
        commandLine: "",
        modules: [],
        memoryMap,
        screen: "vga-text",
      }),
    );
    assert.notEqual(ram.readU32(Number(state.rip)), 0);
  });
}
