/**
 * The online filter (SRPO's RL set-up, after MM-Eureka): a step keeps only groups whose mean accuracy lies in a band,
 * 0.1–0.9 in the paper: groups that are all right or all wrong teach little.
 */

/** Mean accuracies a group may have, both ends included. */
export type AccuracyBand = readonly [low: number, high: number];

export const PAPER_BAND: AccuracyBand = [0.1, 0.9];

/**
 * Does a group stay in the step?
 * @param right of each scored response of the group: is its first answer right (responses whose scoring failed left
 *   out)
 * @param band null keeps every group; a group with no scored response never passes a band
 */
export function keepsGroup(right: readonly boolean[], band: AccuracyBand | null): boolean {
  if (band === null) return true;
  if (band[0] > band[1])
    throw new RangeError(`The accuracy band runs from ${band[0]} to ${band[1]}; expected low first.`);
  const accuracy = right.filter(Boolean).length / right.length;
  return accuracy >= band[0] && accuracy <= band[1];
}
