/**
 * Why the update does to a token what it does: ratio, clip, KL to the reference, and the loss of a whole step. Same shape and
 * notation as explain.ts; the arithmetic is surrogate.ts's and kl.ts's.
 */
import type { Explanation } from "./explain";
import { estimateKl } from "./kl";
import { formatFactor, formatNumber } from "./notation";
import { type Surrogate, surrogateLoss } from "./surrogate";
import type { AdvantagePreset } from "./types";

export type ClipSurrogate = Extract<Surrogate, { kind: "clip" }>;

/** ρ of one token, from its log-probability now and when it was sampled (nats). */
export function explainRatio(logp: number, oldLogp: number): Explanation {
  const ratio = Math.exp(logp - oldLogp);
  return {
    formula: "ρ = π/π_old = exp(log π − log π_old)",
    substituted: `ρ = exp(${formatNumber(logp)} − ${formatFactor(oldLogp)}) = ${formatNumber(ratio)}`,
    sentence:
      ratio === 1
        ? "The policy has not moved since it sampled this token; in the first inner epoch every ratio is 1."
        : ratio > 1
          ? `This token is now ${formatNumber(ratio)} times as likely as when it was sampled.`
          : `This token has fallen to ${formatNumber(ratio)} of the likelihood it was sampled with.`,
  };
}

/** The clipped loss of one token, and whether it still pushes. */
export function explainClip(ratio: number, advantage: number, surrogate: ClipSurrogate): Explanation {
  const { clipLow, clipHigh, ratioMax, dualClip } = surrogate;
  const { loss, slope, clippedLow, clippedHigh, bounded } = surrogateLoss(ratio, advantage, 0, surrogate);
  const clamped = ratioMax === null ? ratio : Math.min(ratio, ratioMax);
  const clipped = Math.min(Math.max(ratio, 1 - clipLow), 1 + clipHigh);
  const [low, high] = [formatNumber(1 - clipLow), formatNumber(1 + clipHigh)];
  const inner = ratioMax === null ? "ρ" : `min(ρ, ${formatNumber(ratioMax)})`;
  const surrogateFormula = `−min(${inner}·A, clip(ρ, ${low}, ${high})·A)`;
  return {
    formula:
      dualClip === null
        ? `L = ${surrogateFormula}`
        : `L = A < 0 ? min(${surrogateFormula}, −${formatNumber(dualClip)}·A) : ${surrogateFormula}`,
    substituted: `L = −min(${formatNumber(clamped)}·${formatFactor(advantage)}, ${formatNumber(clipped)}·${formatFactor(advantage)})${bounded && dualClip !== null && clamped === ratio ? `, bounded by ${formatNumber(dualClip)}·${formatNumber(Math.abs(advantage))}` : ""} = ${formatNumber(loss)}`,
    sentence:
      advantage === 0
        ? "The advantage is 0: no push either way."
        : clippedHigh
          ? `Already more than ${high} times as likely: the clip stops pushing it up.`
          : clippedLow
            ? `Already below ${low} of its old likelihood: the clip stops pushing it down.`
            : bounded
              ? "The ratio is so large that a bound holds the loss: no gradient, so one outlier cannot shake the step."
              : slope < 0
                ? "Inside the clip: this step makes the token more likely."
                : "Inside the clip: this step makes the token less likely.",
  };
}

/** k3, the KL estimate of one token against the reference policy, with the trainer's clamps. */
export function explainK3(logp: number, refLogp: number, trainer: AdvantagePreset): Explanation {
  const { value } = estimateKl(logp, refLogp, "k3", trainer);
  const d = logp - refLogp;
  return {
    formula: "k3 = exp(−d) − 1 + d,  d = log π − log π_ref",
    substituted: `d = ${formatNumber(logp)} − ${formatFactor(refLogp)} = ${formatNumber(d)};  k3 = exp(${formatNumber(-d)}) − 1 ${d < 0 ? "−" : "+"} ${formatNumber(Math.abs(d))} = ${formatNumber(value)}`,
    sentence:
      value === 0
        ? "Policy and reference agree on this token."
        : `The policy finds this token ${d > 0 ? "more" : "less"} likely than the reference does: ${formatNumber(value)} nats of divergence, never negative.`,
  };
}

/** The loss of a whole step: why it may be 0 while the gradient is not. */
export function explainLoss(loss: number, clipped: number, innerEpoch: number): Explanation {
  return {
    formula: "loss = Σ w·(−min(ρA, clip(ρ)A) + β·k3)",
    substituted: `loss = ${formatNumber(loss)};  ${formatNumber(100 * clipped)} % of tokens clipped`,
    sentence:
      innerEpoch === 0
        ? "In the first inner epoch every ratio is 1: nothing can be clipped, and the loss is only minus a weighted mean of advantages, near 0 by construction. The gradient is not 0: the policy learns all the same."
        : `In inner epoch ${innerEpoch + 1} the policy has moved since sampling: ratios differ from 1, and ${formatNumber(100 * clipped)} % of tokens are beyond the clip.`,
  };
}
