/**
 * The ROM of the built-in BIOS, F0000–FFFFF: for each interrupt vector a few instructions that call a service written in
 * TypeScript, and what old software expects at fixed places (IBM PC AT Technical Reference, BIOS listing): the entry at
 * FFF0h, the date, the model byte.
 *
 * A stub writes to TRAP_PORT, which ends the slice; the service changes the processor's state and the stub goes on with
 * it. The short jump ends the block of code in which the write is, so that nothing behind it runs before.
 *
 * Deliberately missing: stubs for protected mode; a monitor of virtual-8086 tasks that does port writes for its tasks
 * itself would see the trap in its own code.
 */

import { assert } from "../../base/index.ts";
import { FONT_HEIGHTS, romFont } from "./fonts.ts";
import { POINTING_HANDLER_OFFSET } from "./pointing-device.ts";

export const ROM_GPA = 0xf0000;
export const ROM_BYTES = 0x1_0000;
export const ROM_SEGMENT = 0xf000;
/** Where a processor fetches its first instruction: the same ROM, below 4 GiB. */
export const RESET_ROM_GPA = 0xffff_0000;
/** Next to the APM ports of the chipset, where nothing else is. */
export const TRAP_PORT = 0xb5;

/** What is before it belongs to tables. */
export const ROM_START_OFFSET = 0x9000;
/** The fonts by their height. Old programs read the lower half of the smallest at FA6Eh, where it is once more. */
export const ROM_FONT_OFFSETS = { 16: ROM_START_OFFSET, 14: 0xa000, 8: 0xb000 } as const;
const CGA_FONT_OFFSET = 0xfa6e;
const CGA_FONT_BYTES = 1024;
const STUBS_OFFSET = 0xc000;
const STUB_BYTES = 16;
const VECTORS = 256;
/** Where the POST begins in an AT's ROM; FFF0h jumps there. */
const POST_OFFSET = 0xe05b;
const DISKETTE_PARAMETERS_OFFSET = 0xefc7;
const CONFIGURATION_OFFSET = 0xe6f5;
const VIDEO_FUNCTIONALITY_OFFSET = 0xd200;
/**
 * Modes 0–7, 0Dh, 0Eh, 10h–13h; 400 lines; eight fonts, two of them at once; what INT 10h has: fonts, cursor scaling, the
 * EGA's and the DAC's colours and its pages; blinking, display combinations.
 */
const VIDEO_FUNCTIONALITY = [0xff, 0x60, 0x0f, 0, 0, 0, 0, 0x04, 0x08, 0x02, 0xf5, 0x0c, 0, 0, 0, 0] as const;
/** A lone IRET, to which vectors lead that nobody serves. */
export const IRET_OFFSET = 0xff53;
const ENTRY_OFFSET = 0xfff0;
const DATE_OFFSET = 0xfff5;
const MODEL_OFFSET = 0xfffe;
const AT = 0xfc;
const IRET = 0xcf;

/** Write to the port, and jump to the next instruction. */
const TRAP = [0xe6, TRAP_PORT, 0xeb, 0x00] as const;
const TRAP_WRITE_BYTES = 2;
/** Lengths of what has been executed when the slice ends: the write alone, or the jump too. */
const TRAP_LENGTHS: readonly number[] = [TRAP_WRITE_BYTES, TRAP.length];

/** push ax; mov al, 20h; out 20h, al; pop ax: end of interrupt to the first 8259. */
const END_OF_INTERRUPT = [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58] as const;
const USER_TICK = 0x1c;
const TICK = 0x08;
const BOOTSTRAP = 0x19;
const NO_BOOT = 0x18;

/** SPECIFY bytes, motor off time, 512-byte sectors, 18 a track, gaps, fill, head settle, motor start: 1.44 M. */
const DISKETTE_PARAMETERS = [0xaf, 0x02, 0x25, 0x02, 0x12, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08] as const;
/** Length, model FCh 01h, revision 0; second 8259, RTC, keyboard intercept, extended BIOS data area. */
const CONFIGURATION = [0x08, 0x00, AT, 0x01, 0x00, 0x74, 0x40, 0x00, 0x00, 0x00] as const;

/** sti; hlt; jmp to the stub's start: a service that waits is called again after the next interrupt. */
const WAIT = [0xfb, 0xf4, 0xeb, 0xf7] as const;
const RETURN_BYTES = 1;

