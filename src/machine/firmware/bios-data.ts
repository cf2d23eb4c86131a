/**
 * The BIOS data area at 400h by name: what services share with each other and with programs that look at it directly.
 * IBM PS/2 and PC BIOS Interface Technical Reference, section 3.
 */

import type { GuestRam } from "../../memory/index.ts";

export const BDA_GPA = 0x400;

const BYTE = 1;
const WORD = 2;
const DWORD = 4;

const FIELDS = {
  ebdaSegment: [0x0e, WORD],
  equipment: [0x10, WORD],
  baseMemoryKib: [0x13, WORD],
  keyboardFlags: [0x17, BYTE],
  keyboardFlags2: [0x18, BYTE],
  altKeypad: [0x19, BYTE],
  keyboardHead: [0x1a, WORD],
  keyboardTail: [0x1c, WORD],
  disketteStatus: [0x41, BYTE],
  videoMode: [0x49, BYTE],
  videoColumns: [0x4a, WORD],
  videoPageBytes: [0x4c, WORD],
  videoPageOffset: [0x4e, WORD],
  cursorEnd: [0x60, BYTE],
  cursorStart: [0x61, BYTE],
  activePage: [0x62, BYTE],
  crtcPort: [0x63, WORD],
  resumption: [0x67, DWORD],
  ticks: [0x6c, DWORD],
  hasPassedMidnight: [0x70, BYTE],
  keyboardBreak: [0x71, BYTE],
  softReset: [0x72, WORD],
  diskStatus: [0x74, BYTE],
  diskCount: [0x75, BYTE],
  keyboardBufferStart: [0x80, WORD],
  keyboardBufferEnd: [0x82, WORD],
  videoLastRow: [0x84, BYTE],
  characterHeight: [0x85, WORD],
  videoControl: [0x87, BYTE],
  videoSwitches: [0x88, BYTE],
  videoModeSet: [0x89, BYTE],
  displayCombination: [0x8a, BYTE],
  keyboardFlags3: [0x96, BYTE],
  keyboardLeds: [0x97, BYTE],
  waitPointer: [0x98, DWORD],
  waitCountUs: [0x9c, DWORD],
  waitActive: [0xa0, BYTE],
} as const;
export type BiosDataField = keyof typeof FIELDS;

const SERIAL_PORTS = 0x00;
const PARALLEL_PORTS = 0x08;
const CURSORS = 0x50;

export class BiosData {
  readonly #ram: GuestRam;

  constructor(ram: GuestRam) {
    this.#ram = ram;
  }

  get(field: BiosDataField): number {
    const [at, size] = FIELDS[field];
    if (size === BYTE) return this.#ram.readU8(BDA_GPA + at);
    return size === WORD ? this.#ram.readU16(BDA_GPA + at) : this.#ram.readU32(BDA_GPA + at);
  }

  set(field: BiosDataField, value: number): void {
    const [at, size] = FIELDS[field];
    if (size === BYTE) this.#ram.writeU8(BDA_GPA + at, value);
    else if (size === WORD) this.#ram.writeU16(BDA_GPA + at, value);
    else this.#ram.writeU32(BDA_GPA + at, value);
  }

  /** Where the COM port is, counted from 0; 0 when there is none. */
  serialPort(index: number): number {
    return index < 4 ? this.#ram.readU16(BDA_GPA + SERIAL_PORTS + 2 * index) : 0;
  }

  parallelPort(index: number): number {
    return index < 3 ? this.#ram.readU16(BDA_GPA + PARALLEL_PORTS + 2 * index) : 0;
  }

  /** The cursor of a page: row in the high byte, column in the low one. */
  cursor(page: number): { readonly row: number; readonly column: number } {
    const at = this.#ram.readU16(BDA_GPA + CURSORS + 2 * (page & 7));
    return { row: at >>> 8, column: at & 0xff };
  }

  setCursor(page: number, row: number, column: number): void {
    this.#ram.writeU16(BDA_GPA + CURSORS + 2 * (page & 7), (row << 8) | column);
  }

  // The ring of keys, whose pointers count from segment 40h.

  /** False when the buffer is full: the key is lost, and a real PC beeps. */
  pushKey(scanAndCharacter: number): boolean {
    const tail = this.#keyPointer("keyboardTail");
    const next = this.#nextKey(tail);
    if (next === this.#keyPointer("keyboardHead")) return false;
    this.#ram.writeU16(BDA_GPA + tail, scanAndCharacter);
    this.set("keyboardTail", next);
    return true;
  }

  /** The next key, scan code in the high byte; undefined when none waits. */
  peekKey(): number | undefined {
    const head = this.#keyPointer("keyboardHead");
    return head === this.#keyPointer("keyboardTail") ? undefined : this.#ram.readU16(BDA_GPA + head);
  }

  takeKey(): number | undefined {
    const key = this.peekKey();
    if (key !== undefined) this.set("keyboardHead", this.#nextKey(this.#keyPointer("keyboardHead")));
    return key;
  }

  /** Programs may write what they like there; the buffer stays within the segment. */
  #keyPointer(field: "keyboardHead" | "keyboardTail"): number {
    return Math.min(this.get(field), 0xfffe);
  }

  #nextKey(at: number): number {
    const next = at + 2;
    return next >= this.get("keyboardBufferEnd") ? this.get("keyboardBufferStart") : next;
  }
}
