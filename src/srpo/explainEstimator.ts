/**
 * Explains the advantage of one response under each estimator of a step (advantageEstimators.ts): formula, formula with
 * this response's numbers, one sentence. Same shape and notation as explain.ts, which explains the estimator `group`.
 */
import { meanOf } from "./advantage";
import {
  type AdvantageEstimator,
  batchStd,
  beforeWhitening,
  type EstimatorOptions,
  normalisedTerms,
  type ScoredGroup,
  stepAdvantages,
  whiteningScale,
} from "./advantageEstimators";
import { explainAdvantage, standardised } from "./explain";
import type { Explanation } from "./explanation";
import { agreeingOperands, asFactor, formatNumber } from "./notation";
import { TRAINER_NUMERICS } from "./trainers";
import type { Trainer } from "./types";
import type { Whitening } from "./whitening";

/** How a whitening takes its scale s, and over what. */
const WHITENED: Readonly<Record<Whitening, { readonly scale: string; readonly over: string }>> = {
  responses: { scale: "std + ε", over: "responses" },
  tokens: { scale: "√(variance + 10⁻⁸)", over: "tokens" },
  "tokens-population": { scale: "√variance", over: "tokens" },
};

/** The paper's names of the reward terms, where they have one. */
const TERM_NAMES: Readonly<Record<string, string>> = {
  format: "R_format",
  accuracy: "R_accuracy",
  effectiveness: "I_eff",
  reflectionFormat: "I_ref",
  length: "α·f_len",
  overlong: "R_overlong",
};

/** Explained here; `group` is in explain.ts. */
type StepEstimator = Exclude<AdvantageEstimator, "group">;

/** One scored response, with what its advantage was made of. */
interface Place {
  readonly groups: readonly ScoredGroup[];
  readonly group: ScoredGroup;
  readonly row: number;
  readonly reward: number;
  readonly mean: number;
  readonly advantage: number;
  readonly formula: string;
  readonly options: EstimatorOptions;
}

/**
 * Why response `row` of group `groupIndex` has its advantage.
 * @param groups all groups of the step, as given to `stepAdvantages`
 * @throws RangeError for a response that is not there
 */
export function explainStepAdvantage(
  groups: readonly ScoredGroup[],
  groupIndex: number,
  row: number,
  options: EstimatorOptions,
): Explanation {
  const { estimator, trainer } = options;
  const group = groups[groupIndex];
  const result = stepAdvantages(groups, options)[groupIndex];
  if (!group || !result)
    throw new RangeError(`Group ${groupIndex} of a step of ${groups.length}; expected 0 to ${groups.length - 1}.`);
  const reward = group.rewards[row];
  if (estimator === "group") return explainAdvantage(group.rewards, row, trainer);
  const formula = formulaOf(estimator, trainer);
  if (reward === undefined || reward === null) return { ...explainAdvantage(group.rewards, row, trainer), formula };
  if (result.flat) return { formula, ...explainFlat(estimator) };
  const { mean, advantages } = result;
  const place = { groups, group, row, reward, mean, advantage: advantages[row] ?? 0, formula, options };
  switch (estimator) {
    case "centred":
      return explainCentred(place);
    case "batch-std":
      return explainBatchStd(place);
    case "leave-one-out":
      return explainLeaveOneOut(place);
    case "whitened":
      return explainWhitened(place);
    case "gdpo":
      return explainGdpo(place);
    default:
      return estimator satisfies never;
  }
}

function formulaOf(estimator: StepEstimator, trainer: Trainer): string {
  const { scale, over } = WHITENED[TRAINER_NUMERICS[trainer].whitening];
  const moments = (of: string): string => `m, s: mean and ${scale} of ${of} over the step's ${over}`;
  switch (estimator) {
    case "centred":
      return "A = r − mean";
    case "batch-std":
      return "A = (r − mean) / (std of the step + ε),  std with divisor n − 1";
    case "leave-one-out":
      return "A = r − mean of the others";
    case "whitened":
      return `A = (r − mean − m) / s,  ${moments("r − mean")}`;
    case "gdpo":
      return `A = (Σ w·z − m) / s,  z = (term − mean) / (std + ε),  ${moments("Σ w·z")}`;
    default:
      return estimator satisfies never;
  }
}

function explainFlat(estimator: StepEstimator): Omit<Explanation, "formula"> {
  const gdpo = estimator === "gdpo";
  const whitened = gdpo || estimator === "whitened";
  return {
    substituted: gdpo ? "Σ w·z is the same for every row → A = 0" : "r − mean = 0 for every row → A = 0",
    sentence:
      `All ${gdpo ? "sums of terms" : "rewards"} of the group are equal: nothing to prefer, so the group teaches ` +
      `nothing${whitened ? "; the whitening leaves it at 0" : ""}.`,
  };
}