const LONG_STUBS_OFFSET = STUBS_OFFSET + STUB_BYTES * VECTORS;
/** The pointing device's calls a program's handler. */
const POINTING_VECTOR = 0x74;
const CLOCK_VECTOR = 0x70;
const ALARM = 0x4a;
/** push ds; push es; pushad: the service then has registers to answer in. */
const SAVE_ALL = [0x1e, 0x06, 0x66, 0x60] as const;
const RESTORE_ALL = [0x66, 0x61, 0x07, 0x1f] as const;
/** push bx; push cx; push dx; push si; sti; call far [es:HANDLER]; cli; add sp, 8. */
const CALL_HANDLER = [
  ...[0x53, 0x51, 0x52, 0x56, 0xfb],
  ...[0x26, 0xff, 0x1e, POINTING_HANDLER_OFFSET, 0x00],
  ...[0xfa, 0x83, 0xc4, 0x08],
] as const;
/** mov al, 20h; out 0a0h, al; out 20h, al. */
const END_OF_SECOND_INTERRUPT = [0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20] as const;
const POINTING_STUB = [
  ...[...SAVE_ALL, ...TRAP],
  // test al, al; jz behind the call
  ...[0x84, 0xc0, 0x74, CALL_HANDLER.length, ...CALL_HANDLER],
  ...[...END_OF_SECOND_INTERRUPT, ...RESTORE_ALL, IRET],
] as const;

/** push ax, so that the service has AL to answer in; test al, al; jz behind it; int 4ah; the end; pop ax. */
const CLOCK_STUB = [
  ...[0x50, ...TRAP, 0x84, 0xc0, 0x74, 0x02, 0xcd, ALARM],
  ...[...END_OF_SECOND_INTERRUPT, 0x58, IRET],
] as const;

/**
 * push ax; the service reads a scan code to AL and sets AH to 4Fh, or to 0 if there is none; test ah, ah; jz to the end;
 * stc; int 15h, by which programs change the code, or take it, which clears the carry flag; jnc to the end; the service
 * takes what is in AL, and sets AH to 1Bh if it was a break; the end; cmp ah, 1bh; jne behind int 1bh; pop ax.
 */
export const KEYBOARD_BREAK = 0x1b;
const KEYBOARD_STUB_READS = [0x50, ...TRAP, 0x84, 0xe4] as const;
const KEYBOARD_STUB_ASKS = [0xf9, 0xcd, 0x15, 0x73, TRAP.length] as const;
const KEYBOARD_STUB = [
  ...[...KEYBOARD_STUB_READS, 0x74, KEYBOARD_STUB_ASKS.length + TRAP.length],
  ...[...KEYBOARD_STUB_ASKS, ...TRAP],
  ...[0xb0, 0x20, 0xe6, 0x20],
  ...[0x80, 0xfc, KEYBOARD_BREAK, 0x75, 0x02, 0xcd, KEYBOARD_BREAK, 0x58, IRET],
] as const;
const KEYBOARD_VECTOR = 0x09;

/** Behind the IRET int 15h, by which programs refuse to have a medium ejected, and the service again. */
const DISK_VECTOR = 0x13;
const DISK_STUB_RETURNS = [...TRAP, IRET] as const;
const DISK_STUB_ASKS = [0xcd, 0x15] as const;
const DISK_STUB = [...DISK_STUB_RETURNS, ...DISK_STUB_ASKS, ...TRAP, IRET] as const;

/** Code longer than what has room among the others, and where in it the writes to the port are. */
interface LongStub {
  readonly vector: number;
  readonly code: readonly number[];
  readonly traps: readonly number[];
}
const LONG_STUB_BYTES = 64;
const LONG_STUBS: readonly LongStub[] = [
  { vector: POINTING_VECTOR, code: POINTING_STUB, traps: [SAVE_ALL.length] },
  { vector: CLOCK_VECTOR, code: CLOCK_STUB, traps: [1] },
  {
    vector: DISK_VECTOR,
    code: DISK_STUB,
    traps: [0, DISK_STUB_RETURNS.length + DISK_STUB_ASKS.length],
  },
  {
    vector: KEYBOARD_VECTOR,
    code: KEYBOARD_STUB,
    traps: [1, KEYBOARD_STUB_READS.length + 2 + KEYBOARD_STUB_ASKS.length],
  },
];
const longStubOffset = (index: number): number => LONG_STUBS_OFFSET + LONG_STUB_BYTES * index;
const longStubOf = (vector: number): number => LONG_STUBS.findIndex((stub) => stub.vector === vector);

