/** What the long suite prints: a line per program, the lines that differ, and at the end how much it looked at. */

import type { Comparison, LineDifference } from "./compare.ts";
import type { Suite } from "./suite.ts";

const NAME_COLUMNS = 28;

export class Reporter {
  readonly #print: (text: string) => void;
  /** Differing lines that are printed of one program. */
  readonly #shown: number;
  readonly #reasons = new Map<string, number>();
  #programCount = 0;
  #lineCount = 0;
  #failedCount = 0;

  constructor(print: (text: string) => void, shown: number) {
    this.#print = print;
    this.#shown = shown;
  }

  begin(suite: Suite): void {
    this.#print(`\n== ${suite.title}: ${suite.programs.length} programs`);
    this.#print(`${"program".padEnd(NAME_COLUMNS)}   lines     host     guest  of its processor`);
  }

  add(comparison: Comparison): void {
    const { program, host, guest, lineCount, explained, unexplained } = comparison;
    this.#programCount++;
    this.#lineCount += lineCount;
    const parts = [
      program.name.padEnd(NAME_COLUMNS),
      String(lineCount).padStart(7),
      `${host.seconds.toFixed(2)} s`.padStart(8),
      ` ${guest.seconds.toFixed(2)} s`.padStart(9),
      ` ${guest.processorSeconds?.toFixed(2) ?? "?"} s`.padStart(9),
      unexplained.length === 0 ? "  equal" : `  ${unexplained.length} LINES DIFFER`,
      explained.length === 0 ? "" : ` but for ${explained.length} lines with a reason`,
      host.status === 0 ? "" : `, exit status ${host.status}`,
    ];
    this.#print(parts.join(""));
    if (unexplained.length > 0) this.#failedCount++;
    for (const difference of unexplained.slice(0, this.#shown)) this.#print(shownDifference(difference));
    for (const { reason } of explained) this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  /** Whether everything was equal, and there was something. */
  end(): boolean {
    for (const [reason, count] of this.#reasons) this.#print(`\n${count} lines: ${reason}`);
    this.#print(
      `\n${this.#programCount} programs, ${this.#lineCount} lines of the host compared, ` +
        `${this.#failedCount} programs differ without a reason`,
    );
    return this.#failedCount === 0 && this.#programCount > 0;
  }
}

export function shownDifference({ lineNumber, host, guest }: LineDifference): string {
  const side = (name: string, line: string | undefined): string => `    ${name}: ${line ?? "(no such line)"}`;
  return [`  line ${lineNumber}`, side("host ", host), side("guest", guest)].join("\n");
}
