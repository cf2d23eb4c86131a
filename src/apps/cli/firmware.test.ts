/** Firmware of a few instructions, from the command line to the engine: what it sees of ROM, shadow RAM and resets. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { KiB } from "../../base/index.ts";

const command = fileURLToPath(new URL("main.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "typevisor-firmware-"));
after(() => rmSync(folder, { recursive: true }));

const ROM_BYTES = 128 * KiB;
/** Offsets in the image of what is at E8000 and F0000. */
const AT_E8000 = 0x8000;
const AT_F0000 = 0x1_0000;
const MARK_OFFSET = 0x8000;
const SERIAL = 0x3f8;
const PAM = { f0000: 0x59, c8000: 0x5b, e8000: 0x5f } as const;

function runImage(image: Uint8Array, ...args: readonly string[]) {
  const firmware = join(folder, "firmware.bin");
  writeFileSync(firmware, image);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [command, "run", "--firmware", firmware, "--memory", "16M", "--timeout", "20", ...args],
    {
      encoding: "latin1",
      input: "",
      env: { ...process.env, XDG_CACHE_HOME: folder, XDG_RUNTIME_DIR: folder },
    },
  );
  return { status, stdout, stderr };
}

/** Runs 16-bit code at F000:0000, to which the reset vector jumps, in a ROM with letters at E8000 and F8000. */
function run(code: readonly number[], ...args: readonly string[]) {
  const image = new Uint8Array(ROM_BYTES);
  image[AT_E8000] = letter("R");
  image.set(code, AT_F0000);
  image[AT_F0000 + MARK_OFFSET] = letter("S");
  image.set([0xea, 0x00, 0x00, 0x00, 0xf0], ROM_BYTES - 16);
  return runImage(image, "--device", "isa-debug-exit", ...args);
}

// 16-bit instructions.
const word = (value: number): number[] => [value & 0xff, (value >>> 8) & 0xff];
const letter = (text: string): number => text.charCodeAt(0);
/** mov dx, PORT; mov al, VALUE; out dx, al */
const outb = (port: number, value: number): number[] => [0xba, ...word(port), 0xb0, value, 0xee];
/** mov ax, SEGMENT; mov ds, ax */
const setDs = (segment: number): number[] => [0xb8, ...word(segment), 0x8e, 0xd8];
/** mov byte [OFFSET], LETTER */
const poke = (offset: number, text: string): number[] => [0xc6, 0x06, ...word(offset), letter(text)];
/** mov al, [OFFSET]; mov dx, 3F8h; out dx, al */
const tell = (offset: number): number[] => [0xa0, ...word(offset), 0xba, ...word(SERIAL), 0xee];
/** mov eax, ADDRESS; mov dx, CF8h; out dx, eax; then the byte */
const setConfig = (register: number, value: number): number[] => [
  ...[0x66, 0xb8, ...word(register & 0xfc), 0x00, 0x80, 0xba, ...word(0xcf8), 0x66, 0xef],
  ...outb(0xcfc + (register & 3), value),
];
const exit = [...outb(0xf4, 0x15), 0xf4];

/** Each state of a range's attributes; what was written while only writes went to RAM is found there in the end. */
const everyState = (segment: number, register: number): number[] => [
  ...setDs(segment),
  ...[...setConfig(register, 3), ...poke(0, "A"), ...tell(0)],
  ...[...setConfig(register, 1), ...poke(0, "B"), ...tell(0)],
  ...[...setConfig(register, 2), ...poke(0, "C"), ...tell(0)],
  ...[...setConfig(register, 0), ...poke(0, "D"), ...tell(0)],
  ...[...setConfig(register, 1), ...tell(0)],
];

