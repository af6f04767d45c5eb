/**
 * Counterfactual re-scoring: the frozen displayed group under the sliders' current weights, by the method's own
 * arithmetic (src/srpo), without the engine. What training used stays beside it as the ghost.
 */
import { groupAdvantages } from "../../srpo/advantage";
import type { ResponseFacts } from "../../srpo/facts";
import { RewardTermError } from "../../srpo/language/customTerms";
import { contributions, rewardTerms } from "../../srpo/reward";
import type { RewardConfig, RewardTerms } from "../../srpo/types";
import { type GroupRecord, type SampleRecord, type Settings, scoreOf } from "../../worker/protocol";
import { number } from "./words";

export { scoreOf };

/** One row under the weights on the sliders. Null parts were not made by the phases so far. */
export interface ShownRow {
  readonly facts: ResponseFacts | null;
  readonly terms: RewardTerms | null;
  /** What each term adds to the total. */
  readonly parts: ReturnType<typeof contributions> | null;
  /** Why the response has no score under these weights; null where it has one, or is not scored yet. */
  readonly error: string | null;
  readonly advantage: number | null;
  /** The total and advantage that training used, where they differ from what is shown at the precision shown. */
  readonly ghostTotal: number | null;
  readonly ghostAdvantage: number | null;
}

export interface ShownScores {
  readonly rows: readonly ShownRow[];
  /** As `groupAdvantages` takes them: null where scoring failed. */
  readonly totals: readonly (number | null)[];
  readonly normalised: { readonly mean: number; readonly std: number; readonly flat: boolean } | null;
  /** True when the sliders differ from what this group was scored with. */
  readonly moved: boolean;
}

export function errorOf(sample: SampleRecord): string | null {
  return sample.score && "error" in sample.score ? sample.score.error : null;
}

/** What the response can be scored again from; a term of one's own that failed leaves it too. */
export function factsOf({ score }: SampleRecord): ResponseFacts | null {
  return score?.facts ?? null;
}

/** @returns the terms, or why there are none */
function termsUnder(facts: ResponseFacts, reward: RewardConfig): RewardTerms | string {
  try {
    return rewardTerms(facts, reward);
  } catch (error) {
    if (error instanceof RewardTermError) return `Your term “${error.term}” has no value: ${error.reason}`;
    throw error;
  }
}

/**
 * A ghost that reads like the number beside it would only puzzle: they differ where they are written differently (and
 * not by rounding alone).
 */
const differs = (a: number, b: number): boolean => Math.abs(a - b) > 1e-6 && number(a) !== number(b);

/** The reward on the controls, with the factors on its tiers that the group's step paid, if they adapt. */
export function rewardIn<Reward extends RewardConfig>(group: GroupRecord | null, reward: Reward): Reward {
  const factors = group?.tierFactors;
  if (reward.adaptiveTiers === null || factors === undefined) return reward;
  return { ...reward, adaptiveTiers: { ...reward.adaptiveTiers, factors } };
}

/** `wanted` is what the controls say. The group's own scores become ghosts wherever they differ. */
export function rescore(
  { samples, normalised: before }: GroupRecord,
  wanted: Pick<Settings, "reward" | "grpo">,
): ShownScores {
  const facts = samples.map(factsOf);
  const scored = facts.map((each) => each && termsUnder(each, wanted.reward));
  const terms = scored.map((each) => (typeof each === "string" ? null : each));
  const totals = terms.map((each) => each?.total ?? null);
  const now = before ? groupAdvantages(totals, wanted.grpo.preset) : null;
  const rows = samples.map((sample, row): ShownRow => {
    const mine = terms[row] ?? null;
    const trained = scoreOf(sample)?.terms.total;
    const failed = scored[row];
    const advantage = mine && now ? (now.advantages[row] ?? 0) : null;
    return {
      facts: facts[row] ?? null,
      terms: mine,
      advantage,
      parts: mine && contributions(mine, wanted.reward.variant),
      error: typeof failed === "string" ? failed : facts[row] ? null : errorOf(sample),
      ghostTotal: mine && trained !== undefined && differs(mine.total, trained) ? trained : null,
      ghostAdvantage:
        advantage !== null && sample.advantage !== undefined && differs(advantage, sample.advantage)
          ? sample.advantage
          : null,
    };
  });
  return {
    rows,
    totals,
    normalised: now && { mean: now.mean, std: now.std, flat: now.flat },
    moved: rows.some(({ terms: mine }, row) => {
      const sample = samples[row];
      const trained = sample && scoreOf(sample);
      if (mine === null || trained == null) return (mine === null) !== (trained == null);
      return Math.abs(mine.total - trained.terms.total) >= 1e-9;
    }),
  };
}
