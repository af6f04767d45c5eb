/**
 * Estimators of KL(π ‖ π_ref) from one token's log-probabilities, d = log π − log π_ref (Schulman, "Approximating KL
 * divergence"): k1 = d, k2 = d²/2, k3 = exp(−d) − 1 + d. The SRPO text names k3.
 * Clamps follow the trainers: TRL none; verl and EasyR1 clamp the exponent of k3 to ±20 and k3 to ±10; OpenRLHF clamps
 * every estimator to ±10. `srpo` takes verl's.
 */
import { TRAINER_NUMERICS } from "./trainers";
import type { KlEstimator, Trainer } from "./types";

/** The estimate in nats and its derivative by log π (0 where a clamp holds). */
export interface KlEstimate {
  readonly value: number;
  readonly slope: number;
}

export function estimateKl(logp: number, refLogp: number, estimator: KlEstimator, trainer: Trainer): KlEstimate {
  const { klExponentLimit, klValueLimit } = TRAINER_NUMERICS[trainer];
  const plain = unclamped(logp - refLogp, estimator, klExponentLimit ?? Infinity);
  const limit = klValueLimit[estimator] ?? Infinity;
  return Math.abs(plain.value) <= limit ? plain : { value: Math.sign(plain.value) * limit, slope: 0 };
}

function unclamped(d: number, estimator: KlEstimator, limit: number): KlEstimate {
  switch (estimator) {
    case "k1":
      return { value: d, slope: 1 };
    case "abs":
      return { value: Math.abs(d), slope: Math.sign(d) };
    case "k2":
      return { value: (d * d) / 2, slope: d };
    case "k3": {
      const clamped = Math.abs(d) > limit;
      const exponent = clamped ? -Math.sign(d) * limit : -d;
      return { value: Math.exp(exponent) - exponent - 1, slope: clamped ? 0 : 1 - Math.exp(exponent) };
    }
    default:
      return unknownEstimator(estimator);
  }
}

function unknownEstimator(estimator: never): never {
  throw new RangeError(`Unknown KL estimator ${JSON.stringify(estimator)}; expected k1, abs, k2 or k3.`);
}