for (const tier of ["auto", "interpreter"]) {
  test(`each range is ROM, or nothing, or RAM for reads, writes or both (${tier})`, () => {
    const code = [...everyState(0xc800, PAM.c8000), ...everyState(0xe800, PAM.e8000), ...exit];
    assert.deepEqual(run(code, "--tier", tier), { status: 0x2b, stdout: "AAÿÿCAARRC", stderr: "" });
  });

  test(`firmware copies itself to RAM while it runs, and patches itself there (${tier})`, () => {
    const subroutine = 0x4000;
    const call = (from: number): number[] => [0xe8, ...word(subroutine - (from + 3))];
    const patched = [
      ...[0xbc, ...word(0x7000), ...setDs(0xf000), 0x8e, 0xc0],
      ...setConfig(PAM.f0000, 0x20),
      // xor si, si; xor di, di; mov cx, 8000h; cld; rep movsw
      ...[0x31, 0xf6, 0x31, 0xff, 0xb9, ...word(0x8000), 0xfc, 0xf3, 0xa5],
      ...tell(MARK_OFFSET),
      ...[...setConfig(PAM.f0000, 0x10), ...poke(MARK_OFFSET, "X"), ...tell(MARK_OFFSET)],
      ...[...setConfig(PAM.f0000, 0x30), ...poke(MARK_OFFSET, "T"), ...tell(MARK_OFFSET)],
      ...poke(subroutine + 4, "P"),
    ];
    const code = [...patched, ...call(patched.length)];
    code.push(...setConfig(PAM.f0000, 0x00), ...tell(MARK_OFFSET));
    code.push(...call(code.length), ...exit);
    // mov dx, 3F8h; mov al, 'u'; out dx, al; ret
    const whole = [...code, ...Array.from({ length: subroutine - code.length }, () => 0x90)];
    whole.push(0xba, ...word(SERIAL), 0xb0, letter("u"), 0xee, 0xc3);
    assert.deepEqual(run(whole, "--tier", tier), { status: 0x2b, stdout: "SSTPSu", stderr: "" });
  });
}

test("every reset shows the ROM again, and leaves RAM as it is", () => {
  /** cmp al, COUNT; jne behind; the write; hlt; jmp to the hlt */
  const resetAt = (count: number, port: number, value: number): number[] => {
    const block = [...outb(port, value), 0xf4, 0xeb, 0xfd];
    return [0x3c, count, 0x75, block.length, ...block];
  };
  const code = [
    // mov al, [500h]; inc byte [500h]; add al, '0'; mov dx, 3F8h; out dx, al
    ...setDs(0),
    ...[0xa0, ...word(0x500), 0xfe, 0x06, ...word(0x500), 0x04, letter("0"), 0xba, ...word(SERIAL), 0xee],
    ...setDs(0xe800),
    ...[...tell(0), ...setConfig(PAM.e8000, 3), ...poke(0, "x"), ...tell(0)],
    ...[...setDs(0), 0xa0, ...word(0x500)],
    ...[...resetAt(1, 0xcf9, 0x06), ...resetAt(2, 0x92, 0x01), ...resetAt(3, 0x64, 0xfe)],
    ...exit,
  ];
  assert.deepEqual(run(code), { status: 0x2b, stdout: "0Rx1Rx2Rx3Rx", stderr: "" });
});

test("firmware's log goes to the terminal with isa-debugcon, and nowhere without", () => {
  const code = [...outb(0x402, letter("l")), ...outb(0x402, letter("g")), ...exit];
  assert.equal(run(code, "--device", "isa-debugcon").stdout, "lg");
  assert.equal(run(code).stdout, "");
});

