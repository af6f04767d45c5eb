/**
 * Phase 3, normalise: rewards → advantages within each group, by the chosen trainer's numerics (src/srpo).
 * Rows whose scorer failed take no part and get advantage 0; a flat group is exactly 0 and is counted.
 * The online filter (SRPO's RL set-up, from MM-Eureka) leaves groups out of the update whose mean accuracy
 * lies outside a band.
 */
import { groupAdvantages } from "../srpo/advantage";
import { type AccuracyBand, keepsGroup } from "../srpo/onlineFilter";
import type { Trainer } from "../srpo/types";
import { scoreOf } from "./metrics";
import type { GroupRecord } from "./records";

export interface NormaliseOptions {
  readonly preset: Trainer;
  /** Keep groups with mean first-answer accuracy in [low, high]; null keeps all. */
  readonly onlineFilter: AccuracyBand | null;
}

/** @throws Error when a sample has no score yet. */
export function normaliseGroups(
  groups: readonly GroupRecord[],
  { preset, onlineFilter }: NormaliseOptions,
): GroupRecord[] {
  return groups.map((group) => {
    const rewards = group.samples.map((sample, row) => {
      if (sample.score === undefined)
        throw new Error(`normalise: sample ${row} of ${group.problem.id} has no score; score comes first`);
      return "error" in sample.score ? null : sample.score.terms.total;
    });
    const { advantages, ...normalised } = groupAdvantages(rewards, preset);
    const samples = group.samples.map((sample, row) => ({ ...sample, advantage: advantages[row] ?? 0 }));
    return { ...group, samples, normalised, ...(passes(group, onlineFilter) ? {} : { filtered: true }) };
  });
}

function passes(group: GroupRecord, band: AccuracyBand | null): boolean {
  const scores = group.samples.map(scoreOf).filter((score) => score !== null);
  return keepsGroup(
    scores.map((score) => score.firstRight),
    band,
  );
}
