import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { err, MiB, ok, unwrap } from "../../base/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { describeKernel, loadKernel, pcMemoryMap, readKernel } from "./index.ts";
import type { BootProtocol, BootRequest, Decompressors } from "./index.ts";
import { buildBzImage, buildElf, lz4Payload, multibootHeader } from "./test-images.ts";
import type { CpuState } from "../../hw/index.ts";

const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.gunzip);
const unzstd = promisify<Uint8Array, zlib.ZstdOptions, Uint8Array>(zlib.zstdDecompress);
const lz4 = new WebAssembly.Module(readFileSync(new URL("../../../build/lz4.wasm", import.meta.url)));
const decompressors: Decompressors = {
  gunzip: (packed, limitBytes) => gunzip(packed, { maxOutputLength: limitBytes }),
  unzstd: (packed, limitBytes) => unzstd(packed, { maxOutputLength: limitBytes }),
  unxz: () => Promise.reject(new Error("xz has its own test")),
  lz4Decoder: () => Promise.resolve(ok(lz4)),
};

const CODE = Uint8Array.of(0xfa, 0xf4, 0xeb, 0xfd);
const CR0_PG = 1n << 31n;

function ramOf(sizeMiB: number): GuestRam {
  const ram = unwrap(createGuestRam({ sizeBytes: sizeMiB * MiB, reservedPrefixBytes: 0 }));
  ram.fill(0, ram.sizeBytes, 0xee);
  return ram;
}

function request(ram: GuestRam, changes: Partial<BootRequest> = {}): BootRequest {
  const memoryMap = pcMemoryMap(ram.sizeBytes);
  return {
    commandLine: "quiet",
    modules: [],
    memoryMap,
    screen: "none",
    rsdpGpa: 0xe0000,
    ...changes,
  };
}

async function boot(
  bytes: Uint8Array,
  ram: GuestRam,
  changes: Partial<BootRequest> = {},
  protocol: BootProtocol = "auto",
): Promise<CpuState> {
  const image = unwrap(await readKernel({ name: "kernel", bytes }, decompressors, protocol));
  return unwrap(loadKernel(ram, image, request(ram, changes)));
}

async function refusal(bytes: Uint8Array, changes: Partial<BootRequest> = {}, ramMiB = 16): Promise<string> {
  const image = await readKernel({ name: "kernel", bytes }, decompressors);
  if (!image.ok) return image.error.message;
  const ram = ramOf(ramMiB);
  const state = loadKernel(ram, image.value, request(ram, changes));
  assert.ok(!state.ok, "the kernel was accepted");
  return state.error.message;
}

function textAt(ram: GuestRam, gpa: number): string {
  const bytes = ram.slice(gpa, 4096);
  return new TextDecoder().decode(Uint8Array.from(bytes.subarray(0, bytes.indexOf(0))));
}

const ELF64 = buildElf({
  bits: 64,
  entry: 0x200000,
  segments: [{ gpa: 0x200000, data: CODE, memoryBytes: 64 }],
});
const ELF32 = buildElf({
  bits: 32,
  entry: 0x200000,
  segments: [{ gpa: 0x200000, data: CODE, memoryBytes: 64 }],
});

test("a 64-bit bzImage is unpacked and entered in long mode with the zero page in RSI", async () => {
  const ram = ramOf(16);
  const state = await boot(buildBzImage({ payload: lz4Payload(ELF64) }), ram);

  assert.equal(state.rip, 0x200000n);
  assert.equal(state.efer, 0x500n);
  assert.equal(state.cr0 & CR0_PG, CR0_PG);
  assert.equal(state.cs.attributes & 0x2000, 0x2000);
  assert.deepEqual(Array.from(ram.slice(0x200000, 4)), [...CODE]);
  const zeroPage = Number(state.gpr[6]);
  assert.equal(textAt(ram, ram.readU32(zeroPage + 0x228)), "quiet");
  assert.equal(ram.readU32(zeroPage + 0x202), 0x53726448);
  assert.equal(ram.readU8(zeroPage + 0x210), 0xff);
  assert.equal(ram.readU64(zeroPage + 0x70), 0xe0000n);
});