const VARIABLES_BYTES = 8 * KiB;
/** Right below the ROM. */
const FLASH = 2 ** 32 - ROM_BYTES - VARIABLES_BYTES;
const AT_GDT = 0x4000;
const address = (gpa: number): number[] => [...word(gpa & 0xffff), ...word(gpa >>> 16)];
/** DS reaches all of 4 GiB from here on: a descriptor loaded in protected mode outlives it. */
const openDs = [
  // lgdt cs:[GDT]; mov eax, cr0; or al, 1; mov cr0, eax; mov bx, 8; mov ds, bx; and al, FEh; mov cr0, eax
  ...[0x2e, 0x0f, 0x01, 0x16, ...word(AT_GDT), 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0],
  ...[0xbb, 0x08, 0x00, 0x8e, 0xdb, 0x24, 0xfe, 0x0f, 0x22, 0xc0],
];
/** GDTR, the null descriptor, and a flat data segment. */
const gdt = [
  ...[...word(15), ...address(0xf0000 + AT_GDT + 6), 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0],
];
/** mov byte [FLASH + offset], value, for each */
const pokeFlash = (offset: number, ...values: readonly number[]): number[] =>
  values.flatMap((value) => [0x67, 0xc6, 0x05, ...address(FLASH + offset), value]);
/** mov al, [FLASH + offset]; mov dx, 3F8h; out dx, al */
const tellFlash = (offset: number): number[] => [
  ...[0x67, 0xa0, ...address(FLASH + offset), 0xba, ...word(SERIAL), 0xee],
];

/** Programs a byte and resets; when it finds the byte there, erases the block behind it and ends. */
function keepVariables(tier: string, variables: string) {
  const first = [...pokeFlash(1, 0x10, letter("k"), 0xff), ...outb(0xcf9, 0x06), 0xf4];
  const second = [...tellFlash(1), ...pokeFlash(4 * KiB, 0x20, 0xd0, 0xff), ...tellFlash(4 * KiB), ...exit];
  // cmp byte [FLASH + 1], 'k'; je behind
  const isSecond = [0x67, 0x80, 0x3d, ...address(FLASH + 1), letter("k"), 0x74, first.length];
  const code = [...openDs, ...tellFlash(0), ...isSecond, ...first, ...second];
  const padding = Array.from({ length: AT_GDT - code.length }, () => 0);
  return run([...code, ...padding, ...gdt], "--tier", tier, "--firmware-vars", variables);
}

test("firmware finds what it has put into its flash after a reset, and so does the host unless it is temporary", () => {
  const file = join(folder, "variables.fd");
  const contents = new Uint8Array(VARIABLES_BYTES).fill(0xff, 0, 4 * KiB);
  contents[0] = letter("v");
  writeFileSync(file, contents);
  const output = { status: 0x2b, stdout: "vvkÿ", stderr: "" };
  assert.deepEqual(keepVariables("interpreter", `${file},temporary`), output);
  assert.deepEqual(new Uint8Array(readFileSync(file)), contents);
  assert.deepEqual(keepVariables("auto", file), output);
  const changed = contents.fill(0xff, 4 * KiB);
  changed[1] = letter("k");
  assert.deepEqual(new Uint8Array(readFileSync(file)), changed);
});

test("what cannot be a store of variables is refused in one sentence", () => {
  const image = new Uint8Array(64 * KiB);
  const file = join(folder, "wrong.fd");
  const refusal = (...args: readonly string[]): string =>
    runImage(image, "--firmware-vars", file, ...args).stderr;
  writeFileSync(file, new Uint8Array(512));
  assert.match(refusal(), /^typevisor: The variable store \S+ has 512 bytes; a store of variables has whole/);
  writeFileSync(file, new Uint8Array(4 * KiB));
  assert.match(refusal("--disk", file), /is used by another VM, or given twice\.$/m);
});

test("what cannot be firmware is refused in one sentence", () => {
  const { status, stderr } = runImage(new Uint8Array(1000));
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^typevisor: The firmware \S+ has 1000 bytes; firmware has 64 KiB to 16 MiB, in steps/,
  );
  const kernel = runImage(new Uint8Array(64 * KiB), "--kernel", command);
  assert.match(
    kernel.stderr,
    /^typevisor: The firmware \S+ takes no kernel: UEFI firmware like OVMF and U-Boot do;/,
  );
  const missing = runImage(new Uint8Array(64 * KiB), "--vga-bios", join(folder, "none"));
  assert.match(missing.stderr, /^typevisor: The VGA BIOS \S+ does not exist\./);
});
