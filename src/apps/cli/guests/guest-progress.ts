/** What a fetch reports while it works, and two ways to show it: on a terminal, and as plain lines. */
import { MiB } from "../../../base/index.ts";

export type GuestProgressEvent =
  /** A new step began; it ends where the next event that is no transfer begins. */
  | { readonly kind: "step"; readonly guest: string; readonly text: string }
  /** How far the download of the running step is. */
  | { readonly kind: "transfer"; readonly receivedBytes: number; readonly totalBytes: number }
  | { readonly kind: "warning"; readonly text: string }
  | { readonly kind: "done"; readonly guest: string; readonly text: string };

export type GuestProgress = (event: GuestProgressEvent) => void;

/** The part of process.stderr that progress needs. */
export interface ProgressTerminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const ERASE_LINE = "\r\x1b[2K";
const DEFAULT_COLUMNS = 80;
const MIN_LABEL_COLUMNS = 16;

/** Prints events: on a terminal one line per step, rewritten while it downloads; otherwise one plain line each. */
export class ProgressPrinter {
  readonly #terminal: ProgressTerminal;
  #step: { readonly label: string; lastShown: string } | undefined;

  constructor(terminal: ProgressTerminal) {
    this.#terminal = terminal;
  }

  readonly show: GuestProgress = (event) => {
    switch (event.kind) {
      case "step":
        this.finish();
        this.#step = { label: `${event.guest}: ${event.text}`, lastShown: "" };
        this.#terminal.write(this.#terminal.isTTY ? this.#fit(this.#step.label) : `${this.#step.label}\n`);
        break;
      case "transfer":
        this.#showTransfer(event.receivedBytes, event.totalBytes);
        break;
      case "warning":
        this.finish();
        this.#terminal.write(`warning: ${event.text}\n`);
        break;
      case "done":
        this.finish();
        this.#terminal.write(`${event.guest}: ${event.text}\n`);
        break;
    }
  };

  /** Ends the line of the running step, so that other text can follow. */
  finish(): void {
    if (this.#step !== undefined && this.#terminal.isTTY) this.#terminal.write("\n");
    this.#step = undefined;
  }

  #showTransfer(receivedBytes: number, totalBytes: number): void {
    if (this.#step === undefined || !this.#terminal.isTTY) return;
    const shown = ` ${amount(receivedBytes, totalBytes)}`;
    const line = this.#fit(this.#step.label, shown.length) + shown;
    if (line === this.#step.lastShown) return;
    this.#step.lastShown = line;
    this.#terminal.write(ERASE_LINE + line);
  }

  /** A line as wide as the terminal would wrap, and could then not be rewritten. */
  #fit(label: string, reservedColumns = 0): string {
    const columns = (this.#terminal.columns ?? DEFAULT_COLUMNS) - 1 - reservedColumns;
    return label.slice(0, Math.max(MIN_LABEL_COLUMNS, columns));
  }
}

/** Always as long for the same download, so that the line does not jitter, and new at most a hundred times. */
function amount(receivedBytes: number, totalBytes: number): string {
  const percent = totalBytes > 0 ? Math.floor((100 * receivedBytes) / totalBytes) : 100;
  return `${String(percent).padStart(3)} % of ${(totalBytes / MiB).toFixed(1)} MiB`;
}
