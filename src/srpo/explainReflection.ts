/** Explains the terms that depend on what reflecting did to the answer: I_eff, I_ref and the combined accuracy. */
import type { Explanation } from "./explanation";
import { type ResponseFacts, transitionOf, transitionsIn } from "./facts";
import type { GraderName } from "./grader/grader";
import { formatChange, formatFactor, formatNumber, formatSum } from "./notation";
import { tierFactorOf, tierOf } from "./reward";
import { type RewardConfig, type RewardTerms, TRANSITIONS, type Transition } from "./types";

const WORDS: Readonly<Record<Transition, string>> = {
  kept: "kept a right answer",
  fixed: "fixed a wrong answer",
  stillWrong: "the answer stayed wrong",
  spoilt: "spoilt a right answer",
};
const ARROWS: Readonly<Record<Transition, string>> = {
  kept: "right→right",
  fixed: "wrong→right",
  stillWrong: "wrong→wrong",
  spoilt: "right→wrong",
};

export function explainCombinedAccuracy(
  facts: ResponseFacts,
  config: RewardConfig,
  { accuracy }: RewardTerms,
  grader: GraderName,
): Explanation {
  const right = facts.right[grader];
  const verl = config.variant === "official-verl";
  const tier = (t: Transition): number => config.effectivenessWeight * config.effectiveness[t];
  const base = config.accuracyWeight;
  const formula = verl
    ? `R_accuracy = right→right ${formatNumber(base + tier("kept"))} · wrong→wrong ${formatNumber(tier("spoilt"))} · ` +
      "else 0"
    : `R_accuracy = ${formatNumber(base)}·[any answer right] + tier of the transition`;
  if (facts.answerBlocks < 2) {
    return {
      formula,
      substituted: `R_accuracy = ${formatNumber(accuracy)}`,
      sentence:
        facts.answerBlocks === 0
          ? "There is no answer: ±0."
          : `One answer only, and it is ${right.first ? "right" : "wrong"}: ${formatChange(accuracy)}.`,
    };
  }
  const { transition, round } = lastRound(facts, grader);
  const slip =
    verl && transition === "stillWrong"
      ? " (a precedence slip in the port applies the tier meant for spoilt answers)"
      : "";
  return {
    formula,
    substituted: verl
      ? `R_accuracy(${ARROWS[transition]}) = ${formatNumber(accuracy)}`
      : `R_accuracy(${ARROWS[transition]}) = ` +
        `${formatSum([transition === "stillWrong" ? 0 : base, tier(transition)])} = ${formatNumber(accuracy)}`,
    sentence: `${capital(`${round}${WORDS[transition]}`)}: ${formatChange(accuracy)}${slip}.`,
  };
}

export function explainEffectiveness(
  facts: ResponseFacts,
  config: RewardConfig,
  { effectiveness }: RewardTerms,
  grader: GraderName,
): Explanation {
  const tiers = TRANSITIONS.map((t) => `${ARROWS[t]} ${formatChange(tierOf(config, t))}`).join(" · ");
  const weight = config.effectivenessWeight === 1 ? "" : `${formatNumber(config.effectivenessWeight)} · `;
  const formula = `I_eff = ${weight}tier: ${tiers}`;
  if (config.variant === "gated" && !facts.wellFormed)
    return { formula, substituted: "I_eff = 0", sentence: "Nothing is rewarded without the format: ±0." };
  if (config.variant !== "paper" && config.variant !== "gated")
    return {
      formula,
      substituted: "I_eff = 0",
      sentence: "This variant folds the effect of the reflection into its accuracy term.",
    };
  if (facts.answerBlocks < 2)
    return { formula, substituted: "I_eff = 0", sentence: "There is no second answer to compare: ±0." };
  if (!facts.reflectionBetween)
    return {
      formula,
      substituted: "I_eff = 0",
      sentence: `${missingReflection(facts)}: ±0.`,
    };
  const { transition, round } = lastRound(facts, grader);
  const adapted = tierFactorOf(config.adaptiveTiers, transition);
  // Factors of 1 are left out.
  const product = [config.effectivenessWeight, adapted].filter((each) => each !== 1).map((each) => formatNumber(each));
  return {
    formula,
    substituted:
      product.length === 0
        ? `I_eff(${ARROWS[transition]}) = ${formatNumber(effectiveness)}`
        : `I_eff(${ARROWS[transition]}) = ${product.join(" · ")} · ` +
          `${formatFactor(config.effectiveness[transition])} = ${formatNumber(effectiveness)}`,
    sentence:
      `${capital(`${round}${WORDS[transition]}`)}: ${formatChange(effectiveness)}.` +
      (adapted === 1 ? "" : ` Adaptive tiers pay ${formatNumber(adapted)} times the set tier in this step.`),
  };
}

export function explainReflectionFormat(
  facts: ResponseFacts,
  config: RewardConfig,
  { reflectionFormat }: RewardTerms,
): Explanation {
  return {
    formula:
      `I_ref = ${formatNumber(config.reflectionFormatWeight)} if one non-empty reflection stands between the ` +
      `answers${facts.right.equivalent.between === undefined ? "" : " of every round"}, else 0`,
    substituted: `I_ref = ${formatNumber(reflectionFormat)}`,
    sentence:
      config.variant !== "paper"
        ? "This variant has no term for the reflection's form."
        : facts.reflectionBetween
          ? `${
              facts.right.equivalent.between === undefined
                ? "One reflection stands between the answers"
                : "Every round has its reflection"
            }: ${formatChange(reflectionFormat)}.`
          : "There is not exactly one non-empty reflection between two answers: ±0.",
  };
}

/** The transition that is rewarded, and the words that say which of several rounds it is. */
function lastRound(
  facts: ResponseFacts,
  grader: GraderName,
): { readonly transition: Transition; readonly round: string } {
  const transitions = transitionsIn(facts, grader);
  const { first, refined } = facts.right[grader];
  return {
    transition: transitions.at(-1) ?? transitionOf(first, refined),
    round: transitions.length > 1 ? `in the last of ${transitions.length} rounds, ` : "",
  };
}

function missingReflection(facts: ResponseFacts): string {
  return facts.right.equivalent.between === undefined
    ? "No single well-formed reflection stands between the two answers"
    : "A round lacks its one well-formed reflection";
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
