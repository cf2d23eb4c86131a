/** The index in README.md: every claim with the checks that show it. */

import { claims } from "./claims.ts";
import type { CheckResult } from "./report.ts";

export interface NamedCheck extends CheckResult {
  readonly guest: string;
}

export const INDEX_BEGIN = "<!-- index: begin -->";
export const INDEX_END = "<!-- index: end -->";

/** As Markdown, in the order of the claims. */
export function indexOfChecks(checks: readonly NamedCheck[]): string {
  const parts = claims.map((claim) => {
    const lines = checks
      .filter(({ topic }) => topic === claim)
      .map(({ guest, name }) => `- ${guest}: ${name}`);
    return [`### ${claim}`, [...new Set(lines)].join("\n")].join("\n\n");
  });
  return parts.join("\n\n");
}

/** The page with `index` between its marks. */
export function withIndex(page: string, index: string): string {
  const begin = page.indexOf(INDEX_BEGIN) + INDEX_BEGIN.length;
  return `${page.slice(0, begin)}\n\n${index}\n\n${page.slice(page.indexOf(INDEX_END))}`;
}
