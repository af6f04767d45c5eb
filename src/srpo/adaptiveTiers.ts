/**
 * Adaptive tiers of I_eff: the pay of *kept* (right→right) and *fixed* (wrong→right) follows the policy, scaled by how
 * rare each is among the transitions of the last steps. Not in the paper; off by default.
 *
 *   share_t  = responses of the window with transition t / responses of the window with any transition
 *   factor_t = clamp((¼ / max(share_t, ε))^strength, 1/bound, bound),  t = kept, fixed
 *   tier_t   = factor_t · the tier of the settings
 *
 * A quarter is the share of four equally frequent transitions: there, and with nothing seen yet, the factor is 1. The
 * tiers of *still wrong* and *spoilt* stay, so that spoiling never becomes cheaper. A step keeps the factors that it
 * began with: they lie in its own reward settings, and `tierOf` (reward.ts) pays by them.
 */
import { type AdaptiveTiers, type RewardConfig, type TierFactors, TRANSITIONS, type Transition } from "./types";

export type TransitionShares = Readonly<Record<Transition, number>>;

/** Share below which a transition counts as this rare. */
const EPSILON = 1e-6;

/**
 * The factors after the steps of the window.
 * @param steps each step's shares of the transitions among all its responses, oldest first; steps count alike
 */
export function tierFactors(
  steps: readonly TransitionShares[],
  { window, strength, bound }: AdaptiveTiers,
): TierFactors {
  const counted = steps.slice(Math.max(0, steps.length - window));
  const sum = (transition: Transition): number => counted.reduce((total, shares) => total + shares[transition], 0);
  const all = TRANSITIONS.reduce((total, transition) => total + sum(transition), 0);
  const factor = (transition: Transition): number => {
    if (all === 0) return 1;
    const rarity = (0.25 / Math.max(sum(transition) / all, EPSILON)) ** strength;
    return Math.min(bound, Math.max(1 / bound, rarity));
  };
  return { kept: factor("kept"), fixed: factor("fixed") };
}

/** The reward of a step that begins after these steps: its factors are frozen into it. */
export function withTierFactors<Reward extends RewardConfig>(
  reward: Reward,
  steps: readonly TransitionShares[],
): Reward {
  const { adaptiveTiers } = reward;
  if (adaptiveTiers === null) return reward;
  return { ...reward, adaptiveTiers: { ...adaptiveTiers, factors: tierFactors(steps, adaptiveTiers) } };
}

/** Why adaptive tiers cannot act on a reward; null where they can. */
export function tiersRefusal({
  variant,
  effectivenessWeight,
}: Pick<RewardConfig, "variant" | "effectivenessWeight">): string | null {
  if (variant !== "paper")
    return `scales the tiers of I_eff, which the variant ${variant} does not have: use paper, or set this to null`;
  if (effectivenessWeight === 0)
    return "scales the tiers of I_eff, which effectivenessWeight 0 turns off: raise that weight, or set this to null";
  return null;
}
