/**
 * Explains a token's update: its ratio and its surrogate loss. Same shape and notation as explain.ts; the
 * arithmetic is surrogate.ts's.
 */
import type { Explanation } from "./explanation";
import { agreeingOperands, asFactor, formatNumber } from "./notation";
import type { RatioLevel } from "./recipes/record";
import { type Surrogate, surrogateLoss } from "./surrogate";

type Of<Kind extends Surrogate["kind"]> = Extract<Surrogate, { kind: Kind }>;

/**
 * ρ of one token, from its log-probability now and when it was sampled (nats).
 * @param ratio as the objective takes it: with the log-ratio's clamp, and of the whole sequence at sequence level
 */
export function explainRatio(logp: number, oldLogp: number, ratio: number, level: RatioLevel): Explanation {
  const own = Math.exp(logp - oldLogp);
  const [now = "", before = ""] = agreeingOperands([logp, oldLogp], own, ([x = 0, y = 0]) => Math.exp(x - y));
  const substituted = `ρ = exp(${now} − ${asFactor(before)}) = ${formatNumber(own)}`;
  return {
    formula:
      level === "token"
        ? "ρ = π/π_old = exp(log π − log π_old)"
        : "s = exp(mean of log π − log π_old over the response)",
    substituted: level === "token" ? substituted : `${substituted};  s = ${formatNumber(ratio)} for every token`,
    sentence:
      own === 1
        ? "The policy has not moved since it sampled this token."
        : own > 1
          ? `This token is now ${formatNumber(own)} times as likely as when it was sampled.`
          : `This token has fallen to ${formatNumber(own)} of the likelihood it was sampled with.`,
  };
}

/**
 * What the surrogate makes of a token's ratio and advantage.
 * @param logp log π, read by cispo only
 * @param level at sequence level the ratio is the response's, written s
 */
export function explainSurrogate(
  ratio: number,
  advantage: number,
  logp: number,
  surrogate: Surrogate,
  level: RatioLevel,
): Explanation {
  const own = explainKind(ratio, advantage, logp, surrogate);
  if (level === "token") return own;
  const sentence = own.sentence.replace(/^Already /, "The response is already ");
  return { formula: own.formula.replaceAll("ρ", "s"), substituted: own.substituted, sentence };
}

function explainKind(ratio: number, advantage: number, logp: number, surrogate: Surrogate): Explanation {
  switch (surrogate.kind) {
    case "clip":
      return explainClip(ratio, advantage, surrogate);
    case "cispo":
      return explainCispo(ratio, advantage, logp, surrogate);
    case "sapo":
      return explainSapo(ratio, advantage, surrogate);
    default:
      return surrogate satisfies never;
  }
}

/** The clipped loss of one token, and whether it still pushes. */
function explainClip(ratio: number, advantage: number, surrogate: Of<"clip">): Explanation {
  const { clipLow, clipHigh, ratioMax, dualClip } = surrogate;
  const { loss, slope, clippedLow, clippedHigh, bounded } = surrogateLoss(ratio, advantage, 0, surrogate);
  const clamped = ratioMax === null ? ratio : Math.min(ratio, ratioMax);
  const clipped = Math.min(Math.max(clamped, 1 - clipLow), 1 + clipHigh);
  const [low, high] = [formatNumber(1 - clipLow), formatNumber(1 + clipHigh)];
  const inner = ratioMax === null ? "ρ" : `min(ρ, ${formatNumber(ratioMax)})`;
  const surrogateFormula = `−min(${inner}·A, clip(ρ, ${low}, ${high})·A)`;
  const [shownClamped = "", shownClipped = "", a = ""] = agreeingOperands(
    [clamped, clipped, advantage],
    loss,
    ([r = 0, c = 0, of = 0]) => {
      const unbounded = -Math.min(r * of, c * of);
      return dualClip !== null && of < 0 ? Math.min(unbounded, -dualClip * of) : unbounded;
    },
  );
  const shownA = asFactor(a);
  const bound =
    bounded && dualClip !== null && clamped === ratio
      ? `, bounded by ${formatNumber(dualClip)}·${formatNumber(Math.abs(advantage))}`
      : "";
  return {
    formula:
      dualClip === null
        ? `L = ${surrogateFormula}`
        : `L = A < 0 ? min(${surrogateFormula}, −${formatNumber(dualClip)}·A) : ${surrogateFormula}`,
    substituted: `L = −min(${shownClamped}·${shownA}, ${shownClipped}·${shownA})${bound} = ${formatNumber(loss)}`,
    sentence:
      advantage === 0
        ? "The advantage is 0: no push either way."
        : clippedHigh
          ? `Already more than ${high} times as likely: the clip stops pushing it up.`
          : clippedLow
            ? `Already below ${low} of its old likelihood: the clip stops pushing it down.`
            : bounded || slope === 0
              ? "The ratio is so large that a bound holds the loss: no gradient, so one outlier cannot shake the step."
              : slope < 0
                ? "Inside the clip: this step makes the token more likely."
                : "Inside the clip: this step makes the token less likely.",
  };
}

function explainCispo(ratio: number, advantage: number, logp: number, surrogate: Of<"cispo">): Explanation {
  const { loss, clippedLow, clippedHigh } = surrogateLoss(ratio, advantage, logp, surrogate);
  const [low, high] = [formatNumber(surrogate.ratioLow), formatNumber(surrogate.ratioHigh)];
  const held = Math.min(Math.max(ratio, surrogate.ratioLow), surrogate.ratioHigh);
  const [shownHeld = "", shownA = "", shownLogp = ""] = agreeingOperands(
    [held, advantage, logp],
    loss,
    ([r = 0, a = 0, p = 0]) => -r * a * p,
  );
  return {
    formula: `L = −sg(clamp(ρ, ${low}, ${high}))·A·log π`,
    substituted: `L = −${shownHeld}·${asFactor(shownA)}·${asFactor(shownLogp)} = ${formatNumber(loss)}`,
    sentence:
      advantage === 0
        ? "The advantage is 0: no push either way."
        : "The ratio is a weight that no gradient passes " +
          `through${clippedLow || clippedHigh ? `, held at ${clippedLow ? low : high}` : ""}: this step makes the ` +
          `token ${advantage > 0 ? "more" : "less"} likely.`,
  };
}

function explainSapo(ratio: number, advantage: number, surrogate: Of<"sapo">): Explanation {
  const { loss } = surrogateLoss(ratio, advantage, 0, surrogate);
  const temperature = advantage > 0 ? surrogate.tauPositive : surrogate.tauNegative;
  const tau = formatNumber(temperature);
  const gate = 1 / (1 + Math.exp(-temperature * (ratio - 1)));
  const share = 4 * gate * (1 - gate);
  const [shownRatio = "", shownA = ""] = agreeingOperands(
    [ratio, advantage],
    loss,
    ([r = 0, a = 0]) => ((-4 / temperature) * a) / (1 + Math.exp(-temperature * (r - 1))),
  );
  return {
    formula: "L = −(4/τ)·σ(τ(ρ − 1))·A",
    substituted: `L = −(4/${tau})·σ(${tau}·(${shownRatio} − 1))·${asFactor(shownA)} = ${formatNumber(loss)}`,
    sentence:
      advantage === 0
        ? "The advantage is 0: no push either way."
        : `The soft gate passes ${formatNumber(100 * share)} % of the ratio: this step makes the token ` +
          `${advantage > 0 ? "more" : "less"} likely.`,
  };
}
