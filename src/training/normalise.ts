/**
 * Phase 3, normalise: rewards → advantages within each group, by the chosen trainer's numerics (src/srpo).
 * Rows whose scorer failed take no part and get advantage 0; a flat group is exactly 0 and is counted.
 * The online filter (SRPO's RL set-up, taken over from MM-Eureka) leaves groups out of the update whose mean accuracy lies outside a band.
 */
import { groupAdvantages } from "../srpo/advantage";
import type { AdvantagePreset } from "../srpo/types";
import { mean, scoreOf } from "./metrics";
import type { GroupRecord } from "./records";

export interface NormaliseOptions {
  readonly preset: AdvantagePreset;
  /** Keep groups with mean first-answer accuracy in [low, high]; null keeps all. */
  readonly onlineFilter: readonly [number, number] | null;
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

function passes(group: GroupRecord, band: readonly [number, number] | null): boolean {
  if (band === null) return true;
  const accuracy = mean(
    group.samples
      .map(scoreOf)
      .filter((score) => score !== null)
      .map((score) => Number(score.firstRight)),
  );
  return accuracy >= band[0] && accuracy <= band[1];
}
