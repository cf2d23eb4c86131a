/**
 * Suggestions for a mistyped name: those within an edit distance (Levenshtein) of a third of its length, and those
 * it is a part of.
 */

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

function editDistance(a: string, b: string): number {
  // row[j] is the distance between the part of a read so far and the first j characters of b.
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, charOfA] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, charOfB] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (charOfA === charOfB ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