test("the page tables map every address below 4 GiB onto itself", async () => {
  const ram = ramOf(16);
  const state = await boot(buildBzImage({ payload: lz4Payload(ELF64) }), ram);
  const walk = (gva: number): number => {
    const pdpt = ram.readU64(Number(state.cr3)) & ~0xfffn;
    const directory = ram.readU64(Number(pdpt) + Math.floor(gva / 2 ** 30) * 8) & ~0xfffn;
    const entry = ram.readU64(Number(directory) + (Math.floor(gva / 2 ** 21) & 511) * 8);
    assert.equal(entry & 0x83n, 0x83n);
    return Number(entry & ~0xfffn) + (gva % 2 ** 21);
  };
  for (const gva of [0, 0x1fffff, 0x200000, 0x3fffffff, 0x40000000, 0xfee00020, 0xffffffff]) {
    assert.equal(walk(gva), gva);
  }
});

test("the zero page's memory map is the machine's", async () => {
  const ram = ramOf(16);
  const state = await boot(buildBzImage({ payload: lz4Payload(ELF64) }), ram);
  const zeroPage = Number(state.gpr[6]);
  const entries = Array.from({ length: ram.readU8(zeroPage + 0x1e8) }, (_, index) => {
    const at = zeroPage + 0x2d0 + index * 20;
    return [Number(ram.readU64(at)), Number(ram.readU64(at + 8)), ram.readU32(at + 16)];
  });
  assert.deepEqual(entries, [
    [0, 0x9fc00, 1],
    [0x9fc00, 0x400, 2],
    [0xe0000, 0x20000, 2],
    [0x100000, 15 * MiB, 1],
  ]);
});

test("a 32-bit payload is entered in flat protected mode without paging", async () => {
  const state = await boot(buildBzImage({ payload: lz4Payload(ELF32) }), ramOf(16));
  assert.equal(state.cr0, 0x11n);
  assert.equal(state.cs.attributes, 0xc09b);
  assert.deepEqual([state.cs.selector, state.ds.selector], [0x10, 0x18]);
});

test("the GDT in memory holds what the segment registers hold", async () => {
  const ram = ramOf(16);
  const state = await boot(buildBzImage({ payload: lz4Payload(ELF32) }), ram);
  const gdt = Number(state.gdtr.base);
  assert.equal(ram.readU64(gdt), 0n);
  assert.equal(ram.readU64(gdt + state.cs.selector), 0x00cf9b000000ffffn);
  assert.equal(ram.readU64(gdt + state.ds.selector), 0x00cf93000000ffffn);
});

test("gzip and zstd payloads are unpacked too", async () => {
  const size = new Uint8Array(4);
  new DataView(size.buffer).setUint32(0, ELF64.length, true);
  for (const payload of [zlib.gzipSync(ELF64), Buffer.concat([zlib.zstdCompressSync(ELF64), size])]) {
    assert.equal((await boot(buildBzImage({ payload }), ramOf(16))).rip, 0x200000n);
  }
});

test("a bzImage without a payload is entered at code32_start", async () => {
  const ram = ramOf(16);
  const state = await boot(buildBzImage({ initSize: 0x8000 }), ram);
  assert.equal(state.rip, 0x100000n);
  assert.equal(state.cr0, 0x11n);
  assert.equal(ram.readU8(0x100000), 0x90);
});

test("the bytes of a segment that the file does not fill are zeroed", async () => {
  const ram = ramOf(16);
  await boot(buildBzImage({ payload: lz4Payload(ELF64) }), ram);
  assert.deepEqual(Array.from(ram.slice(0x200004, 61)), [...new Uint8Array(60), 0xee]);
});

