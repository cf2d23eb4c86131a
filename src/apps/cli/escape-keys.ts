/**
 * The escape key of an attached console: Ctrl-] and then a letter is for Typevisor, everything else for the guest.
 * Ctrl-] twice sends one to the guest.
 */

/** Ctrl-], as telnet and virsh use it: no shell or editor needs it. */
export const ESCAPE_BYTE = 0x1d;

export interface EscapeHandlers {
  /** Bytes for the guest, in order. */
  readonly input: (bytes: Uint8Array) => void;
  /** The letter after the escape key, in lower case. */
  readonly command: (letter: string) => void;
}

export class EscapeKeys {
  readonly #handlers: EscapeHandlers;
  #isEscaped = false;

  constructor(handlers: EscapeHandlers) {
    this.#handlers = handlers;
  }

  /** Keys as the terminal sends them, in chunks of any size. */
  receive(chunk: Uint8Array): void {
    let start = 0;
    for (const [at, byte] of chunk.entries()) {
      if (!this.#isEscaped && byte !== ESCAPE_BYTE) continue;
      if (this.#isEscaped) {
        this.#isEscaped = false;
        start = byte === ESCAPE_BYTE ? at : at + 1;
        if (byte !== ESCAPE_BYTE) this.#handlers.command(String.fromCharCode(byte).toLowerCase());
      } else {
        this.#isEscaped = true;
        if (at > start) this.#handlers.input(chunk.slice(start, at));
        start = at + 1;
      }
    }
    if (start < chunk.length) this.#handlers.input(chunk.slice(start));
  }
}

/** What the letters do, to follow "Ctrl-] and then". */
const LETTERS = {
  q: "q ends the VM",
  c: "c saves a picture of its screen",
  p: "p presses its power button",
  s: "s its sleep button",
} as const;
type EscapeLetter = keyof typeof LETTERS;

export const ESCAPE_HELP = `Ctrl-] and then ${Object.values(LETTERS).join(", ")}; Ctrl-] twice sends one to the guest.`;

export type EscapeCommands = Readonly<Record<EscapeLetter, () => void>> & {
  /** Any other letter: says {@link ESCAPE_HELP}. */
  readonly help: () => void;
};

export function runEscapeCommand(commands: EscapeCommands, letter: string): void {
  if (isEscapeLetter(letter)) commands[letter]();
  else commands.help();
}

function isEscapeLetter(letter: string): letter is EscapeLetter {
  return Object.hasOwn(LETTERS, letter);
}
