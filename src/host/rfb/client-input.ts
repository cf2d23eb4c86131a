/**
 * What one client does with keyboard and mouse, as input for the VM's: knows which keys the client holds, so that they go up
 * when it leaves, and where its pointer was. The mouse of a PS/2 port reports movement only, so that a guest's pointer is where
 * the client's is only by chance; clients that know QEMU's pointer type change are asked for movement and grab the pointer.
 */

import type { InputEvent, KeyCode } from "../../vmm/index.ts";
import { CAPS_LOCK, keyOfExtendedEvent, keyOfKeysym } from "./keysyms.ts";

const LETTER = /^Key[A-Z]$/;
const SHIFTS: readonly KeyCode[] = ["ShiftLeft", "ShiftRight"];
/** Of the button mask: left, middle, right; then a turn of the wheel up or down for each press. */
const BUTTON = { left: 0x01, middle: 0x02, right: 0x04, wheelUp: 0x08, wheelDown: 0x10 } as const;
/** What clients that send movement add to it. */
export const RELATIVE_ZERO = 0x7fff;

export class ClientInput {
  readonly #emit: (input: InputEvent) => void;
  readonly #held = new Set<KeyCode>();
  /** Keys went down since Caps Lock was pressed so often: as far as this client has told. */
  #isCapsLocked = false;
  #pointer: { readonly x: number; readonly y: number } | undefined;
  #buttons = 0;
  /** The client has been asked for movement instead of places. */
  isRelative = false;

  constructor(emit: (input: InputEvent) => void) {
    this.#emit = emit;
  }

  keysym(keysym: number, isDown: boolean): void {
    const stroke = keyOfKeysym(keysym);
    if (stroke === undefined) return;
    if (keysym === CAPS_LOCK && isDown) this.#isCapsLocked = !this.#isCapsLocked;
    const { key, shift } = stroke;
    if (!isDown || shift === undefined) {
      this.#key(key, isDown);
      return;
    }
    const needsShift = LETTER.test(key) && this.#isCapsLocked ? !shift : shift;
    this.#withShift(needsShift, key);
  }

  scanCode(code: number, isDown: boolean): void {
    const key = keyOfExtendedEvent(code);
    if (key !== undefined) this.#key(key, isDown);
  }

  pointer(x: number, y: number, mask: number): void {
    const { dx, dy } = this.#movement(x, y);
    const pressed = mask & ~this.#buttons;
    this.#buttons = mask;
    const wheel = ((pressed & BUTTON.wheelDown) !== 0 ? 1 : 0) - ((pressed & BUTTON.wheelUp) !== 0 ? 1 : 0);
    this.#emit({
      kind: "pointer",
      dx,
      dy,
      wheel,
      buttons: {
        left: (mask & BUTTON.left) !== 0,
        middle: (mask & BUTTON.middle) !== 0,
        right: (mask & BUTTON.right) !== 0,
      },
    });
  }

  /** The client is gone: what it held goes up. */
  release(): void {
    for (const key of [...this.#held]) this.#key(key, false);
    if (this.#buttons !== 0)
      this.pointer(this.#pointer?.x ?? RELATIVE_ZERO, this.#pointer?.y ?? RELATIVE_ZERO, 0);
  }

  /** Down on the screen is positive here, and so it is for the guest's mouse. */
  #movement(x: number, y: number): { readonly dx: number; readonly dy: number } {
    if (this.isRelative) return { dx: x - RELATIVE_ZERO, dy: y - RELATIVE_ZERO };
    const before = this.#pointer ?? { x, y };
    this.#pointer = { x, y };
    return { dx: x - before.x, dy: y - before.y };
  }

  #key(key: KeyCode, isDown: boolean): void {
    if (isDown) this.#held.add(key);
    else if (!this.#held.delete(key)) return;
    this.#emit({ kind: isDown ? "press" : "release", key });
  }

  /**
   * On a client with another layout, or one that types texts, a character may come with Shift in another state than a US
   * keyboard needs for it. Such a key is pressed and let go: it would repeat with the wrong Shift, and the client repeats it.
   */
  #withShift(needsShift: boolean, stroke: KeyCode): void {
    const held = SHIFTS.filter((key) => this.#held.has(key));
    if (needsShift === held.length > 0) {
      this.#key(stroke, true);
      return;
    }
    const [around, back] = needsShift ? (["press", "release"] as const) : (["release", "press"] as const);
    const keys: readonly KeyCode[] = needsShift ? ["ShiftLeft"] : held;
    for (const key of keys) this.#emit({ kind: around, key });
    this.#emit({ kind: "press", key: stroke });
    this.#emit({ kind: "release", key: stroke });
    for (const key of keys) this.#emit({ kind: back, key });
  }
}
