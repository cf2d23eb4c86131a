/** A VM's text screen on the whole terminal: with its colours where the terminal has them, and its cursor. */

import { textLines } from "../../vmm/index.ts";
import type { TextScreen } from "../../vmm/index.ts";
import { Frame, Painter } from "./demo/frame.ts";
import type { Look } from "./demo/look.ts";

export class ScreenPainter {
  readonly #painter = new Painter();
  readonly #look: Look;
  readonly #hint: string;
  #sentence: string | undefined;

  /** `hint` stands in the last line of a terminal that has room below the screen. */
  constructor(look: Look, hint: string) {
    this.#look = look;
    this.#hint = hint;
  }

  paint(screen: TextScreen | undefined): void {
    const { stdout } = process;
    const frame = new Frame(stdout.columns, stdout.rows);
    if (screen === undefined) frame.put(0, 0, "The screen is off, or in a graphics mode that is not shown.");
    else drawScreen(frame, screen, this.#look);
    const line = this.#sentence ?? (frame.rows > (screen?.rows ?? 0) ? this.#hint : undefined);
    if (line !== undefined) frame.put(0, frame.rows - 1, line, this.#look.styles.help, frame.columns);
    stdout.write(this.#painter.paint(frame) + cursorOf(screen, frame));
  }

  /** From the next picture on, a sentence in the last line, over whatever is there; undefined for none. */
  say(sentence: string | undefined): void {
    this.#sentence = sentence;
  }

  /** The terminal does not show any more what was painted last. */
  invalidate(): void {
    this.#painter.invalidate();
  }
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
