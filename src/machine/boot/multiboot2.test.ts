/** Multiboot 2 as a kernel meets it: what its header asks for, and the information that it walks through. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hex, MiB, unwrap } from "../../base/index.ts";
import type { CpuState } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { describeKernel, loadKernel, pcMemoryMap, readKernel } from "./index.ts";
import type { BootRequest, Decompressors } from "./index.ts";
import { buildElf, headerTag, multiboot2Header, multibootHeader } from "./test-images.ts";

const none = (): Promise<never> => Promise.reject(new Error("nothing is packed"));
const decompressors: Decompressors = { gunzip: none, unzstd: none, unxz: none, lz4Decoder: none };
const CODE = Uint8Array.of(0xfa, 0xf4, 0xeb, 0xfd);
const LINKED = 0x200000;
const RSDP = 0xe0000;
const OPTIONAL = 1;

function ramOf(sizeMiB: number): GuestRam {
  const ram = unwrap(createGuestRam({ sizeBytes: sizeMiB * MiB, reservedPrefixBytes: 0 }));
  ram.fill(0, ram.sizeBytes, 0xee);
  ram.write(RSDP, new TextEncoder().encode("RSD PTR "));
  ram.writeU8(RSDP + 15, 2);
  ram.writeU32(RSDP + 20, 36);
  return ram;
}

async function load(bytes: Uint8Array, ram: GuestRam, changes: Partial<BootRequest> = {}) {
  const image = await readKernel({ name: "kernel", bytes }, decompressors, "multiboot2");
  if (!image.ok) return image;
  return loadKernel(ram, image.value, {
    commandLine: "quiet",
    modules: [],
    memoryMap: pcMemoryMap(ram.sizeBytes),
    screen: "vga-text",
    rsdpGpa: RSDP,
    ...changes,
  });
}

async function refusal(bytes: Uint8Array): Promise<string> {
  const loaded = await load(bytes, ramOf(16));
  assert.ok(!loaded.ok, "the kernel was accepted");
  return loaded.error.message;
}

/** The tags' data by type, in order; the walk itself is checked: sizes, alignment, the end. */
function informationOf(ram: GuestRam, state: CpuState): Map<number, Uint8Array[]> {
  const start = Number(state.gpr[3]);
  assert.equal(start % 8, 0);
  const end = start + ram.readU32(start);
  const tags = new Map<number, Uint8Array[]>();
  let at = start + 8;
  while (ram.readU32(at) !== 0) {
    const sizeBytes = ram.readU32(at + 4);
    const found = tags.get(ram.readU32(at)) ?? [];
    tags.set(ram.readU32(at), [...found, ram.slice(at + 8, sizeBytes - 8).slice()]);
    at += Math.ceil(sizeBytes / 8) * 8;
  }
  assert.deepEqual([ram.readU32(at + 4), at + 8], [8, end]);
  return tags;
}

const words = (bytes: Uint8Array | undefined): number[] =>
  bytes === undefined ? [] : [...new Uint32Array(bytes.slice(0, bytes.length & ~3).buffer)];
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

function elf(bits: 32 | 64, header: Uint8Array, gpa = LINKED): Uint8Array {
  const data = Uint8Array.from([...header, ...CODE]);
  return buildElf({ bits, entry: gpa + header.length, segments: [{ gpa, data, memoryBytes: 0x10000 }] });
}

test("an ELF kernel of either class is entered in 32 bits with the information's address in EBX", async () => {
  for (const bits of [32, 64] as const) {
    const ram = ramOf(16);
    const header = multiboot2Header();
    const state = unwrap(await load(elf(bits, header), ram));
    assert.equal(hex(Number(state.rip)), hex(LINKED + header.length));
    assert.deepEqual([state.gpr[0], state.cr0, state.efer], [0x36d76289n, 0x11n, 0n]);
    assert.deepEqual([...ram.slice(Number(state.rip), 4)], [...CODE]);
  }
});

