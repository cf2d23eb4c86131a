/** How a person types text on a US keyboard: the keys that make each character of ASCII. */

import type { KeyCode } from "./scan-codes.ts";

export interface KeyStroke {
  readonly key: KeyCode;
  readonly shift: boolean;
}

const PUNCTUATION: readonly (readonly [plain: string, shifted: string, key: KeyCode])[] = [
  ["`", "~", "Backquote"],
  ["1", "!", "Digit1"],
  ["2", "@", "Digit2"],
  ["3", "#", "Digit3"],
  ["4", "$", "Digit4"],
  ["5", "%", "Digit5"],
  ["6", "^", "Digit6"],
  ["7", "&", "Digit7"],
  ["8", "*", "Digit8"],
  ["9", "(", "Digit9"],
  ["0", ")", "Digit0"],
  ["-", "_", "Minus"],
  ["=", "+", "Equal"],
  ["[", "{", "BracketLeft"],
  ["]", "}", "BracketRight"],
  ["\\", "|", "Backslash"],
  [";", ":", "Semicolon"],
  ["'", '"', "Quote"],
  [",", "<", "Comma"],
  [".", ">", "Period"],
  ["/", "?", "Slash"],
];

const LETTERS: readonly KeyCode[] = [
  ...(["KeyA", "KeyB", "KeyC", "KeyD", "KeyE", "KeyF", "KeyG", "KeyH", "KeyI", "KeyJ", "KeyK"] as const),
  ...(["KeyL", "KeyM", "KeyN", "KeyO", "KeyP", "KeyQ", "KeyR", "KeyS", "KeyT", "KeyU", "KeyV"] as const),
  ...(["KeyW", "KeyX", "KeyY", "KeyZ"] as const),
];

function layout(): Map<string, KeyStroke> {
  const strokes = new Map<string, KeyStroke>([
    [" ", { key: "Space", shift: false }],
    ["\n", { key: "Enter", shift: false }],
    ["\r", { key: "Enter", shift: false }],
    ["\t", { key: "Tab", shift: false }],
    ["\b", { key: "Backspace", shift: false }],
    ["\x7f", { key: "Backspace", shift: false }],
    ["\x1b", { key: "Escape", shift: false }],
  ]);
  for (const [plain, shifted, key] of PUNCTUATION) {
    strokes.set(plain, { key, shift: false });
    strokes.set(shifted, { key, shift: true });
  }
  for (const key of LETTERS) {
    const letter = key.slice("Key".length);
    strokes.set(letter.toLowerCase(), { key, shift: false });
    strokes.set(letter, { key, shift: true });
  }
  return strokes;
}

const STROKES = layout();

export const isTypeable = (character: string): boolean => STROKES.has(character);

/** The key stroke for one character, or undefined when a US keyboard has none. */
export function usKeyStroke(character: string): KeyStroke | undefined {
  return STROKES.get(character);
}
