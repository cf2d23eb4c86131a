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

/** What the letters do. */
export interface EscapeCommands {
  /** Ends the VM. */
  readonly q: () => void;
  /** Presses the power button. */
  readonly p: () => void;
  /** Presses the sleep button. */
  readonly s: () => void;
  /** Saves a picture of the screen. */
  readonly c: () => void;
}

/** Other letters do nothing. */
export function runEscapeCommand(commands: EscapeCommands, letter: string): void {
  if (letter === "q" || letter === "p" || letter === "s" || letter === "c") commands[letter]();
}
