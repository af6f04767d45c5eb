/**
 * Advantage estimators of one step: what a recipe makes of the rewards of all its groups. c = r − mean within the
 * group, n its scored responses, e the trainer's (trainers.ts).
 *
 * - group: c/(std + e), GRPO (advantage.ts).
 * - centred: c. Dr. GRPO (arXiv 2503.20783); TRL `scale_rewards="none"`, verl `norm_adv_by_std_in_grpo=False`.
 * - batch-std: c/(std of all rewards of the step + e). TRL `scale_rewards="batch"` (Lite PPO, ScaleRL).
 * - leave-one-out: r − mean of the others = c·n/(n − 1). RLOO (arXiv 2402.14740); TRL, verl and OpenRLHF agree.
 * - whitened: c, then whitened over the step (whitening.ts). REINFORCE++-baseline (arXiv 2501.03262); verl
 *   `reinforce_plus_plus_baseline`, OpenRLHF `reinforce_baseline`. With TRL's preset it is whitened over responses.
 * - gdpo: each reward term becomes (term − mean)/(std + e) within the group, their weighted sum is whitened over the
 *   step. GDPO (arXiv 2601.05242); TRL `normalize_then_sum`, verl `gdpo`.
 *
 * Departures. A flat group (advantage.ts) gets exactly 0 from every estimator; so does a flat term of gdpo. This
 * matters in a whitening over tokens: the token mean of c is not 0 where better and worse responses differ in length,
 * so verl and OpenRLHF push a flat group's tokens by −mean/scale. In the batch "unequal lengths, one flat group" of
 * golden/recipe_vectors.json that is 0.69, for four responses with nothing to tell them apart; with responses of one
 * length it is 0. The tokens of flat groups still count in mean and variance, as in the trainers. A group with one
 * scored response is flat too; verl keeps its raw reward as the advantage, TRL gives 0.
 */
import { groupAdvantages, isFlat, meanOf, stdOf } from "./advantage";
import { TRAINER_NUMERICS } from "./trainers";
import type { GroupAdvantages, Trainer } from "./types";
import { type StepScale, stepScale } from "./whitening";

export const ADVANTAGE_ESTIMATORS = ["group", "centred", "batch-std", "leave-one-out", "whitened", "gdpo"] as const;
export type AdvantageEstimator = (typeof ADVANTAGE_ESTIMATORS)[number];

/** One group as scored: three lists with one entry a response. */
export interface ScoredGroup {
  /** Null where scoring failed: the response takes no part, and gets 0. */
  readonly rewards: readonly (number | null)[];
  /** The reward's terms by name, read by gdpo only; null where scoring failed. All responses name the same terms. */
  readonly terms: readonly (Readonly<Record<string, number>> | null)[];
  /** Response tokens, read by whitenings over tokens only. */
  readonly lengths: readonly number[];
}

export interface EstimatorOptions {
  readonly estimator: AdvantageEstimator;
  /** Whose e and whose whitening. */
  readonly trainer: Trainer;
  /** gdpo: weight of a term's normalised value; 1 for a term that is not named (TRL's and verl's default). */
  readonly termWeights?: Readonly<Record<string, number>>;
}

/**
 * Advantages of every group of a step. `mean` and `std` are those of the group's rewards, whatever the estimator;
 * `flat` says that the estimator sees no difference in the group (gdpo: in the weighted sum of its terms).
 * @throws RangeError for a reward or term that is not finite, lists of different lengths, responses with different
 *   terms, or a length that is not a whole number
 */
export function stepAdvantages(groups: readonly ScoredGroup[], options: EstimatorOptions): readonly GroupAdvantages[] {
  const { estimator, trainer } = options;
  groups.forEach(checkGroup);
  switch (estimator) {
    case "group":
      return groups.map(({ rewards }) => groupAdvantages(rewards, trainer));
    case "centred":
      return groups.map((group) => withAdvantages(group, centred(group)));
    case "batch-std": {
      const scale = batchStd(groups) + TRAINER_NUMERICS[trainer].advantageEpsilon;
      return groups.map((group) => withAdvantages(group, scaled(centred(group), { mean: 0, scale })));
    }
    case "leave-one-out":
      return groups.map((group) => {
        const n = group.rewards.filter((r) => r !== null).length;
        return withAdvantages(group, scaled(centred(group), { mean: 0, scale: (n - 1) / n }));
      });
    case "whitened":
    case "gdpo": {
      const scale = whiteningScale(groups, options);
      return groups.map((group) => withAdvantages(group, scaled(beforeWhitening(group, options), scale)));
    }
    default:
      return estimator satisfies never;
  }
}

