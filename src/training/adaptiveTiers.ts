/** Adaptive tiers in a run: their bounds as a setting, and the transitions that a step's factors follow. */
import { z } from "zod";
import { type TransitionShares, withTierFactors } from "../srpo/adaptiveTiers";
import { tierOf } from "../srpo/reward";
import type { RewardConfig } from "../srpo/types";
import type { StepMetrics } from "./records";

const factor = z.number().positive();

export const adaptiveTiersSchema = z.strictObject({
  window: z.number().int().min(1).max(1000).default(20),
  strength: z.number().min(0).max(4).default(0.5),
  bound: z.number().min(1).max(10).default(2),
  factors: z.object({ kept: factor, fixed: factor }).exactOptional(),
});

/**
 * The reward of a step that begins.
 * @param history metrics of the stage's finished steps, oldest first
 */
export function stepReward<Reward extends RewardConfig>(reward: Reward, history: readonly StepMetrics[]): Reward {
  return withTierFactors(reward, history.map(sharesOf));
}

/** The tiers that a step paid, before `effectivenessWeight`; none where they do not adapt. */
export function tierMetrics(reward: RewardConfig): Pick<StepMetrics, "tiers/kept" | "tiers/fixed"> {
  if (reward.adaptiveTiers?.factors === undefined) return {};
  return { "tiers/kept": tierOf(reward, "kept"), "tiers/fixed": tierOf(reward, "fixed") };
}

function sharesOf(step: StepMetrics): TransitionShares {
  return {
    kept: step["transitions/kept"] ?? 0,
    fixed: step["transitions/fixed"] ?? 0,
    stillWrong: step["transitions/stillWrong"] ?? 0,
    spoilt: step["transitions/spoilt"] ?? 0,
  };
}
