/** Options and sums of the policy-gradient kernel (kernels.ts `policyLoss`). */

/** The surrogate loss of a token, from its importance ratio ρ and advantage A. Infinity disables a bound. */
export type SurrogateOptions =
  /** −min(ρA, clip(ρ)A), ρ ≤ ratioMax before the clip, and at most −dualClip·A where A < 0. */
  | {
      readonly kind: "clip";
      readonly clipLow: number;
      readonly clipHigh: number;
      readonly ratioMax: number;
      readonly dualClip: number;
    }
  /** −sg(clamp(ρ, ratioLow, ratioHigh))·A·log π: only the weight is clamped, so the gradient remains. */
  | { readonly kind: "cispo"; readonly ratioLow: number; readonly ratioHigh: number }
  /** −(4/τ)·σ(τ(ρ − 1))·A, τ by the sign of A */
  | { readonly kind: "sapo"; readonly tauPositive: number; readonly tauNegative: number };

/** Estimators of KL(π ‖ π_ref) by d = log π − log π_ref: d, |d|, d²/2, exp(−d) − 1 + d. */
export type KlEstimatorName = "k1" | "abs" | "k2" | "k3";

export interface PolicyLossOptions {
  readonly surrogate: SurrogateOptions;
  /** ρ of each token, or exp of the mean log-ratio of its sequence (GSPO). */
  readonly level: "token" | "sequence";
  /** |log π − log π_old| of each token is clamped to this before exp and before the mean (verl: 20); Infinity: off. */
  readonly logRatioClamp: number;
  /** Weight β of the KL estimate against the reference policy; 0: off. */
  readonly beta: number;
  readonly klEstimator: KlEstimatorName;
  /** The exponent of k3 is clamped to ± this (verl: 20); Infinity: off. */
  readonly klExponentClamp: number;
  /** The estimate is clamped to ± this (verl: 10 for k3); Infinity: off. */
  readonly klValueClamp: number;
}

/**
 * Order of the sums `policyLoss` returns in its stats tensor. All but the first are plain sums over the rows with
 * weight ≠ 0:
 *  loss         Σ weight·(surrogate + β·KL estimate)
 *  rows         count of rows with weight ≠ 0
 *  ratio        the ratio used, after logRatioClamp and ratioMax
 *  approxKl     old − new log-probability after logRatioClamp (k1, verl's ppo_kl)
 *  refKl        the KL estimate with its clamps; reported for β = 0 too
 *  clippedLow   clip: advantage < 0 and ratio < 1 − clipLow (TRL's region); cispo: ratio < ratioLow
 *  clippedHigh  clip: advantage > 0 and ratio > 1 + clipHigh; cispo: ratio > ratioHigh
 *  bounded      clip: advantage < 0 and the dual clip or ratioMax bounds the loss
 * A clamp or clip that binds has gradient 0.
 */
export const POLICY_LOSS_STATS = [
  "loss",
  "rows",
  "ratio",
  "approxKl",
  "refKl",
  "clippedLow",
  "clippedHigh",
  "bounded",
] as const;