/** A value for each response, null where scoring failed; `flat`: no response differs from another. */
export interface GroupValues {
  readonly values: readonly (number | null)[];
  readonly flat: boolean;
}

/** What `whitened` and `gdpo` whiten: c, or the weighted sum of the normalised terms. */
export function beforeWhitening(group: ScoredGroup, options: EstimatorOptions): GroupValues {
  if (options.estimator !== "gdpo") return centred(group);
  const parts = normalisedTerms(group, options);
  const values = group.rewards.map((r, row) =>
    r === null ? null : parts.reduce((sum, part) => sum + part.weight * (part.advantages[row] ?? 0), 0),
  );
  return { values, flat: isFlat(values.filter((v) => v !== null)) };
}

/** Mean and scale over the step of what is whitened; flat groups count. */
export function whiteningScale(groups: readonly ScoredGroup[], options: EstimatorOptions): StepScale {
  const { whitening, advantageEpsilon } = TRAINER_NUMERICS[options.trainer];
  const values = groups.flatMap((group) =>
    beforeWhitening(group, options).values.flatMap((value, row) =>
      value === null ? [] : [{ value, length: group.lengths[row] ?? 0 }],
    ),
  );
  return stepScale(values, whitening, advantageEpsilon);
}

/** gdpo: each term of a group, with its weight, normalised within the group. */
export function normalisedTerms(
  group: ScoredGroup,
  { trainer, termWeights = {} }: EstimatorOptions,
): readonly (GroupAdvantages & { readonly name: string; readonly weight: number })[] {
  const names = Object.keys(group.terms.find((terms) => terms !== null) ?? {});
  return names.map((name) => {
    const values = group.rewards.map((r, row) => (r === null ? null : termOf(group, row, name, names)));
    return { ...groupAdvantages(values, trainer), name, weight: termWeights[name] ?? 1 };
  });
}

/** Std (divisor n − 1) of all rewards of the step. */
export function batchStd(groups: readonly ScoredGroup[]): number {
  return stdOf(groups.flatMap(({ rewards }) => rewards.filter((r) => r !== null)));
}

function centred({ rewards }: ScoredGroup): GroupValues {
  const scored = rewards.filter((r) => r !== null);
  const flat = isFlat(scored);
  const mean = meanOf(scored);
  return { values: rewards.map((r) => (r === null ? null : r - mean)), flat };
}

function scaled({ values, flat }: GroupValues, { mean, scale }: StepScale): GroupValues {
  return { values: values.map((v) => (v === null ? null : (v - mean) / scale)), flat };
}

/** The one place where a flat group's values, floating-point residue after centring, become exactly 0. */
function withAdvantages({ rewards }: ScoredGroup, { values, flat }: GroupValues): GroupAdvantages {
  const scored = rewards.filter((r) => r !== null);
  return {
    advantages: values.map((v) => (v === null || flat ? 0 : v)),
    mean: meanOf(scored),
    std: isFlat(scored) ? 0 : stdOf(scored),
    flat,
  };
}

function termOf(group: ScoredGroup, row: number, name: string, names: readonly string[]): number {
  const terms = group.terms[row];
  const value = terms?.[name];
  if (terms === null || terms === undefined || value === undefined || Object.keys(terms).length !== names.length)
    throw new RangeError(
      `Response ${row} of a group has the reward terms ${terms ? Object.keys(terms).join(", ") : "null"}; ` +
        `expected ${names.join(", ")}, as in the rest of its group.`,
    );
  return value;
}

function checkGroup({ rewards, terms, lengths }: ScoredGroup, index: number): void {
  if (terms.length !== rewards.length || lengths.length !== rewards.length)
    throw new RangeError(
      `Group ${index} has ${rewards.length} rewards, ${terms.length} terms and ${lengths.length} lengths; expected ` +
        "one of each for every response.",
    );
  const bad = lengths.find((n) => !Number.isInteger(n) || n < 0);
  if (bad !== undefined)
    throw new RangeError(
      `Group ${index} has a response of length ${bad}; expected a whole number of tokens, 0 or more.`,
    );
}
