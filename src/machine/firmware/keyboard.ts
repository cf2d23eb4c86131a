/**
 * The keyboard: INT 9h turns scan codes into keys in the BIOS data area's buffer, INT 16h gives them to programs. IBM PS/2
 * and PC BIOS Interface Technical Reference.
 *
 * Deliberately missing: print screen; the system request key. Pause is a key without effect.
 */

import type { PortBus } from "../../hw/index.ts";
import type { BiosData } from "./bios-data.ts";
import { keyOf } from "./keys.ts";
import type { Key } from "./keys.ts";
import type { ServiceCall } from "./service-call.ts";

const PORT = { data: 0x60, status: 0x64 } as const;
const OUTPUT_FULL = 0x01;
const FROM_AUX = 0x20;
const INTERCEPT = 0x4f;

const RELEASED = 0x80;
const PREFIX_E0 = 0xe0;
const PREFIX_E1 = 0xe1;
const DELETE = 0x53;
/** With the prefix E0: control and pause. */
const BREAK = 0x46;
const BREAK_FLAG = 0x80;
/** Codes of 0 to 9. */
const KEYPAD_DIGITS: readonly number[] = [0x52, 0x4f, 0x50, 0x51, 0x4b, 0x4c, 0x4d, 0x47, 0x48, 0x49];

/** Flags at 40:17. */
const FLAG = {
  right: 0x01,
  left: 0x02,
  control: 0x04,
  alt: 0x08,
  scroll: 0x10,
  num: 0x20,
  caps: 0x40,
  insert: 0x80,
} as const;
/** Flags at 40:18: what is held down of the left keys and of the locks. */
const HELD: ReadonlyMap<number, number> = new Map([
  [FLAG.scroll, 0x10],
  [FLAG.num, 0x20],
  [FLAG.caps, 0x40],
  [FLAG.insert, 0x80],
]);
const LEFT_CONTROL = 0x01;
const LEFT_ALT = 0x02;
/** Flags at 40:96. */
const RIGHT_CONTROL = 0x04;
const RIGHT_ALT = 0x08;
const ENHANCED = 0x10;
const LAST_WAS_E0 = 0x02;
const LAST_WAS_E1 = 0x01;

const HOLD_KEYS: ReadonlyMap<number, number> = new Map([
  [0x36, FLAG.right],
  [0x2a, FLAG.left],
  [0x1d, FLAG.control],
  [0x38, FLAG.alt],
]);
const LOCK_KEYS: ReadonlyMap<number, number> = new Map([
  [0x46, FLAG.scroll],
  [0x45, FLAG.num],
  [0x3a, FLAG.caps],
]);
const INSERT = 0x52;
/** What AH = 09h says: AX = 0305h, AH = 0Ah and the extended functions are there. */
const FUNCTIONALITY = 0x34;
/** Of INT 16h AH = 03h: the only one that keyboards since the AT's know; and the keyboard's command for it. */
const SET_TYPEMATIC = { function: 0x05, command: 0xf3 } as const;
/** Of an enhanced keyboard, as the controller translates it. */
const KEYBOARD_ID = 0x41ab;
/** The character of a key that only the extended functions know. */
const GREY = 0xe0;

export class KeyboardServices {
  readonly #ports: PortBus;
  readonly #data: BiosData;
  readonly #onControlAltDelete: () => void;

  constructor(ports: PortBus, data: BiosData, onControlAltDelete: () => void) {
    this.#ports = ports;
    this.#data = data;
    this.#onControlAltDelete = onControlAltDelete;
  }

  reset(): void {
    this.#data.set("keyboardFlags3", ENHANCED);
  }

  // INT 9h.

