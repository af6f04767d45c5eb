/**
 * Explains the terms that only some recipes have: the accuracy of the `gated` variant, where everything hangs on the
 * format, and the overlong penalty. Same shape and notation as explain.ts.
 */
import type { Explanation } from "./explanation";
import { type ResponseFacts, transitionIn } from "./facts";
import type { GraderName } from "./grader/grader";
import { formatChange, formatNumber } from "./notation";
import type { RewardConfig, RewardTerms } from "./types";

export function explainGatedAccuracy(
  facts: ResponseFacts,
  config: RewardConfig,
  { accuracy }: RewardTerms,
  grader: GraderName,
): Explanation {
  const { first, refined } = facts.right[grader];
  const last = transitionIn(facts, grader) === null ? first : refined;
  return {
    formula: `R_accuracy = ${formatNumber(config.accuracyWeight)} if well formed and the last answer is right, else 0`,
    substituted: `R_accuracy = ${formatNumber(accuracy)}`,
    sentence: !facts.wellFormed
      ? "The response is not well formed, so nothing in it is rewarded: ±0."
      : last
        ? `The last answer is right: ${formatChange(accuracy)}.`
        : "The last answer is wrong: ±0.",
  };
}

/** Why a response of any variant lost something for its length. */
export function explainOverlong(
  { sampled }: ResponseFacts,
  { overlongWeight, overlongCache }: RewardConfig,
  { overlong = 0 }: RewardTerms,
): Explanation {
  const formula = "R_overlong = w·(0 up to L_max − L_c, then a line to −1 at L_max)";
  if (sampled === undefined)
    return {
      formula,
      substituted: "R_overlong = 0",
      sentence: "This response was not sampled under a length limit: ±0.",
    };
  const { tokens, limit } = sampled;
  const cache = overlongCache * limit;
  const free = limit - cache;
  const weight = formatNumber(overlongWeight);
  return {
    formula,
    substituted:
      tokens <= free
        ? `${tokens} ≤ ${limit} − ${formatNumber(cache)} → R_overlong = 0`
        : `R_overlong = ${weight}·max(−1, (${formatNumber(free)} − ${tokens})/${formatNumber(cache)}) = ` +
          formatNumber(overlong),
    sentence:
      tokens <= free
        ? `${tokens} tokens, within the ${formatNumber(free)} that cost nothing: ±0.`
        : `${tokens} tokens of at most ${limit}: ${formatChange(overlong)}.`,
  };
}
