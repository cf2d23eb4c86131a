/** Edit distance (Levenshtein) between two words, for suggestions when a name is mistyped. */

/** Letters to insert, delete or replace to make one word of the other. */
export function editDistance(a: string, b: string): number {
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
