/** The known name that a mistyped one most likely meant. */

/** Levenshtein distance: insertions, deletions and replacements of one character, upper and lower case alike. */
export function editDistance(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/**
 * The known dotted path nearest to `path`: by its last name first, then by the whole path, so that a key in the wrong
 * section is found too. @returns null where nothing is known
 */
export function nearestPath(path: string, known: readonly string[]): string | null {
  const last = (dotted: string): string => dotted.slice(dotted.lastIndexOf(".") + 1);
  let best: string | null = null;
  let bestDistance = Infinity;
  for (const candidate of known) {
    // The whole path breaks ties: it is longer than any last name, so a hundredth of it never outweighs one letter
    // there.
    const distance = editDistance(last(path), last(candidate)) + editDistance(path, candidate) / 100;
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}
