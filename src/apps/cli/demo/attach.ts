/**
 * The whole terminal for one VM's console. A serial console is passed through as it is, after its recent past; a text
 * screen is painted with its colours, and keys go to the PC's keyboard. Ctrl-] returns to the dashboard.
 */

import { textLines } from "../../../vmm/index.ts";
import type { TextScreen } from "../../../vmm/index.ts";
import { ESCAPE_BYTE } from "../escape-keys.ts";
import type { DemoVm } from "./demo-vm.ts";
import { Frame, Painter } from "./frame.ts";
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
  const { stdout } = process;
  const painter = new Painter();
  const paint = (): void => {
    const { screen } = vm;
    const frame = new Frame(stdout.columns, stdout.rows);
    if (screen === undefined) frame.put(0, 0, "The screen is off, or in a graphics mode that is not shown.");
    else drawScreen(frame, screen, look);
    const hint = `${vm.name}: Ctrl-] returns to the dashboard`;
    if (frame.rows > (screen?.rows ?? 0)) frame.put(0, frame.rows - 1, hint, look.styles.help, frame.columns);
    stdout.write(painter.paint(frame) + cursorOf(screen, frame));
  };
  const listening = vm.changes.add(paint);
  paint();
  return {
    receive(chunk) {
      const end = chunk.indexOf(ESCAPE_BYTE);
      vm.handle.typeKeys(keyInputs(end === -1 ? chunk : chunk.subarray(0, end)));
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

function drawScreen(frame: Frame, screen: TextScreen, look: Look): void {
  for (const [row, line] of textLines(screen).entries()) {
    const characters = [...line.padEnd(screen.columns)];
    for (const [column, character] of characters.entries()) {
      const attribute = screen.cells[2 * (row * screen.columns + column) + 1] ?? 7;
      const isShowable = look.isUnicode || /^[\x20-\x7e]$/.test(character);
      frame.put(
        column,
        row,
        isShowable ? character : "?",
        look.hasColors ? attributeStyle(screen, attribute) : "",
      );
    }
  }
}

/** The attribute's colours, as the guest's palette has them. */
function attributeStyle({ colors, blinks }: TextScreen, attribute: number): string {
  const background = (attribute >> 4) & (blinks ? 7 : 15);
  const rgb = (index: number): string => {
    const color = colors[index] ?? 0;
    return `${(color >> 16) & 0xff};${(color >> 8) & 0xff};${color & 0xff}`;
  };
  return `38;2;${rgb(attribute & 15)};48;2;${rgb(background)}`;
}

function cursorOf(screen: TextScreen | undefined, frame: Frame): string {
  const cursor = screen?.cursor;
  if (cursor === undefined || cursor.row >= frame.rows || cursor.column >= frame.columns) return "\x1b[?25l";
  return `\x1b[${cursor.row + 1};${cursor.column + 1}H\x1b[?25h`;
}