test("the information names command line, loader, memory, screen, ACPI and modules", async () => {
  const ram = ramOf(16);
  const modules = [
    { name: "one", bytes: Uint8Array.of(1) },
    { name: "two", bytes: Uint8Array.of(2), commandLine: "two with words" },
  ];
  const state = unwrap(await load(elf(32, multiboot2Header()), ram, { modules }));
  const tags = informationOf(ram, state);
  const of = (type: number): Uint8Array | undefined => tags.get(type)?.[0];

  assert.deepEqual([text(of(1)), text(of(2))], ["kernel quiet\0", "Typevisor\0"]);
  assert.deepEqual(words(of(4)), [639, 15 * 1024]);
  const map = words(of(6));
  assert.deepEqual(map.slice(0, 2), [24, 0]);
  assert.deepEqual(map.slice(2 + 3 * 6), [0x100000, 0, 15 * MiB, 0, 1, 0]);
  assert.deepEqual(words(of(8)).slice(0, 5), [0xb8000, 0, 160, 80, 25]);
  assert.deepEqual([...(of(8)?.subarray(20) ?? [])], [16, 2, 0, 0]);
  assert.deepEqual([of(14)?.length, of(15)?.length], [20, 36]);
  assert.equal(text(of(15)?.subarray(0, 8)), "RSD PTR ");
  assert.equal(tags.has(21), false, "what is not relocatable has no load base");

  const second = tags.get(3)?.[1];
  const [startGpa = 0, endGpa = 0] = words(second);
  assert.deepEqual([startGpa % 4096, endGpa - startGpa, ram.readU8(startGpa)], [0, 1, 2]);
  assert.equal(text(second?.subarray(8)), "two with words\0");
});

test("nothing is said of what the machine does not have", async () => {
  const ram = ramOf(16);
  const image = unwrap(
    await readKernel({ name: "k", bytes: elf(32, multiboot2Header()) }, decompressors, "auto"),
  );
  const memoryMap = pcMemoryMap(ram.sizeBytes);
  const request = { commandLine: "", modules: [], memoryMap, screen: "none" } as const;
  const tags = informationOf(ram, unwrap(loadKernel(ram, image, request)));
  assert.deepEqual([...tags.keys()], [1, 2, 4, 6]);
  assert.equal(text(tags.get(1)?.[0]), "k\0");
  assert.equal(describeKernel(image), "ELF32, multiboot 2");
});

test("a flat image is loaded by the addresses and begun at the entry of its header", async () => {
  const ram = ramOf(16);
  const header = (loadGpa: number): Uint8Array =>
    multiboot2Header(
      headerTag(2, 0, [0x100008, loadGpa, 0, 0x100200]),
      headerTag(3, 0, [0x100000]),
      headerTag(6, 0, []),
    );
  for (const loadGpa of [0x100000, 0xffffffff]) {
    const image = Uint8Array.from([...CODE, 0x90, 0x90, 0x90, 0x90, ...header(loadGpa)]);
    const state = unwrap(await load(image, ram));
    assert.equal(state.rip, 0x100000n);
    assert.deepEqual([...ram.slice(0x100000, 4)], [...CODE]);
    assert.deepEqual([ram.readU8(0x1001ff), ram.readU8(0x100200)], [0, 0xee]);
  }
});

test("a relocatable kernel lies where it is linked if it does not mind, else as low or as high as it likes", async () => {
  const place = async (min: number, max: number, preference: number, linked = LINKED): Promise<number> => {
    const ram = ramOf(16);
    const header = multiboot2Header(headerTag(10, 0, [min, max, 0x200000, preference]));
    const state = unwrap(await load(elf(32, header, linked), ram));
    const [base = 0] = words(informationOf(ram, state).get(21)?.[0]);
    assert.equal(Number(state.rip), base + header.length);
    assert.deepEqual([...ram.slice(Number(state.rip), 4)], [...CODE]);
    return base;
  };
  assert.equal(await place(0, 0xffffffff, 0), LINKED);
  assert.equal(await place(0x300000, 0xffffffff, 0), 0x400000);
  assert.equal(await place(0, 0xffffffff, 1, 0x600000), 0x200000);
  assert.equal(await place(0, 0xffffffff, 2), 0xe00000);
  assert.equal(await place(0, 0xbfffff, 2), 0xa00000);
  // Linked where this VM has no RAM.
  assert.equal(await place(0x100000, 0xffffffff, 0, 0x4000000), 0x200000);
});

test("modules have room beside a kernel that lies as high as possible", async () => {
  const ram = ramOf(16);
  const header = multiboot2Header(headerTag(10, 0, [0, 0xffffffff, 4096, 2]));
  const modules = [{ name: "large", bytes: new Uint8Array(8 * MiB) }];
  const tags = informationOf(ram, unwrap(await load(elf(32, header), ram, { modules })));
  assert.equal(words(tags.get(3)?.[0])[0], 0x100000);
});

test("EFI and what nobody has defined are refused unless they are optional", async () => {
  const kernel = (...tags: Uint8Array[]): Uint8Array => elf(32, multiboot2Header(...tags));
  const ask = (type: number, flags: number): Uint8Array => headerTag(1, flags, [4, type]);
  assert.match(await refusal(kernel(headerTag(7, 0, []))), /^kernel demands EFI boot services of its/);
  assert.match(await refusal(kernel(headerTag(99, 0, []))), /^kernel demands header tag 99 of its/);
  assert.match(await refusal(kernel(ask(12, 0))), /^kernel demands information about EFI \(tag 12\) of its/);
  assert.match(await refusal(kernel(ask(13, 0))), /^kernel demands information tag 13 of its/);
  const tolerant = [headerTag(7, OPTIONAL, []), headerTag(99, OPTIONAL, []), ask(12, OPTIONAL), ask(10, 0)];
  // Entry points for EFI do not concern a loader without it.
  unwrap(await load(kernel(...tolerant, headerTag(8, 0, [1]), headerTag(9, 0, [1])), ramOf(16)));
});