/** Larger than what LZ4 is unpacked in at once. */
const LARGE = Uint8Array.from({ length: MiB + 5 }, (_, index) => (index * 31) >>> 5);
const LARGE_ELF = buildElf({
  bits: 64,
  entry: 0x200000,
  segments: [
    { gpa: 0x200000, data: LARGE, memoryBytes: LARGE.length + 100 },
    { gpa: 0x800000, data: CODE },
    { gpa: 0x400000, data: LARGE.subarray(3) },
  ],
});

test("segments of a kernel that is unpacked in pieces lie where they belong, and nothing lies elsewhere", async () => {
  // The program headers of the second one are not in the first piece.
  for (const payload of [lz4Payload(LARGE_ELF), lz4Payload(LARGE_ELF, 100)]) {
    const ram = ramOf(16);
    await boot(buildBzImage({ payload }), ram);
    assert.deepEqual(ram.slice(0x200000, LARGE.length).slice(), LARGE);
    assert.deepEqual(ram.slice(0x400000, LARGE.length - 3).slice(), LARGE.slice(3));
    assert.deepEqual([...ram.slice(0x800000, 5)], [...CODE, 0xee]);
    const behind = 0x200000 + LARGE.length;
    assert.deepEqual([...ram.slice(behind, 101)], [...new Uint8Array(100), 0xee]);
    assert.deepEqual([...ram.slice(0x1fffff, 1), ...ram.slice(0x3fffff, 1)], [0xee, 0xee]);
  }
});

test("a kernel is loaded from the same image as often as it is reset", async () => {
  const bytes = buildBzImage({ payload: lz4Payload(LARGE_ELF) });
  const image = unwrap(await readKernel({ name: "kernel", bytes }, decompressors));
  for (const ram of [ramOf(16), ramOf(16)]) {
    unwrap(loadKernel(ram, image, request(ram)));
    assert.deepEqual(ram.slice(0x400000, LARGE.length - 3).slice(), LARGE.slice(3));
  }
});

test("damage that is met while a kernel is loaded is refused, and the memory takes another kernel", async () => {
  const payload = lz4Payload(LARGE_ELF, 400_000);
  const ram = ramOf(16);
  // The second block of 400,000 bytes claims to be longer than the file.
  payload.set([0xff, 0xff, 0xff, 0x7f], new DataView(payload.buffer).getUint32(4, true) + 8);
  const bytes = buildBzImage({ payload });
  const image = unwrap(await readKernel({ name: "kernel", bytes }, decompressors));
  const loaded = loadKernel(ram, image, request(ram));
  assert.ok(!loaded.ok);
  assert.equal(loaded.error.code, "corrupt-image");
  assert.match(loaded.error.message, /^kernel is damaged: its LZ4 data has a block that leaves the file\.$/);

  const state = await boot(buildBzImage({ payload: lz4Payload(ELF64) }), ram);
  assert.equal(state.rip, 0x200000n);
  assert.deepEqual([...ram.slice(0x200000, 4)], [...CODE]);
});

test("segments beyond the end of an unpacked kernel are refused before it is loaded", async () => {
  const elf = Uint8Array.from(LARGE_ELF);
  new DataView(elf.buffer).setBigUint64(64 + 56 + 8, BigInt(elf.length - 3), true);
  const read = await readKernel(
    { name: "kernel", bytes: buildBzImage({ payload: lz4Payload(elf) }) },
    decompressors,
  );
  assert.match(
    read.ok ? "" : read.error.message,
    /^kernel is truncated: its ELF segment 1 would end at byte \d+, but the file ends at byte \d+\.$/,
  );
});

test("without its decoder an LZ4 kernel is refused with what is missing", async () => {
  const without: Decompressors = {
    ...decompressors,
    lz4Decoder: () => Promise.resolve(err("no-decoder", "The LZ4 decoder is missing.")),
  };
  const bytes = buildBzImage({ payload: lz4Payload(ELF64) });
  const read = await readKernel({ name: "kernel", bytes }, without);
  assert.deepEqual(read.ok ? undefined : read.error, {
    code: "no-decoder",
    message: "The LZ4 decoder is missing.",
  });
});

