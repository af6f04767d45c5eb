/**
 * How far a policy has moved from the one that sampled, seen in the importance ratios ρ = π/π_old of a step's tokens: a
 * histogram of log ρ, and for SAPO how far its gates have closed. With one update a rollout every ρ is 1 and there is
 * nothing to see; with several, this is what tells clip, GSPO, CISPO and SAPO apart.
 */
import { importanceRatios, type ObjectiveSettings } from "./objective";

/**
 * Edges of the histogram of log ρ. Bin i holds the tokens with edge i−1 ≤ log ρ < edge i; the first and the last bin
 * are open. The middle bin is "has hardly moved".
 */
export const LOG_RATIO_EDGES = [-1, -0.3, -0.1, -0.03, -0.01, -0.003, 0.003, 0.01, 0.03, 0.1, 0.3, 1] as const;

export interface RatioStatistics {
  readonly tokens: number;
  /** Share of the tokens in each bin. */
  readonly histogram: readonly number[];
  readonly min: number;
  readonly max: number;
  /** SAPO: mean of 4σ(1 − σ), the share of the ratio's slope that the gates let through; null for other surrogates. */
  readonly gate: number | null;
}

/** One response: log-probabilities of its tokens now and when they were sampled (nats). */
export interface RatioRow {
  readonly logp: ArrayLike<number>;
  readonly oldLogp: ArrayLike<number>;
  readonly advantage: number;
}

/** Statistics over all tokens of the rows; null where there is no token. */
export function ratioStatistics(
  rows: readonly RatioRow[],
  { surrogate, level, logRatioLimit }: Pick<ObjectiveSettings, "surrogate" | "level" | "logRatioLimit">,
): RatioStatistics | null {
  const counts = new Array<number>(LOG_RATIO_EDGES.length + 1).fill(0);
  let [tokens, min, max, gates] = [0, Infinity, -Infinity, 0];
  for (const { logp, oldLogp, advantage } of rows) {
    const tau = surrogate.kind === "sapo" ? (advantage > 0 ? surrogate.tauPositive : surrogate.tauNegative) : null;
    for (const ratio of importanceRatios(Array.from(logp), Array.from(oldLogp), level, logRatioLimit)) {
      const bin = binOf(Math.log(ratio));
      counts[bin] = (counts[bin] ?? 0) + 1;
      tokens++;
      min = Math.min(min, ratio);
      max = Math.max(max, ratio);
      if (tau !== null) {
        const gate = 1 / (1 + Math.exp(-tau * (ratio - 1)));
        gates += 4 * gate * (1 - gate);
      }
    }
  }
  if (tokens === 0) return null;
  return {
    tokens,
    histogram: counts.map((count) => count / tokens),
    min,
    max,
    gate: surrogate.kind === "sapo" ? gates / tokens : null,
  };
}

function binOf(logRatio: number): number {
  const above = LOG_RATIO_EDGES.findIndex((edge) => logRatio < edge);
  return above < 0 ? LOG_RATIO_EDGES.length : above;
}