test("the text screen is refused only by a kernel that insists on something else", async () => {
  const framebuffer = (flags: number): Uint8Array => headerTag(5, flags, [1024, 768, 32]);
  const console = (flags: number): Uint8Array => headerTag(4, 0, [flags]);
  const kernel = (...tags: Uint8Array[]): Uint8Array => elf(32, multiboot2Header(...tags));
  assert.match(await refusal(kernel(framebuffer(0), console(0))), /^kernel demands a graphics mode of its/);
  assert.match(await refusal(kernel(framebuffer(OPTIONAL), console(1))), /demands a graphics mode/);
  for (const tags of [[framebuffer(0)], [framebuffer(0), console(3)], [framebuffer(OPTIONAL), console(0)]]) {
    unwrap(await load(kernel(...tags), ramOf(16)));
  }
});

test("symbols are loaded, and the section headers in the information say where", async () => {
  const ram = ramOf(16);
  const kernel = elf(32, multiboot2Header());
  // Sections: none, and a string table of three bytes in the file.
  const headers = new Uint32Array(20);
  const sectionsAt = kernel.length;
  headers.set([0, 3, 0, 0, sectionsAt + 80, 3], 10);
  const file = Uint8Array.from([...kernel, ...new Uint8Array(headers.buffer), 7, 8, 9]);
  const view = new DataView(file.buffer);
  view.setUint32(32, sectionsAt, true);
  [40, 2, 1].forEach((value, index) => view.setUint16(46 + index * 2, value, true));

  // A file that was unpacked comes as one of Node's Buffers, a part of something larger.
  const tags = informationOf(ram, unwrap(await load(Buffer.concat([file]), ram)));
  const section = words(tags.get(9)?.[0]);
  assert.deepEqual(section.slice(0, 3), [2, 40, 1]);
  assert.deepEqual([...ram.slice(section[3 + 10 + 3] ?? 0, 3)], [7, 8, 9]);
});

test("a kernel that knows both versions is started by the first unless the second is asked for", async () => {
  const both = Uint8Array.from([...multiboot2Header(), ...multibootHeader(0)]);
  const name = async (protocol: "auto" | "multiboot2"): Promise<string> =>
    describeKernel(unwrap(await readKernel({ name: "k", bytes: elf(32, both) }, decompressors, protocol)));
  assert.deepEqual(
    [await name("auto"), await name("multiboot2")],
    ["ELF32, multiboot", "ELF32, multiboot 2"],
  );
  const other = elf(32, multibootHeader(0));
  assert.equal(await refusal(other), "kernel cannot be started by multiboot2: it has no multiboot 2 header.");
});

test("at most 64 modules, and a header within the first 32 KiB", async () => {
  const modules = Array.from({ length: 65 }, (_, index) => ({ name: `m${index}`, bytes: CODE }));
  const kernel = elf(32, multiboot2Header());
  const loaded = await load(kernel, ramOf(16), { modules });
  assert.equal(loaded.ok ? "" : loaded.error.message, "65 modules were given; the limit is 64.");
  unwrap(await load(kernel, ramOf(16), { modules: modules.slice(0, 64) }));
  const header = multiboot2Header();
  const at = (offset: number): Uint8Array =>
    elf(32, Uint8Array.from([...new Uint8Array(offset - 0x200), ...header]));
  unwrap(await load(at(32_768 - header.length), ramOf(16)));
  assert.match(await refusal(at(32_768)), /it has no multiboot 2 header/);
});

test("damage anywhere ends in a kernel or in a sentence, never in an exception", async () => {
  const ram = ramOf(4);
  const sample = elf(
    32,
    multiboot2Header(
      headerTag(1, 0, [4, 6]),
      headerTag(2, 0, [LINKED, LINKED, 0, 0]),
      headerTag(3, 0, [LINKED + 0x60]),
      headerTag(10, 0, [0, 0xffffff, 4096, 1]),
    ),
  );
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0x200, max: 0x280 }), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      async (edits) => {
        const bytes = sample.slice();
        for (const [offset, value] of edits) bytes[offset] = value;
        if (!(await load(bytes, ram)).ok) refused++;
      },
    ),
    { numRuns: 2000 },
  );
  assert.ok(refused > 200, `damage was refused ${refused} times`);
});
