/**
 * Reference arithmetic of the policy-gradient objective, in float64 and token by token: the loss, d loss / d log π of
 * every token, and the metrics trainers print. The tensor kernel is tested against it; the page explains with it.
 *
 *   loss = Σ_tokens w · ( surrogate(ρ, A, log π) + β · KL(log π, log π_ref) )
 *
 * with w from `rowWeights`, ρ = π/π_old per token, or (GSPO) the geometric mean of the sequence's ratios, and log ρ
 * clamped as the preset says (trainers.ts).
 *
 * Departure from TRL: only response tokens are ever looked at (rows are cut at their length before any exp), so one
 * masked outlier cannot make the loss NaN.
 */
import { type Aggregation, rowWeights } from "./aggregation";
import { estimateKl } from "./kl";
import type { Bound, PolicyGradientSettings, RatioLevel } from "./recipes/record";
import { type Surrogate, surrogateLoss, type TokenLoss } from "./surrogate";
import { TRAINER_NUMERICS } from "./trainers";
import type { KlEstimator, Trainer } from "./types";

export interface ObjectiveSettings {
  readonly surrogate: Surrogate;
  readonly level: RatioLevel;
  /** |log ρ| is clamped here; null leaves it (TRL). */
  readonly logRatioLimit: number | null;
  readonly aggregation: Aggregation;
  /** For `seq-mean-token-sum-norm`. */
  readonly horizon?: number;
  readonly beta: number;
  readonly klEstimator: KlEstimator;
  /** Whose clamps of the KL estimate. */
  readonly trainer: Trainer;
}

/**
 * The objective of a run's settings: what they leave to the preset is filled in. Its β is 0 where the KL term lies in
 * the reward (klPenalty.ts).
 * @param horizon constant length of `seq-mean-token-sum-norm`: the longest response the settings allow
 */
export function objectiveOf(settings: PolicyGradientSettings, horizon: number): ObjectiveSettings {
  const { preset, ratioLevel, aggregation, klEstimator } = settings;
  const beta = settings.klPlacement === "loss" ? settings.beta : 0;
  const { logRatioLimit } = TRAINER_NUMERICS[preset];
  const surrogate = surrogateOf(settings);
  return { surrogate, level: ratioLevel, logRatioLimit, aggregation, horizon, beta, klEstimator, trainer: preset };
}

/** The surrogate of a run's settings. */
export function surrogateOf(settings: PolicyGradientSettings): Surrogate {
  const { clipLow, clipHigh, cispoLow, cispoHigh, tauPositive, tauNegative } = settings;
  const { ratioMax, dualClip } = TRAINER_NUMERICS[settings.preset];
  switch (settings.surrogate) {
    case "clip":
      return {
        kind: "clip",
        clipLow,
        clipHigh,
        ratioMax: boundOf(settings.ratioMax, ratioMax),
        dualClip: boundOf(settings.dualClip, dualClip),
      };
    case "cispo":
      return { kind: "cispo", ratioLow: cispoLow, ratioHigh: cispoHigh };
    case "sapo":
      return { kind: "sapo", tauPositive, tauNegative };
    default:
      return settings.surrogate satisfies never;
  }
}

/** A bound of the settings: its own number, none, or the preset's. */
function boundOf(bound: Bound, preset: number | null): number | null {
  return bound === "none" ? null : (bound ?? preset);
}

/** One response. Arrays may be longer than `length` (padding): what lies beyond is never read. */
export interface ObjectiveRow {
  readonly length: number;
  readonly logp: ArrayLike<number>;
  readonly oldLogp: ArrayLike<number>;
  /** Needed where β > 0. */
  readonly refLogp?: ArrayLike<number>;
  readonly advantage: number;
}

export interface ObjectiveResult {
  readonly loss: number;
  /** d loss / d log π, one array a row, `length` entries each. */
  readonly gradient: readonly (readonly number[])[];
  /** Euclidean norm of `gradient`. */
  readonly gradNorm: number;
  /** Per token: the ratio used, and its loss before weighting, KL included. */
  readonly ratios: readonly (readonly number[])[];
  readonly tokenLosses: readonly (readonly number[])[];
  readonly metrics: ObjectiveMetrics;
}

/** Means over all response tokens of the step. */
export interface ObjectiveMetrics {
  readonly clipLow: number;
  readonly clipHigh: number;
  /** Bounded by the dual clip or the ratio clamp. */
  readonly bounded: number;
  /** k1 estimate of KL(π_old ‖ π): mean of log π_old − log π. */
  readonly ppoKl: number;
  /** Mean KL estimate to the reference; 0 where β = 0. */
  readonly kl: number;
  /** Over rows: the least share of tokens clipped low, the greatest clipped high. */
  readonly clipLowMin: number;
  readonly clipHighMax: number;
}

