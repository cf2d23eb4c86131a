/**
 * The whole terminal for one VM's console. A serial console is passed through as it is, after its recent past; a text
 * screen is painted with its colours, and keys go to the PC's keyboard. Ctrl-] returns to the dashboard.
 */

import { ESCAPE_BYTE } from "../escape-keys.ts";
import { ScreenPainter } from "../screen-painter.ts";
import type { DemoVm } from "./demo-vm.ts";
import { keyInputs } from "./key-strokes.ts";
import type { Look } from "./look.ts";

export interface Attachment {
  /** Input from the terminal. */
  receive(chunk: Uint8Array): void;
  /** The terminal has another size. */
  resize(): void;
  /** Ends it without telling. */
  release(): void;
}

const CLEAR = "\x1b[0m\x1b[2J\x1b[H\x1b[?25h";
/** What a guest may have changed: attributes, cursor keys, keypad, mouse, bracketed paste. */
const UNDO_GUEST = "\x1b[0m\x1b[?1l\x1b>\x1b[?1000l\x1b[?1002l\x1b[?1006l\x1b[?2004l";

/** Takes the terminal over; `detached` is called when the user has gone back. */
export function attachConsole(vm: DemoVm, look: Look, detached: () => void): Attachment {
  return vm.showsScreen ? attachScreen(vm, look, detached) : attachSerial(vm, detached);
}

function attachSerial(vm: DemoVm, detached: () => void): Attachment {
  const { stdout } = process;
  const { serial } = vm.handle;
  stdout.write(CLEAR);
  stdout.write(`[${vm.name}: Ctrl-] returns to the dashboard]\r\n`);
  stdout.write(serial.history());
  const listening = serial.listen((chunk) => {
    if (stdout.write(chunk)) return undefined;
    return new Promise((resolve) => {
      stdout.once("drain", resolve);
    });
  });
  const release = (): void => {
    listening.release();
    stdout.write(UNDO_GUEST);
  };
  return {
    receive(chunk) {
      const end = chunk.indexOf(ESCAPE_BYTE);
      const input = end === -1 ? chunk : chunk.subarray(0, end);
      if (input.length > 0) void serial.write(input.slice());
      if (end === -1) return;
      release();
      detached();
    },
    resize() {},
    release,
  };
}

function attachScreen(vm: DemoVm, look: Look, detached: () => void): Attachment {
  const painter = new ScreenPainter(look, `${vm.name}: Ctrl-] returns to the dashboard`);
  const paint = (): void => painter.paint(vm.screen);
  const listening = vm.changes.add(paint);
  paint();
  return {
    receive(chunk) {
      const end = chunk.indexOf(ESCAPE_BYTE);
      vm.handle.giveInput(keyInputs(end === -1 ? chunk : chunk.subarray(0, end)));
      if (end === -1) return;
      listening.release();
      detached();
    },
    resize() {
      painter.invalidate();
      paint();
    },
    release: () => listening.release(),
  };
}