  /** Gives the keyboard's code to INT 15h, AH = 4Fh, by which programs see it first; AH = 0 if there is none. */
  readCode(call: ServiceCall): void {
    // A byte of the pointing device is left to its own interrupt.
    const isThere = (this.#ports.readPort(PORT.status, 1) & (OUTPUT_FULL | FROM_AUX)) === OUTPUT_FULL;
    call.ax = isThere ? (INTERCEPT << 8) | this.#ports.readPort(PORT.data, 1) : 0;
  }

  /** The code that is left of it; true when INT 1Bh is to be told of a break. */
  takeCode(code: number): boolean {
    const data = this.#data;
    const flags3 = data.get("keyboardFlags3");
    if (code === PREFIX_E0 || code === PREFIX_E1) {
      data.set("keyboardFlags3", flags3 | (code === PREFIX_E0 ? LAST_WAS_E0 : LAST_WAS_E1));
      return false;
    }
    const isExtended = (flags3 & LAST_WAS_E0) !== 0;
    const isPause = (flags3 & LAST_WAS_E1) !== 0;
    const scan = code & ~RELEASED;
    // Pause is E1 1D 45 and its release: the prefix holds until the second code of the two.
    const ends = !isPause || scan !== 0x1d;
    data.set("keyboardFlags3", flags3 & ~LAST_WAS_E0 & (ends ? ~LAST_WAS_E1 : ~0));
    if (isPause) return false;
    const isDown = (code & RELEASED) === 0;
    if (this.#hold(scan, isDown, isExtended) || !isDown) return false;
    if (isExtended && scan === BREAK) {
      this.#break();
      return true;
    }
    this.#press(scan, isExtended);
    return false;
  }

  /** What was typed before a break is gone, and 40:71 tells of it. */
  #break(): void {
    const data = this.#data;
    data.set("keyboardBreak", BREAK_FLAG);
    data.set("keyboardHead", data.get("keyboardBufferStart"));
    data.set("keyboardTail", data.get("keyboardBufferStart"));
    data.pushKey(0);
  }

  #press(scan: number, isExtended: boolean): void {
    const data = this.#data;
    const flags = data.get("keyboardFlags");
    const isControlAlt = (flags & FLAG.control) !== 0 && (flags & FLAG.alt) !== 0;
    if (isControlAlt && scan === DELETE) {
      this.#onControlAltDelete();
      return;
    }
    const digit = isExtended ? -1 : KEYPAD_DIGITS.indexOf(scan);
    if (digit !== -1 && (flags & FLAG.alt) !== 0) {
      data.set("altKeypad", (data.get("altKeypad") * 10 + digit) & 0xff);
      return;
    }
    const found = keyOf(scan, isExtended);
    const word = found === undefined ? -1 : withFlags(found, flags);
    if (word >= 0) data.pushKey(word);
  }

  /** Shift, control, alt and the locks; true when the code was one of theirs and nothing else. */
  #hold(scan: number, isDown: boolean, isExtended: boolean): boolean {
    const data = this.#data;
    const held = HOLD_KEYS.get(scan);
    const isFakeShift = isExtended && (scan === 0x2a || scan === 0x36);
    if (isFakeShift) return true;
    if (held !== undefined) {
      if (held === FLAG.control || held === FLAG.alt) this.#holdSide(held, isDown, isExtended);
      else data.set("keyboardFlags", withBit(data.get("keyboardFlags"), held, isDown));
      return true;
    }
    const lock = isExtended ? undefined : LOCK_KEYS.get(scan);
    const toggled = lock ?? (scan === INSERT && this.#isInsert(isExtended) ? FLAG.insert : undefined);
    if (toggled === undefined) return false;
    const bit = HELD.get(toggled) ?? 0;
    const before = data.get("keyboardFlags2");
    if (isDown && (before & bit) === 0) data.set("keyboardFlags", data.get("keyboardFlags") ^ toggled);
    data.set("keyboardFlags2", withBit(before, bit, isDown));
    return lock !== undefined;
  }

  /** Whether the key is Insert, and not a keypad's 0. */
  #isInsert(isExtended: boolean): boolean {
    return isExtended || (this.#data.get("keyboardFlags") & FLAG.num) === 0;
  }

