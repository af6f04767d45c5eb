/**
 * Which groups a step trains on. A band of mean accuracies (SRPO's RL set-up, after MM-Eureka; 0.1–0.9 in the paper),
 * or mixed groups only (DAPO's dynamic sampling): groups that are all right or all wrong teach little. For 0/1
 * accuracies and up to ten responses a group the paper's band and "mixed" are the same rule.
 *
 * Accuracy is that of the first answers, as SRPO's text says; its released filter reads the tiered accuracy.
 */

/** Mean accuracies a group may have, both ends included. */
export type AccuracyBand = readonly [low: number, high: number];

/** null keeps every group. */
export type GroupFilter = AccuracyBand | "mixed" | null;

export const PAPER_BAND: AccuracyBand = [0.1, 0.9];

/**
 * Does a group stay in the step?
 * @param right of each scored response of the group: is its first answer right (responses whose scoring failed left
 *   out)
 * @param filter a group with no scored response never passes one
 */
export function keepsGroup(right: readonly boolean[], filter: GroupFilter): boolean {
  if (filter === null) return true;
  const accuracy = right.filter(Boolean).length / right.length;
  if (filter === "mixed") return accuracy > 0 && accuracy < 1;
  if (filter[0] > filter[1])
    throw new RangeError(`The accuracy band runs from ${filter[0]} to ${filter[1]}; expected low first.`);
  return accuracy >= filter[0] && accuracy <= filter[1];
}
