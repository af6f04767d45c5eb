/**
 * Recipes: everything that tells one method from another, as data, each value with its source. SRPO and plain GRPO; a
 * recipe with a new mechanism adds to `Surrogate`, the aggregations or the advantage estimators, and a record here.
 */

import type { Aggregation } from "./aggregation";
import type { KlEstimator } from "./kl";
import type { ObjectiveSettings } from "./objective";
import { type AccuracyBand, PAPER_BAND } from "./onlineFilter";
import { defaultRewardConfig } from "./reward";
import type { Surrogate } from "./surrogate";
import type { AdvantagePreset, RewardConfig } from "./types";

export type RecipeName = "srpo" | "grpo";

export interface RecipeSettings {
  /** Reflection SFT before the reinforcement. */
  readonly coldStart: boolean;
  readonly reward: RewardConfig;
  readonly advantages: AdvantagePreset;
  readonly surrogate: Surrogate;
  readonly logRatioLimit: number | null;
  readonly aggregation: Aggregation;
  readonly beta: number;
  readonly klEstimator: KlEstimator;
  readonly groupSize: number;
  readonly temperature: number;
  readonly onlineFilter: AccuracyBand | null;
  /** At full size; the nano policy's learning rate is a setting of its own. */
  readonly learningRate: number;
}

export interface Recipe {
  readonly name: RecipeName;
  readonly title: string;
  /** One sentence for a chooser. */
  readonly summary: string;
  readonly settings: RecipeSettings;
  /** Where each value comes from. */
  readonly sources: Readonly<Record<keyof RecipeSettings, string>>;
}

const clip: Extract<Surrogate, { kind: "clip" }> = {
  kind: "clip",
  clipLow: 0.2,
  clipHigh: 0.2,
  ratioMax: null,
  dualClip: null,
};

const srpo: Recipe = {
  name: "srpo",
  title: "SRPO",
  summary: "Teaches reflection first, then rewards reflections by what they do to the answer.",
  settings: {
    coldStart: true,
    reward: defaultRewardConfig,
    advantages: "srpo",
    surrogate: { ...clip, ratioMax: 3 },
    logRatioLimit: 20,
    aggregation: "seq-mean-token-mean",
    beta: 0,
    klEstimator: "k3",
    groupSize: 8,
    temperature: 1,
    onlineFilter: PAPER_BAND,
    learningRate: 1e-6,
  },
  sources: {
    coldStart: "SRPO (arXiv 2506.01713v3), section 3.2",
    reward: "SRPO, section 3.3; variant paper",
    advantages: "SRPO, section 3.3; e is ours (advantage.ts)",
    surrogate: "SRPO's experiments: clip 0.2; the released code clamps the ratio at 3",
    logRatioLimit: "verl, EasyR1, OpenRLHF",
    aggregation: "GRPO (DeepSeekMath), equation of the objective",
    beta: "SRPO's experiments run without KL",
    klEstimator: "SRPO's text names k3",
    groupSize: "SRPO's experiments",
    temperature: "SRPO's experiments",
    onlineFilter: "SRPO's experiments, after MM-Eureka",
    learningRate: "SRPO's experiments",
  },
};

const grpo: Recipe = {
  name: "grpo",
  title: "GRPO",
  summary: "Rewards format and first answer only; a reflection is worth nothing in itself.",
  settings: {
    ...srpo.settings,
    coldStart: false,
    reward: { ...defaultRewardConfig, effectivenessWeight: 0, reflectionFormatWeight: 0, lengthWeight: 0 },
    advantages: "trl",
    surrogate: clip,
    logRatioLimit: null,
    beta: 0.04,
    onlineFilter: null,
  },
  sources: {
    coldStart: "GRPO starts from the policy as it is",
    reward: "R_task alone, on the same response format, so that runs compare",
    advantages: "TRL's GRPO trainer",
    surrogate: "DeepSeekMath: clip 0.2",
    logRatioLimit: "TRL: none",
    aggregation: "DeepSeekMath: mean over sequences of token means",
    beta: "DeepSeekMath: 0.04 (DeepSeek-R1: 0.001)",
    klEstimator: "DeepSeekMath: k3",
    groupSize: "8, within DeepSeekMath's and R1's 8–64; as SRPO's, so that runs compare",
    temperature: "1, as SRPO's, so that runs compare",
    onlineFilter: "none in GRPO",
    learningRate: "1e-6, as SRPO's, so that runs compare",
  },
};

export const RECIPES: Readonly<Record<RecipeName, Recipe>> = { srpo, grpo };

/** The objective a recipe minimises (objective.ts). */
export function objectiveOf({
  surrogate,
  logRatioLimit,
  aggregation,
  beta,
  klEstimator,
  advantages,
}: RecipeSettings): ObjectiveSettings {
  return { surrogate, level: "token", logRatioLimit, aggregation, beta, klEstimator, trainer: advantages };
}
