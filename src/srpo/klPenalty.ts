/**
 * KL as a penalty on the reward, r − β·Σ_t KL_t, where RLOO and REINFORCE++ have it: the estimates of a response's
 * tokens, summed, between the policy that sampled it and the reference. (TRL's RLOO trainer subtracts this sum from the
 * response's reward; verl's `apply_kl_penalty` spreads it over the tokens, which estimators over whole responses sum
 * again.)
 */
import { estimateKl } from "./kl";
import type { KlEstimator, Trainer } from "./types";

/**
 * Σ_t KL_t in nats.
 * @param logp of the response's tokens under the policy that sampled them
 * @param refLogp under the reference, as long
 * @throws RangeError where the lengths differ
 */
export function responseKl(
  logp: ArrayLike<number>,
  refLogp: ArrayLike<number>,
  estimator: KlEstimator,
  trainer: Trainer,
): number {
  if (logp.length !== refLogp.length)
    throw new RangeError(`A response has ${logp.length} log-probabilities, and ${refLogp.length} under the reference.`);
  return Array.from(logp).reduce((sum, p, t) => sum + estimateKl(p, refLogp[t] ?? NaN, estimator, trainer).value, 0);
}
