/**
 * Suggestions for a mistyped name: those within an edit distance (Levenshtein) of a third of its length, and those
 * it is a part of.
 */
import { editDistance } from "../../base/index.ts";

/** The candidates a person may have meant by `typed`, closest first; empty when none is close. */
export function closestNames(typed: string, candidates: readonly string[]): string[] {
  const wanted = typed.toLowerCase();
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  return candidates
    .map((name) => ({
      name,
      distance: wanted.length >= 3 && name.includes(wanted) ? 0 : editDistance(wanted, name),
    }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .map(({ name }) => name);
}