/** @throws RangeError for a row shorter than its length, or β > 0 without reference log-probabilities */
export function evaluateObjective(rows: readonly ObjectiveRow[], settings: ObjectiveSettings): ObjectiveResult {
  rows.forEach((row, i) => checkRow(row, i, settings.beta));
  const weights = rowWeights(
    rows.map((r) => r.length),
    settings.aggregation,
    settings.horizon === undefined ? {} : { horizon: settings.horizon },
  );
  const evaluated = rows.map((row, i) => evaluateRow(row, weights[i] ?? 0, settings));
  const tokens = evaluated.flatMap((row) => row.tokens);
  const share = (counts: (t: TokenLoss) => boolean): number => meanOver(tokens, (t) => (counts(t) ? 1 : 0));
  const rowShares = (counts: (t: TokenLoss) => boolean): number[] =>
    evaluated.map((row) => meanOver(row.tokens, (t) => (counts(t) ? 1 : 0)));
  const gradient = evaluated.map((row) => row.gradient);
  return {
    loss: evaluated.reduce((sum, row, i) => sum + (weights[i] ?? 0) * row.losses.reduce((a, b) => a + b, 0), 0),
    gradient,
    gradNorm: Math.sqrt(gradient.flat().reduce((sum, g) => sum + g * g, 0)),
    ratios: evaluated.map((row) => row.ratios),
    tokenLosses: evaluated.map((row) => row.losses),
    metrics: {
      clipLow: share((t) => t.clippedLow),
      clipHigh: share((t) => t.clippedHigh),
      bounded: share((t) => t.bounded),
      ppoKl: meanOver(
        evaluated.flatMap((row) => row.logRatios),
        (d) => -d,
      ),
      kl: meanOver(
        evaluated.flatMap((row) => row.kls),
        (kl) => kl,
      ),
      clipLowMin: rows.length === 0 ? 0 : Math.min(...rowShares((t) => t.clippedLow)),
      clipHighMax: rows.length === 0 ? 0 : Math.max(...rowShares((t) => t.clippedHigh)),
    },
  };
}

/** ρ of each token of a row. At sequence level all are exp of the mean log-ratio (GSPO). */
export function importanceRatios(
  logp: readonly number[],
  oldLogp: readonly number[],
  level: RatioLevel,
  logRatioLimit: number | null,
): readonly number[] {
  const logRatios = logp.map((p, t) => clampTo(p - (oldLogp[t] ?? NaN), logRatioLimit));
  if (level === "token") return logRatios.map(Math.exp);
  const ratio = Math.exp(meanOver(logRatios, (d) => d));
  return logRatios.map(() => ratio);
}

function evaluateRow(row: ObjectiveRow, weight: number, settings: ObjectiveSettings) {
  const logp = Array.from({ length: row.length }, (_, t) => row.logp[t] ?? NaN);
  const oldLogp = Array.from({ length: row.length }, (_, t) => row.oldLogp[t] ?? NaN);
  const limit = settings.logRatioLimit;
  const clamped = logp.map((p, t) => limit !== null && Math.abs(p - (oldLogp[t] ?? NaN)) > limit);
  const ratios = importanceRatios(logp, oldLogp, settings.level, limit);
  const tokens = logp.map((p, t) => surrogateLoss(ratios[t] ?? NaN, row.advantage, p, settings.surrogate));
  const kls = logp.map((p, t) =>
    settings.beta === 0
      ? { value: 0, slope: 0 }
      : estimateKl(p, row.refLogp?.[t] ?? NaN, settings.klEstimator, settings.trainer),
  );
  // At sequence level every token of the row shares one ratio, so row.length equal slopes each reach 1/row.length of
  // every token: the same slope again, as in the token case.
  const gradient = tokens.map(
    (token, t) =>
      weight *
      ((clamped[t] && settings.surrogate.kind !== "cispo" ? 0 : token.slope) + settings.beta * (kls[t]?.slope ?? 0)),
  );
  return {
    tokens,
    gradient,
    ratios,
    logRatios: logp.map((p, t) => clampTo(p - (oldLogp[t] ?? NaN), limit)),
    losses: tokens.map((token, t) => token.loss + settings.beta * (kls[t]?.value ?? 0)),
    kls: kls.map((k) => k.value),
  };
}

function checkRow(row: ObjectiveRow, index: number, beta: number): void {
  for (const [name, values] of [
    ["logp", row.logp],
    ["oldLogp", row.oldLogp],
  ] as const) {
    if (values.length < row.length)
      throw new RangeError(`Row ${index} has ${row.length} tokens, but ${name} holds ${values.length}.`);
  }
  if (beta !== 0 && (row.refLogp?.length ?? 0) < row.length) {
    throw new RangeError(
      `Row ${index} has ${row.length} tokens, but refLogp holds ${row.refLogp?.length ?? 0}; beta ${beta} needs the ` +
        "reference policy's log-probabilities.",
    );
  }
}

function clampTo(value: number, limit: number | null): number {
  return limit === null ? value : Math.min(Math.max(value, -limit), limit);
}

function meanOver<T>(values: readonly T[], value: (v: T) => number): number {
  return values.length === 0 ? 0 : values.reduce((sum, v) => sum + value(v), 0) / values.length;
}
