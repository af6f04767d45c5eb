/**
 * Counterfactual re-scoring: the frozen displayed group under the sliders' current weights, by the method's own
 * arithmetic (src/srpo), without the engine. What training used stays beside it as the ghost.
 */
import { type EstimatorOptions, type ScoredGroup, stepAdvantages } from "../../srpo/advantageEstimators";
import { explainStepAdvantage } from "../../srpo/explainEstimator";
import type { Explanation } from "../../srpo/explanation";
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
  /** Null where scoring failed. */
  readonly totals: readonly (number | null)[];
  /** Why a row has its advantage. */
  readonly explainAdvantage: (row: number) => Explanation;
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

/** Advantages of one group under the controls, and why each is what it is. */
interface ShownAdvantages {
  readonly advantages: readonly number[];
  readonly normalised: ShownScores["normalised"];
  readonly explain: ShownScores["explainAdvantage"];
}

/** What the estimators read of a group under the controls. */
function scoredUnder({ samples }: GroupRecord, { reward }: Pick<Settings, "reward">): ScoredGroup {
  const terms = samples.map((sample) => {
    const facts = factsOf(sample);
    const found = facts && termsUnder(facts, reward);
    return typeof found === "string" ? null : found;
  });
  return {
    rewards: samples.map(({ klPenalty = 0 }, row) => {
      const own = terms[row];
      return own ? own.total - klPenalty : null;
    }),
    terms: terms.map((own) => own && contributions(own, reward.variant)),
    lengths: samples.map(({ tokenIds, whole }) => whole?.tokens ?? tokenIds.length),
  };
}

/**
 * By the estimator on the controls, over the step's groups where it looks beyond one; groups that the filter left out
 * are alone. A replayed sample keeps the advantage of its own step.
 */
function advantagesUnder(
  group: GroupRecord,
  step: readonly GroupRecord[],
  wanted: Pick<Settings, "reward" | "grpo">,
): ShownAdvantages {
  const options: EstimatorOptions = { estimator: wanted.grpo.advantage, trainer: wanted.grpo.preset };
  const alone = group.filtered === true || !step.includes(group);
  const groups = alone
    ? [group]
    : step.filter((other) => other.replayedFrom === undefined && (other === group || other.filtered !== true));
  const at = Math.max(0, groups.indexOf(group));
  const scored = groups.map((each) => scoredUnder(each, { reward: rewardIn(each, wanted.reward) }));
  if (group.replayedFrom !== undefined) {
    const from = group.replayedFrom;
    return {
      advantages: group.samples.map(({ advantage = 0 }) => advantage),
      normalised: null,
      explain: (row) => ({
        formula: "A: as in the step that sampled it",
        substituted: `A = ${number(group.samples[row]?.advantage ?? 0, 3)}, from step ${from}`,
        sentence: "A replayed response is trained on with the advantage it had among the responses of its own time.",
      }),
    };
  }
  const own = stepAdvantages(scored, options)[at];
  return {
    advantages: own?.advantages ?? [],
    normalised: own ? { mean: own.mean, std: own.std, flat: own.flat } : null,
    explain: (row) => explainStepAdvantage(scored, at, row, options),
  };
}

/**
 * `wanted` is what the controls say. The group's own scores become ghosts wherever they differ.
 * @param step all groups of the step, for estimators that look beyond one
 */
export function rescore(
  group: GroupRecord,
  wanted: Pick<Settings, "reward" | "grpo">,
  step: readonly GroupRecord[] = [group],
): ShownScores {
  const { samples } = group;
  const shown = advantagesUnder(group, step, wanted);
  const normalisedBefore = group.normalised !== undefined || group.replayedFrom !== undefined;
  const facts = samples.map(factsOf);
  const scored = facts.map((each) => each && termsUnder(each, wanted.reward));
  const terms = scored.map((each) => (typeof each === "string" ? null : each));
  const totals = terms.map((each) => each?.total ?? null);
  const rows = samples.map((sample, row): ShownRow => {
    const mine = terms[row] ?? null;
    const trained = scoreOf(sample)?.terms.total;
    const failed = scored[row];
    const advantage = mine && normalisedBefore ? (shown.advantages[row] ?? 0) : null;
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
    normalised: normalisedBefore ? shown.normalised : null,
    explainAdvantage: shown.explain,
    moved: rows.some(({ terms: mine }, row) => {
      const sample = samples[row];
      const trained = sample && scoreOf(sample);
      if (mine === null || trained == null) return (mine === null) !== (trained == null);
      return Math.abs(mine.total - trained.terms.total) >= 1e-9;
    }),
  };
}
