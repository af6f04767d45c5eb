/** The known name that a mistyped one most likely meant. */
import { editDistance } from "../../srpo/language/editDistance";

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
