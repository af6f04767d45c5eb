/**
 * Advantage estimators beyond the group presets, as TRL and verl compute them: over the whole batch, leave-one-out,
 * without std, and several rewards normalised apart. Rows are prompt-major: row = prompt · groupSize + i.
 */
import { ADVANTAGE_EPSILON, isFlat, meanOf, normaliseGroup, stdOf } from "./advantage";

/** Rows cut into groups. @throws RangeError where they do not divide evenly */
export function groupsOf<T>(rows: readonly T[], groupSize: number): readonly (readonly T[])[] {
  if (groupSize < 1 || rows.length % groupSize !== 0)
    throw new RangeError(`${rows.length} rows do not divide into groups of ${groupSize}.`);
  return Array.from({ length: rows.length / groupSize }, (_, g) => rows.slice(g * groupSize, (g + 1) * groupSize));
}

/** Dr. GRPO: r − mean of the group, not divided by its std. */
export function centredAdvantages(group: readonly number[]): readonly number[] {
  return normaliseGroup(group, { epsilon: 0, std: "none" }).advantages;
}

/** TRL `scale_rewards="batch"`: r − group mean, divided by the std of the whole batch (n − 1) + 1e-4. Flat groups get 0. */
export function batchScaledAdvantages(rewards: readonly number[], groupSize: number): readonly number[] {
  const scale = stdOf(rewards) + ADVANTAGE_EPSILON.trl;
  return groupsOf(rewards, groupSize).flatMap((group) => centredAdvantages(group).map((a) => a / scale));
}

/** RLOO: r − mean of the others in its group; a lone row gets 0. */
export function leaveOneOutAdvantages(group: readonly number[]): readonly number[] {
  const n = group.length;
  return centredAdvantages(group).map((a) => (n < 2 ? 0 : (a * n) / (n - 1)));
}

/** GDPO (TRL `normalize_then_sum`): each reward normalised within the group, weighted, summed, then z-scored over the batch. */
export function normaliseThenSum(
  rewards: readonly (readonly number[])[],
  weights: readonly number[],
  groupSize: number,
): readonly number[] {
  const epsilon = ADVANTAGE_EPSILON.trl;
  const parts = rewards.map((one) =>
    groupsOf(one, groupSize).flatMap((group) => normaliseGroup(group, { epsilon, std: "sample" }).advantages),
  );
  const summed = (parts[0] ?? []).map((_, row) =>
    parts.reduce((sum, part, k) => sum + (weights[k] ?? 0) * (part[row] ?? 0), 0),
  );
  if (isFlat(summed)) return summed.map(() => 0);
  const mean = meanOf(summed);
  const scale = stdOf(summed) + epsilon;
  return summed.map((a) => (a - mean) / scale);
}
