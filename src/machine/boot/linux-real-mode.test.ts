/** The 16-bit boot protocol as set-up code finds it. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MiB, ok, unwrap } from "../../base/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { describeKernel, loadKernel, pcMemoryMap, readKernel } from "./index.ts";
import type { BootProtocol, BootRequest, Decompressors } from "./index.ts";
import { buildBzImage, buildElf, lz4Payload } from "./test-images.ts";

const none = (): Promise<Uint8Array> => Promise.reject(new Error("nothing is packed"));
const lz4 = new WebAssembly.Module(readFileSync(new URL("../../../build/lz4.wasm", import.meta.url)));
const decompressors: Decompressors = {
  ...{ gunzip: none, unzstd: none, unxz: none },
  lz4Decoder: () => Promise.resolve(ok(lz4)),
};
const SETUP_GPA = 0x10000;

const read = async (bytes: Uint8Array, protocol: BootProtocol = "auto") =>
  unwrap(await readKernel({ name: "kernel", bytes }, decompressors, protocol));

async function load(bytes: Uint8Array, protocol: BootProtocol = "auto", changes: Partial<BootRequest> = {}) {
  const ram: GuestRam = unwrap(createGuestRam({ sizeBytes: 16 * MiB, reservedPrefixBytes: 0 }));
  const memoryMap = pcMemoryMap(ram.sizeBytes);
  const request: BootRequest = { commandLine: "quiet", modules: [], memoryMap, screen: "none", ...changes };
  const loaded = loadKernel(ram, await read(bytes, protocol), request);
  return { ram, loaded };
}

test("set-up code is entered in real mode with a stack of its own, behind which its command line is", async () => {
  const { ram, loaded } = await load(buildBzImage({ code32Start: 0, cmdlineSize: 255 }));
  const state = unwrap(loaded);
  assert.deepEqual([state.cs.selector, state.cs.base, state.rip], [0x1020, 0x10200n, 0n]);
  assert.deepEqual([state.ss.base, state.ds.base, state.gpr[4]], [0x10000n, 0x10000n, 0xe000n]);
  assert.deepEqual([state.cr0, state.rflags, state.idtr.limit], [0x10n, 2n, 0x3ff]);
  assert.equal(ram.readU16(SETUP_GPA + 0x200), 0x6aeb);
  assert.equal(ram.readU8(0x100000), 0x90);
  assert.deepEqual([ram.readU8(SETUP_GPA + 0x210), ram.readU8(SETUP_GPA + 0x211)], [0xff, 0x81]);
  assert.equal(ram.readU16(SETUP_GPA + 0x224), 0xde00);
  assert.equal(ram.readU32(SETUP_GPA + 0x228), 0x1e000);
  assert.equal(new TextDecoder().decode(ram.slice(0x1e000, 6).slice()), "quiet\0");
});

test("the video mode is the command line's", async () => {
  const modeOf = async (commandLine: string): Promise<number> => {
    const { ram } = await load(buildBzImage({ code32Start: 0, cmdlineSize: 255 }), "auto", { commandLine });
    return ram.readU16(SETUP_GPA + 0x1fa);
  };
  const words = ["vga=normal", "a vga=ask b", "vga=0x317", "vga=791", "vga=01427", "vga=ext vga=0x318"];
  const modes = [0xffff, 0xfffd, 0x317, 0x317, 0x317, 0x318];
  assert.deepEqual(await Promise.all(words.map(modeOf)), modes);
  // What the image itself has.
  assert.deepEqual(await Promise.all(["quiet", "vga=nonsense", "novga=791"].map(modeOf)), [0, 0, 0]);
});

test("the initial RAM disk lies at the top of memory", async () => {
  const modules = [{ name: "initrd", bytes: Uint8Array.of(1, 2, 3) }];
  const { ram } = await load(buildBzImage({ code32Start: 0 }), "auto", { modules });
  const gpa = ram.readU32(SETUP_GPA + 0x218);
  assert.deepEqual([gpa, ram.readU32(SETUP_GPA + 0x21c)], [16 * MiB - 4096, 3]);
  assert.deepEqual([...ram.slice(gpa, 3)], [1, 2, 3]);
});

test("what has another entry is started so only if asked", async () => {
  const elf = buildElf({
    ...{ bits: 64, entry: 0x200000 },
    segments: [{ gpa: 0x200000, data: Uint8Array.of(0xf4) }],
  });
  const kernel = buildBzImage({ payload: lz4Payload(elf) });
  assert.equal(describeKernel(await read(kernel)), "Linux, 64-bit boot protocol");
  assert.equal(describeKernel(await read(kernel, "linux16")), "Linux, 16-bit boot protocol");
  assert.equal(describeKernel(await read(buildBzImage({}))), "Linux, 32-bit boot protocol, not unpacked");
  const refused = await readKernel({ name: "kernel", bytes: elf }, decompressors, "linux16");
  assert.match(refused.ok ? "" : refused.error.message, /by linux16: it has no set-up code of a bzImage/);
});

test("set-up code has 32 KiB, and the command line what is left of the segment", async () => {
  const withSectors = (count: number): Uint8Array => {
    const image = new Uint8Array(128 * 512);
    image.set(buildBzImage({ code32Start: 0, cmdlineSize: 0xffff }));
    image[0x1f1] = count - 1;
    return image;
  };
  const full = { commandLine: "x".repeat(0x1fff) };
  unwrap((await load(withSectors(64), "auto", full)).loaded);
  const { loaded: tooLong } = await load(withSectors(64), "auto", { commandLine: `${full.commandLine}x` });
  assert.match(tooLong.ok ? "" : tooLong.error.message, /8192 bytes long; kernel takes at most 8191/);
  const { loaded: tooLarge } = await load(withSectors(65));
  assert.match(
    tooLarge.ok ? "" : tooLarge.error.message,
    /33280 bytes of set-up code; there is room for 32768/,
  );
});
