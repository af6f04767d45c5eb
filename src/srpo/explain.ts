/**
 * Explains a number: formula, formula with this row's values, one sentence.
 * Plain Unicode mathematics, for the page's "every number answers why?".
 */

import { groupAdvantages } from "./advantage";
import { explainGatedAccuracy, explainOverlong } from "./explainGated";
import { explainCombinedAccuracy, explainEffectiveness, explainReflectionFormat } from "./explainReflection";
import type { Explanation } from "./explanation";
import { type ResponseFacts, transitionsIn } from "./facts";
import type { GraderName } from "./grader/grader";
import { termValue } from "./language/customTerms";
import { withValues } from "./language/withValues";
import { agreeingOperands, asFactor, formatChange, formatNumber, formatSum } from "./notation";
import { type BuiltInTerm, graderOf, lengthPosition, patternOf, rewardTerms, VERL_SHARE } from "./reward";
import { TRAINER_NUMERICS } from "./trainers";
import type { CustomTerm, RewardConfig, RewardTerms, Trainer } from "./types";

/** Blocks of a well-formed response, by its rounds of reflection. */
const BLOCKS = ["two", "five", "eight", "eleven", "fourteen"] as const;

/** Why one term of a response's reward is what it is. */
export function explainTerm(
  term: BuiltInTerm,
  facts: ResponseFacts,
  config: RewardConfig,
  grader: GraderName = graderOf(config.variant),
): Explanation {
  // Without terms of one's own: one of them may have no value here, and none changes a built-in term.
  const terms = rewardTerms(facts, { ...config, customTerms: [] }, grader);
  switch (term) {
    case "format":
      return explainFormat(facts, config, terms);
    case "accuracy":
      return config.variant === "gated"
        ? explainGatedAccuracy(facts, config, terms, grader)
        : config.variant === "paper"
          ? explainAccuracy(facts, config, terms, grader)
          : explainCombinedAccuracy(facts, config, terms, grader);
    case "effectiveness":
      return explainEffectiveness(facts, config, terms, grader);
    case "reflectionFormat":
      return explainReflectionFormat(facts, config, terms);
    case "length":
      return explainLength(facts, config, terms);
    case "overlong":
      return explainOverlong(facts, config, terms);
    default:
      return unknownTerm(term);
  }
}

/** Why a term of one's own is what it is: its expression, the expression with this response's facts, its value. */
export function explainCustomTerm(
  term: CustomTerm,
  facts: ResponseFacts,
  config: RewardConfig,
  grader: GraderName = graderOf(config.variant),
): Explanation {
  const { name, expression, weight } = term;
  const formula = `${name} = ${formatNumber(weight)} · (${expression})`;
  if (weight === 0) return { formula, substituted: `${name} = 0`, sentence: "Weight 0: this term is off." };
  const value = termValue(term, facts, grader);
  const [shownWeight = "", shownValue = ""] = agreeingOperands([weight, value], weight * value, product);
  return {
    formula,
    substituted:
      `${name} = ${shownWeight} · (${withValues(term, facts, grader)}) = ${shownWeight} · ` +
      `${asFactor(shownValue)} = ${formatNumber(weight * value)}`,
    sentence: `Your own term has the value ${formatNumber(value)}: ${formatChange(weight * value)}.`,
  };
}