test("the initial RAM disk lies page-aligned below the kernel's limit and the end of RAM", async () => {
  const disk = { name: "initrd", bytes: new Uint8Array(5000).fill(7) };
  const place = async (initrdAddrMax: number): Promise<number[]> => {
    const ram = ramOf(16);
    const payload = lz4Payload(ELF64);
    const state = await boot(buildBzImage({ payload, initrdAddrMax }), ram, { modules: [disk] });
    const zeroPage = Number(state.gpr[6]);
    const gpa = ram.readU32(zeroPage + 0x218);
    assert.equal(ram.readU8(gpa + 4999), 7);
    return [gpa, ram.readU32(zeroPage + 0x21c)];
  };
  assert.deepEqual(await place(0x7fffffff), [16 * MiB - 8192, 5000]);
  assert.deepEqual(await place(0x7fffff), [8 * MiB - 8192, 5000]);
});

test("a text screen and an entropy seed are described when the machine has them", async () => {
  const ram = ramOf(16);
  const changes = { screen: "vga-text", rngSeed: Uint8Array.of(1, 2, 3) } as const;
  const state = await boot(buildBzImage({ payload: lz4Payload(ELF64) }), ram, changes);
  const zeroPage = Number(state.gpr[6]);
  assert.deepEqual(
    [...ram.slice(zeroPage + 6, 2), ram.readU8(zeroPage + 14), ram.readU8(zeroPage + 15)],
    [3, 80, 25, 1],
  );
  const node = Number(ram.readU64(zeroPage + 0x250));
  assert.deepEqual([ram.readU64(node), ram.readU32(node + 8), ram.readU32(node + 12)], [0n, 9, 3]);
  assert.deepEqual(Array.from(ram.slice(node + 16, 3)), [1, 2, 3]);
});

test("a PVH kernel gets its start info in EBX", async () => {
  const ram = ramOf(16);
  const elf = buildElf({
    bits: 64,
    entry: 0x200000,
    pvhEntry: 0x200002,
    segments: [{ gpa: 0x200000, data: CODE }],
  });
  const modules = [{ name: "disk", bytes: Uint8Array.of(9, 8, 7) }];
  const state = await boot(elf, ram, { modules });

  assert.equal(state.rip, 0x200002n);
  assert.equal(state.cr0, 0x11n);
  const info = Number(state.gpr[3]);
  assert.deepEqual([ram.readU32(info), ram.readU32(info + 4), ram.readU32(info + 12)], [0x336ec578, 1, 1]);
  assert.equal(textAt(ram, ram.readU32(info + 24)), "quiet");
  assert.equal(ram.readU64(info + 32), 0xe0000n);
  assert.equal(ram.readU32(info + 48), 4);
  const module = ram.readU32(info + 16);
  assert.deepEqual(Array.from(ram.slice(ram.readU32(module), ram.readU32(module + 8))), [9, 8, 7]);
  assert.equal(ram.readU64(ram.readU32(info + 40) + 3 * 24), 0x100000n);
});

test("a multiboot kernel gets memory, strings and modules, and its entry is translated to a physical address", async () => {
  const ram = ramOf(16);
  const data = Uint8Array.from([...multibootHeader(3), ...CODE]);
  const elf = buildElf({ bits: 32, entry: 0xc020000c, segments: [{ gpa: 0x200000, gva: 0xc0200000, data }] });
  const modules = [
    { name: "one", bytes: Uint8Array.of(1) },
    { name: "two", bytes: Uint8Array.of(2), commandLine: "two with words" },
  ];
  const state = await boot(elf, ram, { modules });

  assert.equal(state.rip, 0x20000cn);
  assert.equal(state.gpr[0], 0x2badb002n);
  const info = Number(state.gpr[3]);
  assert.equal(ram.readU32(info) & 0x24d, 0x24d);
  assert.deepEqual([ram.readU32(info + 4), ram.readU32(info + 8)], [639, 15 * 1024]);
  assert.equal(textAt(ram, ram.readU32(info + 16)), "kernel quiet");
  assert.equal(textAt(ram, ram.readU32(info + 64)), "Typevisor");
  assert.equal(ram.readU32(info + 20), 2);
  const second = ram.readU32(info + 24) + 16;
  assert.equal(textAt(ram, ram.readU32(second + 8)), "two with words");
  assert.equal(ram.readU32(second) % 4096, 0);
  assert.equal(ram.readU8(ram.readU32(second)), 2);
  const map = ram.readU32(info + 48);
  assert.deepEqual([ram.readU32(info + 44), ram.readU32(map), ram.readU64(map + 12)], [4 * 24, 20, 0x9fc00n]);
});