/** A = r − baseline, in digits that agree. */
function subtracted(reward: number, baseline: number, advantage: number): string {
  const [r = "", b = ""] = agreeingOperands([reward, baseline], advantage, ([x = 0, y = 0]) => x - y);
  return `A = ${r} − ${asFactor(b)} = ${formatNumber(advantage)}`;
}

function explainCentred({ reward, mean, advantage, formula }: Place): Explanation {
  return {
    formula,
    substituted: subtracted(reward, mean, advantage),
    sentence: compared(advantage, formatNumber(Math.abs(advantage)), "the group's mean"),
  };
}

function explainBatchStd({ groups, reward, mean, advantage, formula, options }: Place): Explanation {
  const epsilon = TRAINER_NUMERICS[options.trainer].advantageEpsilon;
  return {
    formula,
    substituted: standardised({ reward, mean, std: batchStd(groups), epsilon, advantage }),
    sentence: compared(
      advantage,
      `${formatNumber(Math.abs(advantage))} standard deviations of the step's rewards`,
      "the group's mean",
    ),
  };
}

function explainLeaveOneOut({ group, row, reward, advantage, formula }: Place): Explanation {
  const others = group.rewards.filter((_, i) => i !== row).filter((r) => r !== null);
  return {
    formula,
    substituted: subtracted(reward, meanOf(others), advantage),
    sentence: compared(
      advantage,
      formatNumber(Math.abs(advantage)),
      others.length === 1 ? "the other response" : `the mean of the ${others.length} other responses`,
    ),
  };
}

function explainWhitened({ groups, reward, mean, advantage, formula, options }: Place): Explanation {
  const step = whiteningScale(groups, options);
  const [r = "", ofGroup = "", ofStep = "", scale = ""] = agreeingOperands(
    [reward, mean, step.mean, step.scale],
    advantage,
    ([x = 0, m = 0, n = 0, s = 0]) => (x - m - n) / s,
  );
  return {
    formula,
    substituted: `A = (${r} − ${asFactor(ofGroup)} − ${asFactor(ofStep)}) / ${scale} = ${formatNumber(advantage)}`,
    sentence: whitenedSentence(advantage, options),
  };
}

function explainGdpo({ groups, group, row, advantage, formula, options }: Place): Explanation {
  const { mean, scale } = whiteningScale(groups, options);
  const terms = normalisedTerms(group, options).filter((part) => !part.flat && part.weight !== 0);
  const sum = beforeWhitening(group, options).values[row] ?? 0;
  const [shownSum = "", shownMean = "", shownScale = ""] = agreeingOperands(
    [sum, mean, scale],
    advantage,
    ([x = 0, m = 0, s = 0]) => (x - m) / s,
  );
  const values = agreeingOperands(
    terms.flatMap(({ weight, advantages }) => [weight, advantages[row] ?? 0]),
    sum,
    (of) => of.reduce((all, each, at) => (at % 2 === 0 ? all + each * (of[at + 1] ?? 0) : all), 0),
  );
  const parts = terms.map(({ name, weight }, at) => {
    const z = asFactor(values[2 * at + 1] ?? "");
    return `${weight === 1 ? "" : `${values[2 * at] ?? ""}·`}${z} (${TERM_NAMES[name] ?? name})`;
  });
  return {
    formula,
    substituted:
      `Σ w·z = ${parts.length === 0 ? "" : `${parts.join(" + ")} = `}${formatNumber(sum)};  ` +
      `A = (${shownSum} − ${asFactor(shownMean)}) / ${shownScale} = ${formatNumber(advantage)}`,
    sentence: whitenedSentence(advantage, options),
  };
}

function whitenedSentence(advantage: number, { trainer }: EstimatorOptions): string {
  const { over } = WHITENED[TRAINER_NUMERICS[trainer].whitening];
  return compared(
    advantage,
    `${formatNumber(Math.abs(advantage))} standard deviations`,
    `the mean over the step's ${over}`,
  );
}

/** "0.5 above the group's mean: its tokens become more likely." */
function compared(advantage: number, distance: string, baseline: string): string {
  if (advantage === 0) return `Exactly at ${baseline}: no push either way.`;
  return advantage > 0
    ? `${distance} above ${baseline}: its tokens become more likely.`
    : `${distance} below ${baseline}: its tokens become less likely.`;
}
