/**
 * Phase 3, normalise: rewards → advantages, by the recipe's estimator and the chosen trainer's numerics (src/srpo). A
 * KL penalty is taken off the reward first. Rows whose scorer failed take no part and get advantage 0; a flat group is
 * exactly 0 and is counted. Groups that the filter left out are no part of the step: theirs are computed as if each
 * were a step of its own, for the page only.
 */
import { type AdvantageEstimator, type ScoredGroup, stepAdvantages } from "../srpo/advantageEstimators";
import { contributions } from "../srpo/reward";
import type { GroupAdvantages, RewardVariant, Trainer } from "../srpo/types";
import { type GroupRecord, scoreOf } from "./records";

export interface NormaliseOptions {
  readonly preset: Trainer;
  readonly advantage: AdvantageEstimator;
  /** Of the reward: which terms add up to the total (gdpo). */
  readonly variant: RewardVariant;
}

/** @throws Error when a sample has no score yet. */
export function normaliseGroups(
  groups: readonly GroupRecord[],
  { preset, advantage, variant }: NormaliseOptions,
): GroupRecord[] {
  const options = { estimator: advantage, trainer: preset };
  const scored = groups.map((group) => scoredGroup(group, variant));
  const kept = groups.flatMap((group, index) => (group.filtered === true ? [] : [index]));
  const found = new Map<number, GroupAdvantages>();
  const together = stepAdvantages(
    kept.flatMap((index) => scored[index] ?? []),
    options,
  );
  for (const [i, index] of kept.entries()) {
    const own = together[i];
    if (own !== undefined) found.set(index, own);
  }
  return groups.map((group, index) => {
    const [alone] = found.has(index) ? [] : stepAdvantages(scored.slice(index, index + 1), options);
    const own = found.get(index) ?? alone;
    if (own === undefined) throw new Error(`normalise: group ${index} of ${groups.length} got no advantages`);
    const { advantages, ...normalised } = own;
    const samples = group.samples.map((sample, row) => ({ ...sample, advantage: advantages[row] ?? 0 }));
    return { ...group, samples, normalised };
  });
}

/** What the estimators read of a group. @throws Error when a sample has no score yet. */
export function scoredGroup({ problem, samples }: GroupRecord, variant: RewardVariant): ScoredGroup {
  const missing = samples.findIndex(({ score }) => score === undefined);
  if (missing >= 0) throw new Error(`normalise: sample ${missing} of ${problem.id} has no score; score comes first`);
  const scores = samples.map(scoreOf);
  return {
    rewards: samples.map((sample, row) => {
      const score = scores[row];
      return score ? score.terms.total - (sample.klPenalty ?? 0) : null;
    }),
    terms: scores.map((score) => (score ? contributions(score.terms, variant) : null)),
    lengths: samples.map(({ tokenIds, whole }) => whole?.tokens ?? tokenIds.length),
  };
}