test("a flat multiboot image is loaded by its header's addresses", async () => {
  const ram = ramOf(16);
  const header = multibootHeader(0x10003, [0x100010, 0x100000, 0, 0x100100, 0x100000]);
  const image = Uint8Array.from([
    ...CODE,
    ...Uint8Array.of(0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90),
    ...header,
  ]);
  const state = await boot(image, ram);
  assert.equal(state.rip, 0x100000n);
  assert.deepEqual(Array.from(ram.slice(0x100000, 4)), [...CODE]);
  assert.equal(ram.readU8(0x1000ff), 0);
  assert.equal(ram.readU8(0x100100), 0xee);
});

test("a gzipped multiboot kernel is unpacked first", async () => {
  const data = Uint8Array.from([...multibootHeader(0), ...CODE]);
  const elf = buildElf({ bits: 32, entry: 0x20000c, segments: [{ gpa: 0x200000, data }] });
  assert.equal((await boot(zlib.gzipSync(elf), ramOf(16))).rip, 0x20000cn);
});

test("the protocol can be chosen for a kernel that knows several", async () => {
  const data = Uint8Array.from([...multibootHeader(0), ...CODE]);
  const both = buildElf({
    bits: 32,
    entry: 0x20000c,
    pvhEntry: 0x20000d,
    segments: [{ gpa: 0x200000, data }],
  });
  const kinds = await Promise.all(
    (["auto", "pvh", "multiboot1", "linux"] as const).map(async (protocol) =>
      describeKernel(unwrap(await readKernel({ name: "kernel", bytes: both }, decompressors, protocol))),
    ),
  );
  assert.deepEqual(kinds, [
    "ELF32, multiboot",
    "ELF, PVH",
    "ELF32, multiboot",
    "Linux, 32-bit boot protocol",
  ]);
});

test("what is no kernel is refused by name", async () => {
  assert.equal(await refusal(new Uint8Array(0)), "kernel is empty.");
  assert.equal(
    await refusal(new TextEncoder().encode("hello")),
    "kernel is not a kernel: it is no Linux bzImage, no ELF file and no multiboot image.",
  );
  assert.equal(
    await refusal(ELF64),
    "kernel is an ELF file with neither a multiboot header nor a PVH entry note.",
  );
});

test("a truncated image is refused with both lengths", async () => {
  const image = buildBzImage({ payload: lz4Payload(ELF64) });
  assert.equal(
    await refusal(image.subarray(0, image.length - 10)),
    `kernel is truncated: its compressed kernel would end at byte ${image.length}, but the file ends at byte ${image.length - 10}.`,
  );
});

test("too little memory is refused with the amount that would do", async () => {
  const elf = buildElf({
    bits: 64,
    entry: 0x3000000,
    segments: [{ gpa: 0x3000000, data: CODE, memoryBytes: MiB }],
  });
  const image = buildBzImage({ payload: lz4Payload(elf) });
  assert.equal(await refusal(image), "kernel needs at least 49 MiB of memory; this VM has 16 MiB.");
  const modules = [{ name: "initrd", bytes: new Uint8Array(3 * MiB) }];
  assert.equal(
    await refusal(image, { modules }),
    "kernel needs at least 52 MiB of memory; this VM has 16 MiB.",
  );
});

