/**
 * Input for the PC's keyboard and mouse as people and programs give it: texts, keys by the names of W3C "UI Events KeyboardEvent code
 * Values", and keys that go down and up by themselves.
 */

import { err, ok } from "../base/index.ts";
import type { OperatorError, Result } from "../base/index.ts";
import { isKeyCode, isTypeable } from "../devices/ps2/index.ts";
import type { KeyCode, MouseButtons, Ps2Keyboard, Ps2Mouse } from "../devices/ps2/index.ts";

export type KeyInput =
  /** The keys that make a text on a US keyboard. */
  | { readonly kind: "text"; readonly text: string }
  /** A key, pressed and released. */
  | { readonly kind: "key"; readonly key: KeyCode }
  | { readonly kind: "press"; readonly key: KeyCode }
  | { readonly kind: "release"; readonly key: KeyCode };

/** The mouse moves (y downwards, as screens count) and its wheel turns, towards the user if positive. */
export interface PointerInput {
  readonly kind: "pointer";
  readonly dx: number;
  readonly dy: number;
  readonly wheel: number;
  readonly buttons: MouseButtons;
}

/** What somebody does who sits at the PC. */
export type InputEvent = KeyInput | PointerInput;

/** Characters of one text: the keyboard remembers some more keys than they need. */
export const TYPED_TEXT_MAX_CHARACTERS = 1000;
/** Inputs of one call, and keys of one chord. */
export const KEY_INPUTS_MAX = 64;
const CHORD_KEYS_MAX = 8;

/** What the keyboard's buffer has no room for is lost, as on a real one. */
export function giveInput(
  { keyboard, mouse }: { readonly keyboard: Ps2Keyboard; readonly mouse: Ps2Mouse },
  inputs: readonly InputEvent[],
): void {
  for (const input of inputs) {
    if (input.kind === "pointer") {
      mouse.move(input.dx, -input.dy, input.buttons, input.wheel);
      continue;
    }
    if (input.kind === "text") {
      keyboard.type(input.text);
      continue;
    }
    if (input.kind !== "release") keyboard.key(input.key, true);
    if (input.kind !== "press") keyboard.key(input.key, false);
  }
}

/** A text as input, or which of its characters a US keyboard does not have. */
export function textInput(text: string): Result<KeyInput, OperatorError<"bad-keys">> {
  const strange = [...text].find((character) => !isTypeable(character));
  if (strange !== undefined)
    return err("bad-keys", `A US keyboard, which the VM has, cannot type ${JSON.stringify(strange)}.`);
  if (text.length > TYPED_TEXT_MAX_CHARACTERS)
    return err("bad-keys", `At most ${TYPED_TEXT_MAX_CHARACTERS} characters can be typed at once.`);
  return ok({ kind: "text", text });
}

/** "Enter", or several keys held together: "ControlLeft+AltLeft+Delete". */
export function chordInputs(text: string): Result<readonly KeyInput[], OperatorError<"bad-keys">> {
  const names = text.split("+");
  const keys = names.filter((name) => isKeyCode(name));
  const unknown = names.find((name) => !isKeyCode(name));
  if (unknown !== undefined)
    return err(
      "bad-keys",
      `There is no key "${unknown}"; keys are named like KeyA, Digit1, Enter, ArrowUp, F2, ControlLeft.`,
    );
  if (keys.length > CHORD_KEYS_MAX)
    return err("bad-keys", `At most ${CHORD_KEYS_MAX} keys can be held together.`);
  return ok([
    ...keys.map((key) => ({ kind: "press", key }) as const),
    ...keys.toReversed().map((key) => ({ kind: "release", key }) as const),
  ]);
}
