/**
 * The text that a terminal would show, as plain lines: a serial console's output after carriage returns, backspaces,
 * tabs, erased lines and cursor movements within a line. Colours and everything that moves the cursor between lines
 * (ECMA-48) are swallowed, since the result is read as a log; a full-screen program therefore looks wrong here, and
 * right when its console is attached.
 */

/** Lines that are kept. */
const MAX_LINES = 500;
const MAX_COLUMNS = 500;
/** Characters of an escape sequence after which it counts as broken. */
const MAX_SEQUENCE_CHARACTERS = 64;
const TAB_COLUMNS = 8;

const ESCAPE = "\x1b";

export class TerminalLines {
  readonly #decoder = new TextDecoder();
  /** The last is the one being written. */
  readonly #lines: string[] = [""];
  #column = 0;
  /** An escape sequence that has begun, without its end. */
  #sequence = "";

  /** The newest `count` lines, oldest first; the last is the unfinished one. */
  tail(count: number): readonly string[] {
    return this.#lines.slice(Math.max(0, this.#lines.length - count));
  }

  write(chunk: Uint8Array): void {
    for (const character of this.#decoder.decode(chunk, { stream: true })) {
      if (this.#sequence === "" && character !== ESCAPE) this.#put(character);
      else this.#continueSequence(character);
    }
  }

  #put(character: string): void {
    switch (character) {
      case "\n":
        this.#lines.push("");
        if (this.#lines.length > MAX_LINES) this.#lines.shift();
        this.#column = 0;
        break;
      case "\r":
        this.#column = 0;
        break;
      case "\b":
        this.#column = Math.max(0, this.#column - 1);
        break;
      case "\t":
        this.#column = Math.min(MAX_COLUMNS, (Math.floor(this.#column / TAB_COLUMNS) + 1) * TAB_COLUMNS);
        break;
      default:
        if (isPrintable(character)) this.#overwrite(character);
    }
  }

  #overwrite(character: string): void {
    if (this.#column >= MAX_COLUMNS) return;
    const line = this.#current.padEnd(this.#column);
    this.#setCurrent(line.slice(0, this.#column) + character + line.slice(this.#column + 1));
    this.#column++;
  }

  get #current(): string {
    return this.#lines.at(-1) ?? "";
  }

  #setCurrent(line: string): void {
    this.#lines[this.#lines.length - 1] = line;
  }

  #continueSequence(character: string): void {
    this.#sequence += character;
    const isFinished = isCompleteSequence(this.#sequence);
    if (isFinished) this.#obey(this.#sequence);
    if (isFinished || this.#sequence.length > MAX_SEQUENCE_CHARACTERS) this.#sequence = "";
  }

  /** The few sequences that change a line. */
  #obey(sequence: string): void {
    // oxlint-disable-next-line no-control-regex -- escape sequences begin with a control character
    const [, parameter = "", final] = /^\x1b\[(\d*)([A-Za-z])$/.exec(sequence) ?? [];
    const count = Math.max(1, Number(parameter));
    const line = this.#current;
    if (final === "K" && parameter === "2") this.#setCurrent("");
    else if (final === "K" && parameter === "1")
      this.#setCurrent(line.slice(this.#column).padStart(line.length));
    else if (final === "K" || (final === "J" && parameter !== "2"))
      this.#setCurrent(line.slice(0, this.#column));
    else if (final === "C") this.#column = Math.min(MAX_COLUMNS, this.#column + count);
    else if (final === "D") this.#column = Math.max(0, this.#column - count);
    else if (final === "G") this.#column = Math.min(MAX_COLUMNS, count - 1);
  }
}

function isPrintable(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  return code >= 0x20 && code !== 0x7f && !(code >= 0x80 && code < 0xa0);
}

/** CSI … final byte, OSC … BEL or ST, or ESC and one or two characters. */
function isCompleteSequence(sequence: string): boolean {
  const kind = sequence[1];
  if (kind === undefined) return false;
  if (kind === "[") return sequence.length > 2 && /[@-~]$/.test(sequence);
  if (kind === "]" || kind === "P" || kind === "_" || kind === "^") {
    return sequence.endsWith("\x07") || sequence.endsWith("\x1b\\");
  }
  return !/[ -/]/.test(kind) || sequence.length > 2;
}
