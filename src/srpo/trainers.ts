/**
 * The numerics in which SRPO's code and four trainers differ, one row each, read off the commits that
 * golden/grpo_vectors.json and golden/recipe_vectors.json name. Advantages (advantage.ts, advantageEstimators.ts), the
 * objective (objective.ts) and the KL estimates (kl.ts) all read this table.
 */
import type { KlEstimator, Trainer } from "./types";
import type { Whitening } from "./whitening";

export interface TrainerNumerics {
  /** e in A = (r − mean)/(std + e). */
  readonly advantageEpsilon: number;
  /** Over what the estimators `whitened` and `gdpo` take mean and variance of the step (whitening.ts). */
  readonly whitening: Whitening;
  /** |log ρ| is clamped to this before exp; null: not clamped. */
  readonly logRatioLimit: number | null;
  /** ρ is clamped to this before the clip; null: not clamped. */
  readonly ratioMax: number | null;
  /** Dual clip c: the loss of A < 0 is at most −cA; null: off. */
  readonly dualClip: number | null;
  /** The exponent of k3 is clamped to ± this; null: not clamped. */
  readonly klExponentLimit: number | null;
  /** An estimate is clamped to ± this; an estimator that is not named is not clamped. */
  readonly klValueLimit: Readonly<Partial<Record<KlEstimator, number>>>;
}

const verl: TrainerNumerics = {
  advantageEpsilon: 1e-6,
  whitening: "tokens",
  logRatioLimit: 20,
  ratioMax: null,
  dualClip: 3,
  klExponentLimit: 20,
  klValueLimit: { k3: 10 },
};

export const TRAINER_NUMERICS: Readonly<Record<Trainer, TrainerNumerics>> = {
  // SRPO's code is built on OpenRLHF and clamps the ratio at 3. Departures: e is 1e-4 (advantage.ts says why); the KL
  // clamps and the whitening are verl's, because the paper trains without either.
  srpo: { ...verl, advantageEpsilon: 1e-4, ratioMax: 3, dualClip: null },
  trl: {
    advantageEpsilon: 1e-4,
    whitening: "responses",
    logRatioLimit: null,
    ratioMax: null,
    dualClip: null,
    klExponentLimit: null,
    klValueLimit: {},
  },
  verl,
  easyr1: verl,
  openrlhf: {
    advantageEpsilon: 1e-9,
    whitening: "tokens-population",
    logRatioLimit: 20,
    ratioMax: null,
    dualClip: null,
    klExponentLimit: null,
    klValueLimit: { k1: 10, abs: 10, k2: 10, k3: 10 },
  },
};