test("an initial RAM disk that does not fit is refused with the amount that would do", async () => {
  const modules = [{ name: "initrd", bytes: new Uint8Array(15 * MiB) }];
  const image = buildBzImage({ payload: lz4Payload(ELF64) });
  assert.equal(
    await refusal(image, { modules }),
    "kernel needs at least 18 MiB of memory; this VM has 16 MiB.",
  );
  await boot(image, ramOf(18), { modules });
});

test("the command line may be as long as the kernel says, and no longer", async () => {
  const image = buildBzImage({ payload: lz4Payload(ELF64), cmdlineSize: 255 });
  await boot(image, ramOf(16), { commandLine: "x".repeat(255) });
  assert.equal(
    await refusal(image, { commandLine: "x".repeat(256) }),
    "The kernel command line is 256 bytes long; kernel takes at most 255.",
  );
});

test("Linux takes one RAM disk, multiboot at most 64 modules", async () => {
  const modules = Array.from({ length: 65 }, (_, index) => ({ name: `m${index}`, bytes: CODE }));
  assert.match(
    await refusal(buildBzImage({}), { modules }),
    /takes one initial RAM disk, but 65 modules were given/,
  );
  const data = Uint8Array.from([...multibootHeader(0), ...CODE]);
  const elf = buildElf({ bits: 32, entry: 0x20000c, segments: [{ gpa: 0x200000, data }] });
  assert.equal(await refusal(elf, { modules }), "65 modules were given; the limit is 64.");
  await boot(elf, ramOf(16), { modules: modules.slice(0, 64) });
});

test("a kernel for memory that the PC does not have, or for its own headers, is refused", async () => {
  const inHole = buildElf({
    bits: 64,
    entry: 0xa0000,
    pvhEntry: 1,
    segments: [{ gpa: 0xa0000, data: CODE }],
  });
  assert.match(
    await refusal(inHole),
    /wants its ELF segment at 0xa0000–0xa0004, where this machine has no RAM/,
  );
  const segment = { gpa: 0x200000, data: CODE };
  const twice = buildElf({ bits: 64, entry: 0x200000, pvhEntry: 1, segments: [segment, segment] });
  assert.match(await refusal(twice), /overlaps its ELF segment/);
});

test("old and low-loading kernels are refused", async () => {
  assert.match(await refusal(buildBzImage({ version: 0x0201 })), /boot protocol 2\.1 or loads low/);
  assert.match(await refusal(buildBzImage({ loadflags: 0 })), /boot protocol 2\.15 or loads low/);
});

test("a payload that claims to be enormous is refused before it is unpacked", async () => {
  const payload = lz4Payload(ELF64);
  new DataView(payload.buffer).setUint32(payload.length - 4, 257 * MiB, true);
  assert.match(
    await refusal(buildBzImage({ payload })),
    /claims to unpack to 269484032 bytes; the limit is 256 MiB/,
  );
});

const SAMPLES = [
  buildBzImage({ payload: lz4Payload(ELF64) }),
  buildBzImage({}),
  buildElf({ bits: 64, entry: 0x200000, pvhEntry: 0x200002, segments: [{ gpa: 0x200000, data: CODE }] }),
  buildElf({
    bits: 32,
    entry: 0x20000c,
    segments: [{ gpa: 0x200000, data: Uint8Array.from([...multibootHeader(3), ...CODE]) }],
  }),
  Uint8Array.from([...multibootHeader(0x10003, [0x100000, 0x100000, 0, 0, 0x100000]), ...CODE]),
];

test("damage anywhere ends in a kernel or in a sentence, never in an exception", async () => {
  const ram = ramOf(4);
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...SAMPLES),
      fc.array(fc.tuple(fc.nat(0x300), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.nat(0x400),
      async (sample, edits, cut) => {
        const bytes = sample.slice(0, sample.length - (cut % 3 === 0 ? Math.min(cut, sample.length) : 0));
        for (const [offset, value] of edits) bytes[offset % Math.max(1, bytes.length)] = value;
        const image = await readKernel({ name: "kernel", bytes }, decompressors);
        if (image.ok && loadKernel(ram, image.value, request(ram)).ok) return;
        refused++;
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(refused > 300, `damage was refused ${refused} times`);
});