/** Why the total is what it is. */
export function explainTotal(terms: RewardTerms, config: RewardConfig): Explanation {
  const { format, accuracy, effectiveness, reflectionFormat, lengthWeighted, total } = terms;
  const note = terms.note === undefined ? "" : ` ${terms.note}`;
  const others: Readonly<Record<string, number>> = {
    ...(terms.overlong === undefined ? {} : { R_overlong: terms.overlong }),
    ...terms.custom,
  };
  const names = Object.keys(others).map((name) => ` + ${name}`);
  const custom = Object.values(others);
  const own = names.join("");
  if (config.variant === "paper") {
    return {
      formula: `R = R_format + R_accuracy + I_eff + I_ref + α·f_len${own}`,
      substituted:
        `R = ${formatSum([format, accuracy, effectiveness, reflectionFormat, lengthWeighted, ...custom])} = ` +
        `${formatNumber(total)}`,
      sentence: `All terms together: ${formatNumber(total)}.${note}`,
    };
  }
  if (config.variant === "gated") {
    return {
      formula: `R = well formed ? R_format + R_accuracy + I_eff + α·f_len${own} : 0${own}`,
      substituted:
        `R = ${formatSum([format, accuracy, effectiveness, lengthWeighted, ...custom])} = ` + `${formatNumber(total)}`,
      sentence: `All terms together, and nothing without the format: ${formatNumber(total)}.`,
    };
  }
  if (config.variant === "official") {
    return {
      formula: `R = R_format + R_accuracy + α·f_len${own}`,
      substituted: `R = ${formatSum([format, accuracy, lengthWeighted, ...custom])} = ${formatNumber(total)}`,
      sentence:
        `The released scorer adds three terms${own === "" ? "" : "; your own are added to them"}: ` +
        `${formatNumber(total)}.${note}`,
    };
  }
  const [shownAccuracy = "", shownFormat = "", ...rest] = agreeingOperands(
    [accuracy, format, lengthWeighted, ...custom],
    total,
    ([a = 0, f = 0, ...others]) => others.reduce((sum, part) => sum + part, VERL_SHARE * a + VERL_SHARE * f),
  );
  return {
    formula: `R = ½·R_accuracy + ½·R_format + α·f_len${own}`,
    substituted:
      `R = ${VERL_SHARE}·${asFactor(shownAccuracy)} + ${VERL_SHARE}·${asFactor(shownFormat)}` +
      `${rest.map((text) => (text.startsWith("−") ? ` − ${text.slice(1)}` : ` + ${text}`)).join("")} = ` +
      `${formatNumber(total)}`,
    sentence: `The verl port halves accuracy and format: ${formatNumber(total)}.${note}`,
  };
}

/** Why a row of a group has its advantage. `rewards` as given to `groupAdvantages`. */
export function explainAdvantage(rewards: readonly (number | null)[], row: number, preset: Trainer): Explanation {
  const { advantages, mean, std, flat } = groupAdvantages(rewards, preset);
  const epsilon = TRAINER_NUMERICS[preset].advantageEpsilon;
  const formula = "A = (r − mean) / (std + ε),  std with divisor n − 1";
  const reward = rewards[row];
  if (reward === undefined)
    throw new RangeError(`Row ${row} of a group of ${rewards.length}; expected 0 to ${rewards.length - 1}.`);
  if (reward === null)
    return {
      formula,
      substituted: "A = 0",
      sentence: "This response could not be scored, so it takes no part in the step.",
    };
  if (flat)
    return {
      formula,
      substituted: `r − mean = 0 for every row → A = 0`,
      sentence: "All rewards of the group are equal: nothing to prefer, so the group teaches nothing.",
    };
  const advantage = advantages[row] ?? 0;
  const compared =
    advantage > 0
      ? "above the group's mean: its tokens become more likely"
      : advantage < 0
        ? "below the group's mean: its tokens become less likely"
        : "at the group's mean: no push either way";
  return {
    formula,
    substituted: standardised({ reward, mean, std, epsilon, advantage }),
    sentence: `${formatNumber(Math.abs(advantage))} standard deviations ${compared}.`.replace(
      /^0 standard deviations /,
      "Exactly ",
    ),
  };
}

/** A = (r − mean) / (std + ε), in digits that agree. */
export function standardised(of: {
  readonly reward: number;
  readonly mean: number;
  readonly std: number;
  readonly epsilon: number;
  readonly advantage: number;
}): string {
  const [reward = "", mean = "", std = "", epsilon = ""] = agreeingOperands(
    [of.reward, of.mean, of.std, of.epsilon],
    of.advantage,
    ([r = 0, m = 0, s = 0, e = 0]) => (r - m) / (s + e),
  );
  return `A = (${reward} − ${asFactor(mean)}) / (${std} + ${epsilon}) = ${formatNumber(of.advantage)}`;
}