/** Offset in the ROM segment of an interrupt's stub. */
export const stubOffset = (vector: number): number => {
  const index = longStubOf(vector);
  return index === -1 ? STUBS_OFFSET + vector * STUB_BYTES : longStubOffset(index);
};

/** Of a stub, where its write to the port ends; some have a second one. */
export const trapEndOffset = (vector: number, step = 0): number =>
  stubOffset(vector) + (LONG_STUBS[longStubOf(vector)]?.traps[step] ?? 0) + TRAP_WRITE_BYTES;

/** Where a service lets its stub go on that is to be called again after the next interrupt. */
export const waitOffset = (vector: number): number => stubOffset(vector) + TRAP.length + RETURN_BYTES;

/** Where the disk service lets its stub go on that has AH = 52h for INT 15h. */
export const ejectQuestionOffset = stubOffset(DISK_VECTOR) + DISK_STUB_RETURNS.length;

export const ROM_OFFSETS = {
  videoFunctionality: VIDEO_FUNCTIONALITY_OFFSET,
  entry: ENTRY_OFFSET,
  /** INT 19h, behind the self-test. */
  bootstrap: POST_OFFSET + TRAP.length,
  disketteParameters: DISKETTE_PARAMETERS_OFFSET,
  configuration: CONFIGURATION_OFFSET,
} as const;

export type RomCall =
  /** `step` counts the calls of one stub. */
  | { readonly kind: "interrupt"; readonly vector: number; readonly step: number }
  | { readonly kind: "power-on-self-test" };

/** Which stub has written to the trap port, by the linear address of what follows; undefined if it was none. */
export function romCallAt(linear: number): RomCall | undefined {
  const offset = linear - ROM_GPA;
  if (TRAP_LENGTHS.includes(offset - POST_OFFSET)) return { kind: "power-on-self-test" };
  for (const [index, { vector, traps }] of LONG_STUBS.entries()) {
    const step = traps.findIndex((trap) => TRAP_LENGTHS.includes(offset - longStubOffset(index) - trap));
    if (step !== -1) return { kind: "interrupt", vector, step };
  }
  const vector = Math.floor((offset - STUBS_OFFSET) / STUB_BYTES);
  const isStub = vector >= 0 && vector < VECTORS && TRAP_LENGTHS.includes(offset - stubOffset(vector));
  return isStub ? { kind: "interrupt", vector, step: 0 } : undefined;
}

/** `dateText` is MM/DD/YY. */
export function buildRom(dateText: string): Uint8Array {
  const rom = new Uint8Array(ROM_BYTES);
  for (let vector = 0; vector < VECTORS; vector++) {
    if (longStubOf(vector) !== -1) continue;
    const behind = vector === TICK ? [0xcd, USER_TICK, ...END_OF_INTERRUPT, IRET] : [IRET, ...WAIT];
    const stub = [...TRAP, ...behind];
    assert(stub.length <= STUB_BYTES, "a stub fits its place");
    rom.set(stub, stubOffset(vector));
  }
  for (const [index, { code }] of LONG_STUBS.entries()) {
    assert(code.length <= LONG_STUB_BYTES, "a long stub fits its place");
    rom.set(code, longStubOffset(index));
  }
  for (const height of FONT_HEIGHTS) rom.set(romFont(height), ROM_FONT_OFFSETS[height]);
  rom.set(romFont(8).subarray(0, CGA_FONT_BYTES), CGA_FONT_OFFSET);
  // What comes back from booting has found nothing; then there is nothing left to do but wait.
  rom.set([...TRAP, 0xcd, BOOTSTRAP, 0xcd, NO_BOOT, 0xf4, 0xeb, 0xfd], POST_OFFSET);
  rom[IRET_OFFSET] = IRET;
  rom.set(DISKETTE_PARAMETERS, DISKETTE_PARAMETERS_OFFSET);
  rom.set(CONFIGURATION, CONFIGURATION_OFFSET);
  rom.set(VIDEO_FUNCTIONALITY, VIDEO_FUNCTIONALITY_OFFSET);
  rom.set([0xea, POST_OFFSET & 0xff, POST_OFFSET >> 8, ROM_SEGMENT & 0xff, ROM_SEGMENT >> 8], ENTRY_OFFSET);
  rom.set(new TextEncoder().encode(dateText), DATE_OFFSET);
  rom[MODEL_OFFSET] = AT;
  return rom;
}
