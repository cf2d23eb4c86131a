/**
 * Keys as RFB clients name them: by X11 keysyms (X Window System Protocol, appendix A), which say what a key means on the
 * client's layout, or by scan codes of set 1 (QEMU's extended key events), which say which key it is.
 */

import { isTypeable, keyOfScanCode, usKeyStroke } from "../../vmm/index.ts";
import type { KeyCode, KeyStroke } from "../../vmm/index.ts";

const LATIN_1_LAST = 0xff;
const F1 = 0xffbe;
const F12 = 0xffc9;
const KEYPAD_0 = 0xffb0;
const KEYPAD_9 = 0xffb9;

export const CAPS_LOCK = 0xffe5;

const KEYS: Readonly<Record<number, KeyCode>> = {
  0xff08: "Backspace",
  0xff09: "Tab",
  // ISO_Left_Tab: what X makes of Shift and Tab.
  0xfe20: "Tab",
  0xff0d: "Enter",
  0xff13: "Pause",
  0xff14: "ScrollLock",
  0xff15: "PrintScreen",
  0xff61: "PrintScreen",
  0xff1b: "Escape",
  0xff50: "Home",
  0xff51: "ArrowLeft",
  0xff52: "ArrowUp",
  0xff53: "ArrowRight",
  0xff54: "ArrowDown",
  0xff55: "PageUp",
  0xff56: "PageDown",
  0xff57: "End",
  0xff63: "Insert",
  0xff67: "ContextMenu",
  0xff6b: "Pause",
  0xff7f: "NumLock",
  0xffff: "Delete",
  // The keypad, without and with Num Lock.
  0xff8d: "NumpadEnter",
  0xff95: "Numpad7",
  0xff96: "Numpad4",
  0xff97: "Numpad8",
  0xff98: "Numpad6",
  0xff99: "Numpad2",
  0xff9a: "Numpad9",
  0xff9b: "Numpad3",
  0xff9c: "Numpad1",
  0xff9d: "Numpad5",
  0xff9e: "Numpad0",
  0xff9f: "NumpadDecimal",
  0xffaa: "NumpadMultiply",
  0xffab: "NumpadAdd",
  0xffac: "NumpadDecimal",
  0xffad: "NumpadSubtract",
  0xffae: "NumpadDecimal",
  0xffaf: "NumpadDivide",
  0xffe1: "ShiftLeft",
  0xffe2: "ShiftRight",
  0xffe3: "ControlLeft",
  0xffe4: "ControlRight",
  [CAPS_LOCK]: "CapsLock",
  // Meta and Alt are one key on a PC; ISO_Level3_Shift is AltGr.
  0xffe7: "AltLeft",
  0xffe8: "AltRight",
  0xffe9: "AltLeft",
  0xffea: "AltRight",
  0xfe03: "AltRight",
  0xffeb: "MetaLeft",
  0xffec: "MetaRight",
};

const FUNCTION_KEYS = ["F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F12"] as const;
const KEYPAD_DIGITS = [
  ...(["Numpad0", "Numpad1", "Numpad2", "Numpad3", "Numpad4"] as const),
  ...(["Numpad5", "Numpad6", "Numpad7", "Numpad8", "Numpad9"] as const),
];

/** A key, and for those that make a character whether Shift belongs to it; undefined when a US keyboard has none. */
export function keyOfKeysym(
  keysym: number,
): KeyStroke | { readonly key: KeyCode; readonly shift: undefined } | undefined {
  if (keysym <= LATIN_1_LAST) {
    const character = String.fromCharCode(keysym);
    // Control characters have keysyms of their own.
    return keysym >= 0x20 && isTypeable(character) ? usKeyStroke(character) : undefined;
  }
  const key =
    keysym >= F1 && keysym <= F12
      ? FUNCTION_KEYS[keysym - F1]
      : keysym >= KEYPAD_0 && keysym <= KEYPAD_9
        ? KEYPAD_DIGITS[keysym - KEYPAD_0]
        : KEYS[keysym];
  return key === undefined ? undefined : { key, shift: undefined };
}

/**
 * The key of an extended key event: its code of set 1, with bit 7 set, or E0h before it, if the key is an extended one.
 * Undefined when there is no such key.
 */
export function keyOfExtendedEvent(code: number): KeyCode | undefined {
  const isExtended = code >>> 8 === 0xe0 || (code > 0x7f && code <= 0xff);
  return code <= 0xff || isExtended ? keyOfScanCode(code & 0x7f, isExtended) : undefined;
}