const product = (of: readonly number[]): number => of.reduce((all, each) => all * each, 1);

function explainFormat(facts: ResponseFacts, config: RewardConfig, { format }: RewardTerms): Explanation {
  const strict = patternOf(config.variant) === "strict";
  const ok = strict ? facts.wellFormed : facts.wellFormedReleased;
  // A solution is two blocks, each further round three.
  const rounds = Math.max(1, transitionsIn(facts, graderOf(config.variant)).length);
  const blocks = BLOCKS[rounds] ?? String(2 + 3 * rounds);
  return {
    formula: `R_format = ${formatNumber(config.formatWeight)} if the ${blocks} blocks stand in order, else 0`,
    substituted: `R_format = ${formatNumber(format)}`,
    sentence: ok
      ? `All ${blocks} blocks are there, in order${strict ? "" : " (text before the first is allowed here)"}: ` +
        `${formatChange(format)}.`
      : "The response is not well formed: ±0.",
  };
}

function explainAccuracy(
  facts: ResponseFacts,
  config: RewardConfig,
  { accuracy }: RewardTerms,
  grader: GraderName,
): Explanation {
  const right = facts.right[grader].first;
  return {
    formula: `R_accuracy = ${formatNumber(config.accuracyWeight)} if the first answer is right, else 0`,
    substituted: `R_accuracy = ${formatNumber(accuracy)}`,
    sentence:
      facts.answerBlocks === 0
        ? "There is no answer: ±0."
        : right
          ? `The first answer is right: ${formatChange(accuracy)}.`
          : "The first answer is wrong: ±0.",
  };
}

function explainLength(
  facts: ResponseFacts,
  config: RewardConfig,
  { length, lengthWeighted }: RewardTerms,
): Explanation {
  const gaussian = config.lengthShape === "gaussian";
  const formula =
    `α·f_len = α·exp(−${gaussian ? "x²" : "2|x|"}),  x = (L − T_target)/(T_max − T_target),  T_target ` +
    `= ${formatNumber(config.targetFactor)}·base,  T_max = ${formatNumber(config.maxFactor)}·base`;
  const position = lengthPosition(facts, config);
  if (!position)
    return {
      formula,
      substituted: "α·f_len = 0",
      sentence: "The length is judged only where there are two thinks and two answers: ±0.",
    };
  const { target, max, x } = position;
  const off = facts.lengthTokens - target;
  const curve = (at: number): number => Math.exp(gaussian ? -(at ** 2) : -2 * Math.abs(at));
  const [alpha = "", share = ""] = agreeingOperands([config.lengthWeight, length], lengthWeighted, product);
  const [shownX = ""] = agreeingOperands([x], lengthWeighted, ([at = 0]) => config.lengthWeight * curve(at));
  const exponent = gaussian ? `${asFactor(shownX)}²` : `2·${shownX.replace("−", "")}`;
  return {
    formula,
    substituted:
      `x = (${facts.lengthTokens} − ${formatNumber(target)})/(${formatNumber(max)} − ` +
      `${formatNumber(target)}) = ${shownX};  α·f_len = ${alpha}·exp(−${exponent}) = ` +
      `${alpha}·${share} = ${formatNumber(lengthWeighted)}`,
    sentence:
      off === 0
        ? `${facts.lengthTokens} tokens, exactly the target: ${formatChange(lengthWeighted)}.`
        : `${facts.lengthTokens} tokens, ${formatNumber(Math.abs(off))} ${off > 0 ? "over" : "under"} the target of ` +
          `${formatNumber(target)}: ${formatChange(lengthWeighted)}.`,
  };
}

function unknownTerm(term: never): never {
  throw new RangeError(`Unknown reward term ${JSON.stringify(term)}.`);
}
