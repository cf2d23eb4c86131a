/** Two outputs line by line, and which of the differing lines have a known reason. */

import type { Outcome, Program } from "./program.ts";

export interface LineDifference {
  /** Counted from 1, in the host's output. */
  readonly lineNumber: number;
  /** Undefined where one output has no such line. */
  readonly host: string | undefined;
  readonly guest: string | undefined;
}

/** Why some lines of some programs may differ. */
export interface Explanation {
  readonly program: RegExp;
  /** Matches the host's line and the guest's. */
  readonly line: RegExp;
  readonly reason: string;
}

export interface Comparison {
  readonly program: Program;
  readonly host: Outcome;
  readonly guest: Outcome;
  readonly lineCount: number;
  readonly explained: readonly { readonly difference: LineDifference; readonly reason: string }[];
  /** With the exit status as line 0 when it differs. */
  readonly unexplained: readonly LineDifference[];
}

export function compareOutcomes(
  program: Program,
  host: Outcome,
  guest: Outcome,
  explanations: readonly Explanation[],
): Comparison {
  const explained: { difference: LineDifference; reason: string }[] = [];
  const unexplained: LineDifference[] = [];
  if (host.status !== guest.status) {
    unexplained.push({
      lineNumber: 0,
      host: `exit status ${host.status}`,
      guest: `exit status ${guest.status}`,
    });
  }
  for (const difference of differingLines(host.output, guest.output)) {
    const known = explanations.find((candidate) => explains(candidate, program, difference));
    if (known === undefined) unexplained.push(difference);
    else explained.push({ difference, reason: known.reason });
  }
  return { program, host, guest, lineCount: linesOf(host.output).length, explained, unexplained };
}

function explains(explanation: Explanation, program: Program, { host, guest }: LineDifference): boolean {
  if (host === undefined || guest === undefined) return false;
  return (
    explanation.program.test(program.name) && explanation.line.test(host) && explanation.line.test(guest)
  );
}

/**
 * Lines that differ. Equal beginnings and ends are matched; what lies between is compared in order, so that lines
 * which only one output has make all lines up to the end of such a stretch differ.
 */
export function differingLines(host: string, guest: string): LineDifference[] {
  if (host === guest) return [];
  const hostLines = linesOf(host);
  const guestLines = linesOf(guest);
  const shorter = Math.min(hostLines.length, guestLines.length);
  let head = 0;
  while (head < shorter && hostLines[head] === guestLines[head]) head++;
  let tail = 0;
  while (tail < shorter - head && hostLines.at(-1 - tail) === guestLines.at(-1 - tail)) tail++;
  const hostMiddle = hostLines.slice(head, hostLines.length - tail);
  const guestMiddle = guestLines.slice(head, guestLines.length - tail);
  const count = Math.max(hostMiddle.length, guestMiddle.length);
  return Array.from({ length: count }, (_, index) => ({
    lineNumber: head + index + 1,
    host: hostMiddle[index],
    guest: guestMiddle[index],
  })).filter((difference) => difference.host !== difference.guest);
}

/** A text that does not end with a newline has a last line of its own kind. */
function linesOf(text: string): string[] {
  const lines = text.split("\n");
  const last = lines.pop() ?? "";
  return last === "" ? lines : [...lines, `${last} (no newline)`];
}