  #holdSide(flag: number, isDown: boolean, isRight: boolean): void {
    const data = this.#data;
    const isControl = flag === FLAG.control;
    if (isRight) {
      const bit = isControl ? RIGHT_CONTROL : RIGHT_ALT;
      data.set("keyboardFlags3", withBit(data.get("keyboardFlags3"), bit, isDown));
    } else {
      const bit = isControl ? LEFT_CONTROL : LEFT_ALT;
      data.set("keyboardFlags2", withBit(data.get("keyboardFlags2"), bit, isDown));
    }
    const left = data.get("keyboardFlags2") & (isControl ? LEFT_CONTROL : LEFT_ALT);
    const right = data.get("keyboardFlags3") & (isControl ? RIGHT_CONTROL : RIGHT_ALT);
    data.set("keyboardFlags", withBit(data.get("keyboardFlags"), flag, left !== 0 || right !== 0));
    const character = data.get("altKeypad");
    if (isControl || isDown || character === 0) return;
    // Alt was let go behind digits of the keypad: they are a character's number.
    data.set("altKeypad", 0);
    data.pushKey(character);
  }

  // INT 16h.

  /** False when the call waits for a key: it is to be made again after the next interrupt. */
  call(call: ServiceCall): boolean {
    const data = this.#data;
    const isExtended = (call.ah & 0x10) !== 0;
    switch (call.ah) {
      case 0x00:
      case 0x10: {
        const word = this.#next(isExtended);
        if (word === undefined) return false;
        data.takeKey();
        call.ax = word;
        return true;
      }
      case 0x01:
      case 0x11: {
        const word = this.#next(isExtended);
        call.zero = word === undefined;
        if (word !== undefined) call.ax = word;
        return true;
      }
      case 0x02:
        call.al = data.get("keyboardFlags");
        return true;
      case 0x05:
        call.al = data.pushKey(call.cx) ? 0 : 1;
        return true;
      case 0x03:
        if (call.al === SET_TYPEMATIC.function) this.#setTypematic(call.bh, call.bl);
        return true;
      case 0x09:
        call.al = FUNCTIONALITY;
        return true;
      case 0x0a:
        call.bx = KEYBOARD_ID;
        return true;
      case 0x12:
        call.al = data.get("keyboardFlags");
        call.ah = this.#extendedFlags();
        return true;
      default:
        return true;
    }
  }

  /** The key that waits, as the older functions know it unless `isExtended`; keys that they do not know are lost. */
  #next(isExtended: boolean): number | undefined {
    for (;;) {
      const word = this.#data.peekKey();
      if (word === undefined || isExtended) return word;
      const known = withoutGrey(word);
      if (known !== undefined) return known;
      this.#data.takeKey();
    }
  }

  /** The keyboard acknowledges, which INT 9h takes for a key that goes up and that nobody has. */
  #setTypematic(delay: number, rate: number): void {
    this.#ports.writePort(PORT.data, 1, SET_TYPEMATIC.command);
    this.#ports.writePort(PORT.data, 1, ((delay & 0x03) << 5) | (rate & 0x1f));
  }

  #extendedFlags(): number {
    const flags2 = this.#data.get("keyboardFlags2");
    const flags3 = this.#data.get("keyboardFlags3");
    return (flags2 & 0x73) | ((flags2 & 0x04) << 5) | (flags3 & (RIGHT_CONTROL | RIGHT_ALT));
  }
}

const LAST_OLD_SCAN = 0x84;

function withoutGrey(word: number): number | undefined {
  const scan = word >>> 8;
  const character = word & 0xff;
  if (scan === GREY) return character === 0x2f ? 0x352f : 0x1c00 | character;
  if (scan > LAST_OLD_SCAN) return undefined;
  return character === GREY && scan !== 0 ? word & 0xff00 : word;
}

function withFlags(found: Key, flags: number): number {
  if ((flags & FLAG.alt) !== 0) return found.alt;
  if ((flags & FLAG.control) !== 0) return found.control;
  const isShifted = (flags & (FLAG.left | FLAG.right)) !== 0;
  const isLocked =
    (found.lock === "caps" && (flags & FLAG.caps) !== 0) ||
    (found.lock === "num" && (flags & FLAG.num) !== 0);
  return isShifted === isLocked ? found.plain : found.shift;
}

function withBit(value: number, bit: number, isSet: boolean): number {
  return isSet ? value | bit : value & ~bit;
}
