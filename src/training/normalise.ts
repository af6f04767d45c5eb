/**
 * Phase 3, normalise: rewards → advantages within each group, by the chosen trainer's numerics (src/srpo). A KL penalty
 * is taken off the reward first. Rows whose scorer failed take no part and get advantage 0; a flat group is exactly 0
 * and is counted.
 */
import { groupAdvantages } from "../srpo/advantage";
import type { Trainer } from "../srpo/types";
import type { GroupRecord } from "./records";

export interface NormaliseOptions {
  readonly preset: Trainer;
}

/** @throws Error when a sample has no score yet. */
export function normaliseGroups(groups: readonly GroupRecord[], { preset }: NormaliseOptions): GroupRecord[] {
  return groups.map((group) => {
    const rewards = group.samples.map((sample, row) => {
      if (sample.score === undefined)
        throw new Error(`normalise: sample ${row} of ${group.problem.id} has no score; score comes first`);
      return "error" in sample.score ? null : sample.score.terms.total - (sample.klPenalty ?? 0);
    });
    const { advantages, ...normalised } = groupAdvantages(rewards, preset);
    const samples = group.samples.map((sample, row) => ({ ...sample, advantage: advantages[row] ?? 0 }));
    return { ...group, samples, normalised };
  });
}
