/**
 * Scan codes of the PC keyboard: set 2, which keyboards send, by the key names of W3C "UI Events KeyboardEvent code
 * Values", and the translation to set 1 that the keyboard controller does. Extended keys are prefixed by E0h.
 */

const E0 = 0xe000;

/** Set 2 make codes; those above FFh are sent with an E0h prefix. */
const SET_2 = {
  Escape: 0x76,
  F1: 0x05,
  F2: 0x06,
  F3: 0x04,
  F4: 0x0c,
  F5: 0x03,
  F6: 0x0b,
  F7: 0x83,
  F8: 0x0a,
  F9: 0x01,
  F10: 0x09,
  F11: 0x78,
  F12: 0x07,
  Backquote: 0x0e,
  Digit1: 0x16,
  Digit2: 0x1e,
  Digit3: 0x26,
  Digit4: 0x25,
  Digit5: 0x2e,
  Digit6: 0x36,
  Digit7: 0x3d,
  Digit8: 0x3e,
  Digit9: 0x46,
  Digit0: 0x45,
  Minus: 0x4e,
  Equal: 0x55,
  Backspace: 0x66,
  Tab: 0x0d,
  KeyQ: 0x15,
  KeyW: 0x1d,
  KeyE: 0x24,
  KeyR: 0x2d,
  KeyT: 0x2c,
  KeyY: 0x35,
  KeyU: 0x3c,
  KeyI: 0x43,
  KeyO: 0x44,
  KeyP: 0x4d,
  BracketLeft: 0x54,
  BracketRight: 0x5b,
  Backslash: 0x5d,
  CapsLock: 0x58,
  KeyA: 0x1c,
  KeyS: 0x1b,
  KeyD: 0x23,
  KeyF: 0x2b,
  KeyG: 0x34,
  KeyH: 0x33,
  KeyJ: 0x3b,
  KeyK: 0x42,
  KeyL: 0x4b,
  Semicolon: 0x4c,
  Quote: 0x52,
  Enter: 0x5a,
  ShiftLeft: 0x12,
  IntlBackslash: 0x61,
  KeyZ: 0x1a,
  KeyX: 0x22,
  KeyC: 0x21,
  KeyV: 0x2a,
  KeyB: 0x32,
  KeyN: 0x31,
  KeyM: 0x3a,
  Comma: 0x41,
  Period: 0x49,
  Slash: 0x4a,
  ShiftRight: 0x59,
  ControlLeft: 0x14,
  AltLeft: 0x11,
  Space: 0x29,
  AltRight: E0 | 0x11,
  ControlRight: E0 | 0x14,
  MetaLeft: E0 | 0x1f,
  MetaRight: E0 | 0x27,
  ContextMenu: E0 | 0x2f,
  Insert: E0 | 0x70,
  Home: E0 | 0x6c,
  PageUp: E0 | 0x7d,
  Delete: E0 | 0x71,
  End: E0 | 0x69,
  PageDown: E0 | 0x7a,
  ArrowUp: E0 | 0x75,
  ArrowLeft: E0 | 0x6b,
  ArrowDown: E0 | 0x72,
  ArrowRight: E0 | 0x74,
  ScrollLock: 0x7e,
  NumLock: 0x77,
  NumpadDivide: E0 | 0x4a,
  NumpadMultiply: 0x7c,
  NumpadSubtract: 0x7b,
  NumpadAdd: 0x79,
  NumpadEnter: E0 | 0x5a,
  NumpadDecimal: 0x71,
  Numpad0: 0x70,
  Numpad1: 0x69,
  Numpad2: 0x72,
  Numpad3: 0x7a,
  Numpad4: 0x6b,
  Numpad5: 0x73,
  Numpad6: 0x74,
  Numpad7: 0x6c,
  Numpad8: 0x75,
  Numpad9: 0x7d,
} as const;

/** The two keys whose sequences follow no rule; Pause sends nothing when it is released. */
const IRREGULAR = {
  PrintScreen: { make: [0xe0, 0x12, 0xe0, 0x7c], release: [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12] },
  Pause: { make: [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77], release: [] },
} as const;

export type KeyCode = keyof typeof SET_2 | keyof typeof IRREGULAR;

export const KEY_CODES: ReadonlySet<string> = new Set([...Object.keys(SET_2), ...Object.keys(IRREGULAR)]);

/** Whether `name` is a key of this keyboard. */
export function isKeyCode(name: string): name is KeyCode {
  return KEY_CODES.has(name);
}

/** What the keyboard sends, in set 2, when `key` goes down. */
export function makeCode(key: KeyCode): readonly number[] {
  if (key === "PrintScreen" || key === "Pause") return IRREGULAR[key].make;
  const code = SET_2[key];
  return code >= E0 ? [0xe0, code & 0xff] : [code];
}

/** What it sends when `key` goes up. */
export function breakCode(key: KeyCode): readonly number[] {
  if (key === "PrintScreen" || key === "Pause") return IRREGULAR[key].release;
  const code = SET_2[key];
  return code >= E0 ? [0xe0, 0xf0, code & 0xff] : [0xf0, code];
}

/** Set 1 by set 2, for codes up to 7Fh: the table in the controller's ROM. */
const SET_1_OF_SET_2 = [
  0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, 0x65, 0x38,
  0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, 0x67, 0x2e, 0x2d, 0x20,
  0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, 0x69, 0x31, 0x30, 0x23, 0x22, 0x15,
  0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, 0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60,
  0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61, 0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36,
  0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, 0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b,
  0x47, 0x7e, 0x7f, 0x6f, 0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49,
  0x46, 0x54,
] as const;

/** The only code of set 2 above 7Fh, as the ROM's table ends there. */
const F7_IN_SET_1 = 0x41;

const BREAK_PREFIX = 0xf0;

/** Set 1's codes by the key, as the controller makes them of set 2; extended ones have E0h before them. */
const KEY_OF_SET_1 = new Map<number, KeyCode>([
  ...Object.entries(SET_2).flatMap(([name, code]) => {
    const translated = code === SET_2.F7 ? F7_IN_SET_1 : SET_1_OF_SET_2[code & 0xff];
    return isKeyCode(name) && translated !== undefined ? [[(code & E0) | translated, name] as const] : [];
  }),
  // What their sequences come down to: with Alt and with Control these keys send them alone.
  [E0 | 0x37, "PrintScreen"],
  [0x54, "PrintScreen"],
  [E0 | 0x46, "Pause"],
]);

/** The key with this make code in set 1, 1 to 7Fh, and E0h before it or not. */
export function keyOfScanCode(code: number, isExtended: boolean): KeyCode | undefined {
  return KEY_OF_SET_1.get(isExtended ? E0 | code : code);
}

/** Translates a stream of set 2 bytes to set 1, in which a break is bit 7 of the code. */
export class SetTranslator {
  isBreak = false;

  /** The byte to pass on, or undefined for the break prefix, which becomes part of the next one. */
  translate(byte: number): number | undefined {
    if (byte === BREAK_PREFIX) {
      this.isBreak = true;
      return undefined;
    }
    const broken = this.isBreak ? 0x80 : 0;
    this.isBreak = false;
    if (byte === SET_2.F7) return F7_IN_SET_1 | broken;
    if (byte === 0x84) return 0x54 | broken;
    return byte < 0x80 ? (SET_1_OF_SET_2[byte] ?? byte) | broken : byte;
  }
}
