import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock, TimerQueue, unwrap } from "../base/index.ts";
import { Ps2Keyboard, Ps2Mouse } from "../devices/ps2/index.ts";
import { chordInputs, giveInput, textInput, TYPED_TEXT_MAX_CHARACTERS } from "./key-input.ts";
import type { KeyInput } from "./key-input.ts";

const newKeyboard = (): Ps2Keyboard =>
  new Ps2Keyboard({ clock: new ManualClock(), timers: new TimerQueue() });

/** What the keyboard sends, in scan code set 2. */
function sent(inputs: readonly KeyInput[]): number[] {
  const keyboard = newKeyboard();
  giveInput({ keyboard, mouse: new Ps2Mouse() }, inputs);
  const codes: number[] = [];
  while (keyboard.hasByte) codes.push(keyboard.takeByte());
  return codes;
}

test("texts, keys, and keys that only go down or up", () => {
  assert.deepEqual(sent([{ kind: "text", text: "A" }]), [0x12, 0x1c, 0xf0, 0x1c, 0xf0, 0x12]);
  assert.deepEqual(sent([{ kind: "key", key: "Enter" }]), [0x5a, 0xf0, 0x5a]);
  assert.deepEqual(sent([{ kind: "press", key: "AltLeft" }]), [0x11]);
  assert.deepEqual(sent([{ kind: "release", key: "AltLeft" }]), [0xf0, 0x11]);
});

test("movement of a pointer, which counts downwards, moves the mouse, which counts upwards", () => {
  const mouse = new Ps2Mouse();
  mouse.receive(0xf4);
  assert.equal(mouse.takeByte(), 0xfa);
  const buttons = { left: true, middle: false, right: false };
  giveInput({ keyboard: newKeyboard(), mouse }, [{ kind: "pointer", dx: 3, dy: 2, wheel: 0, buttons }]);
  assert.deepEqual([mouse.takeByte(), mouse.takeByte(), mouse.takeByte()], [0x29, 3, 0xfe]);
});

test("keys joined by + are held together and let go in the other order", () => {
  const [control, alt, del] = [[0x14], [0x11], [0xe0, 0x71]];
  assert.deepEqual(sent(unwrap(chordInputs("ControlLeft+AltLeft+Delete"))), [
    ...[...control, ...alt, ...del],
    ...[0xe0, 0xf0, 0x71, 0xf0, 0x11, 0xf0, 0x14],
  ]);
  assert.deepEqual(sent(unwrap(chordInputs("Enter"))), [0x5a, 0xf0, 0x5a]);
});

test("what a US keyboard does not have is refused with a sentence that says what", () => {
  const problem = (result: ReturnType<typeof textInput> | ReturnType<typeof chordInputs>): string =>
    result.ok ? "" : result.error.message;
  assert.match(problem(textInput("oké")), /cannot type "é"/);
  assert.equal(problem(textInput("x".repeat(TYPED_TEXT_MAX_CHARACTERS))), "");
  assert.match(problem(textInput("x".repeat(TYPED_TEXT_MAX_CHARACTERS + 1))), /At most 1000 characters/);
  assert.match(problem(chordInputs("ControlLeft+Del")), /no key "Del"/);
  assert.match(problem(chordInputs("")), /no key ""/);
  assert.equal(problem(chordInputs(Array.from({ length: 8 }, () => "KeyA").join("+"))), "");
  assert.match(problem(chordInputs(Array.from({ length: 9 }, () => "KeyA").join("+"))), /At most 8 keys/);
});
