/**
 * Recipes: everything that tells one method from another, as data, each value with its source. The settings' defaults,
 * `--recipe` and `srpo recipes` come from these records; the loss kernels get them through the settings. A recipe with
 * a new mechanism adds to the surrogates, aggregations or advantage estimators, and a record here.
 */
import type { AdvantageEstimator } from "./advantageEstimators";
import type { Aggregation } from "./aggregation";
import type { FailureOptions } from "./failureBuffer";
import type { RethinkingOptions } from "./forcedRethinking";
import { type GroupFilter, PAPER_BAND } from "./onlineFilter";
import { defaultRewardConfig } from "./reward";
import type { ReplayOptions } from "./sampleReplay";
import type { SurrogateKind } from "./surrogate";
import type { KlEstimator, RewardConfig, Trainer } from "./types";

export const RECIPE_NAMES = ["srpo", "grpo"] as const;
export type RecipeName = (typeof RECIPE_NAMES)[number];

/** Ratio of each token, or one ratio a sequence (GSPO). */
export const RATIO_LEVELS = ["token", "sequence"] as const;
export type RatioLevel = (typeof RATIO_LEVELS)[number];

/** What of a run's settings makes its objective; flat, so that a link, a run file or a knob can change one number. */
export interface PolicyGradientSettings {
  /** Whose advantages, clamps and dual clip (trainers.ts). */
  readonly preset: Trainer;
  readonly surrogate: SurrogateKind;
  readonly ratioLevel: RatioLevel;
  /** clip: ρ is clipped to [1 − clipLow, 1 + clipHigh]. */
  readonly clipLow: number;
  readonly clipHigh: number;
  /** clip: ρ is clamped to this before the clip; null: as the preset has it. */
  readonly ratioMax: number | null;
  /** clip: the loss of A < 0 is at most −c·A; null: as the preset has it. */
  readonly dualClip: number | null;
  /** cispo: ρ is clamped to [cispoLow, cispoHigh]. */
  readonly cispoLow: number;
  readonly cispoHigh: number;
  /** sapo: temperature of the gate for A > 0 and for A ≤ 0. */
  readonly tauPositive: number;
  readonly tauNegative: number;
  readonly aggregation: Aggregation;
  /** Weight of the KL term; 0: none. */
  readonly beta: number;
  readonly klEstimator: KlEstimator;
  readonly klPlacement: KlPlacement;
}

/** A term of the loss, or a penalty on each response's reward (klPenalty.ts). */
export const KL_PLACEMENTS = ["loss", "reward"] as const;
export type KlPlacement = (typeof KL_PLACEMENTS)[number];

/**
 * Progressive thinking suppression (Vision-R1): a number of steps with their own longest response and group size. What
 * a stage leaves out is as in the rest of the settings.
 */
export interface RecipeStage {
  readonly steps: number;
  readonly maxNewTokens: number;
  readonly groupSize: number;
  readonly beta: number;
}

/** The part of a recipe that lies in the settings' `grpo` section. */
export interface GrpoRecipe extends PolicyGradientSettings {
  readonly advantage: AdvantageEstimator;
  readonly groupSize: number;
  /** Optimiser updates over one rollout: minibatches, and passes over all of them. */
  readonly updatesPerRollout: number;
  readonly epochs: number;
  /** Leave responses that ran into the length limit out of the loss. */
  readonly maskTruncated: boolean;
  readonly onlineFilter: GroupFilter;
  /** How often a step draws further problems for the groups that the filter left out; 0: never. */
  readonly refills: number;
  /** Selective sample replay; null: none. */
  readonly replay: ReplayOptions | null;
  /** Forced rethinking; null: none. */
  readonly rethinking: RethinkingOptions | null;
  /** Groups that begin after an earlier first solution; null: none. */
  readonly failures: FailureOptions | null;
  /** Stages of the run, in order; none: one stage. The last one goes on to the end. */
  readonly stages: readonly RecipeStage[];
}

export interface RecipeSettings {
  readonly reward: RewardConfig;
  readonly temperature: number;
  readonly grpo: GrpoRecipe;
}

/** A source for every value: one sentence for each key. */
type Sources<T> = { readonly [K in keyof T]: string };

export interface Recipe {
  readonly name: RecipeName;
  readonly title: string;
  /** One sentence: `srpo recipes`, `config --explain`. */
  readonly summary: string;
  /** Does reflection SFT come before the reinforcement? */
  readonly coldStart: boolean;
  readonly settings: RecipeSettings;
  readonly sources: Sources<Omit<RecipeSettings, "grpo">> & { readonly grpo: Sources<GrpoRecipe> };
  /** Where the nano policy departs from the source, and why; empty where it does not. */
  readonly nano: { readonly grpo: Partial<GrpoRecipe>; readonly why: string };
}

const srpo: Recipe = {
  name: "srpo",
  title: "SRPO",
  summary: "Teaches reflection first, then rewards reflections by what they do to the answer.",
  coldStart: true,
  settings: {
    reward: defaultRewardConfig,
    temperature: 1,
    grpo: {
      preset: "srpo",
      surrogate: "clip",
      ratioLevel: "token",
      clipLow: 0.2,
      clipHigh: 0.2,
      ratioMax: null,
      dualClip: null,
      cispoLow: 0,
      cispoHigh: 5,
      tauPositive: 1,
      tauNegative: 1.05,
      aggregation: "seq-mean-token-mean",
      beta: 0,
      klEstimator: "k3",
      klPlacement: "loss",
      advantage: "group",
      groupSize: 8,
      updatesPerRollout: 8,
      epochs: 1,
      maskTruncated: false,
      onlineFilter: PAPER_BAND,
      refills: 0,
      replay: null,
      rethinking: null,
      failures: null,
      stages: [],
    },
  },
  sources: {
    reward: "SRPO (arXiv 2506.01713v3), section 3.3; variant paper",
    temperature: "SRPO's experiments",
    grpo: {
      preset: "SRPO, section 3.3, and its released code, which clamps the ratio at 3; e is ours (advantage.ts)",
      surrogate: "SRPO's experiments: GRPO's clip",
      ratioLevel: "GRPO (DeepSeekMath): one ratio a token",
      clipLow: "SRPO's experiments: clip 0.2",
      clipHigh: "SRPO's experiments: clip 0.2",
      ratioMax: "the preset's: 3 in SRPO's released code",
      dualClip: "the preset's: none",
      cispoLow: "not used by clip; TRL's CISPO clamps above only",
      cispoHigh: "not used by clip; ScaleRL's cap of 5",
      tauPositive: "not used by clip; SAPO: 1",
      tauNegative: "not used by clip; SAPO: 1.05",
      aggregation: "GRPO (DeepSeekMath), equation 3: mean over sequences of token means",
      beta: "SRPO's experiments run without KL",
      klEstimator: "SRPO's text names k3",
      klPlacement: "GRPO: in the loss",
      advantage: "GRPO (DeepSeekMath), section 4.1: (r − mean)/std within the group",
      groupSize: "SRPO's experiments",
      updatesPerRollout: "SRPO's released script: 128 prompts × 8 responses in batches of 128",
      epochs: "one pass over each rollout",
      maskTruncated: "SRPO trains on truncated responses too",
      onlineFilter:
        "SRPO's experiments, after MM-Eureka; first answers, as the text says (the released filter reads " +
        "the tiered accuracy, so that a group that is all right before and after stays)",
      refills: "none is described",
      replay: "none",
      rethinking: "none: its policy reflects by itself after the cold start",
      failures: "none",
      stages: "one stage",
    },
  },
  nano: {
    grpo: { onlineFilter: null, updatesPerRollout: 1 },
    why:
      "A step of 16 problems has too few mixed groups once the policy is good, and groups that are all right " +
      "still teach what a reflection should do; one update a step keeps it on-policy, so that every number of a step " +
      "can be followed by hand. docs/learning.md was measured so.",
  },
};

const grpo: Recipe = {
  name: "grpo",
  title: "GRPO",
  summary: "Rewards format and first answer only; a reflection is worth nothing in itself.",
  coldStart: false,
  settings: {
    reward: { ...defaultRewardConfig, effectivenessWeight: 0, reflectionFormatWeight: 0, lengthWeight: 0 },
    temperature: 1,
    grpo: { ...srpo.settings.grpo, preset: "trl", beta: 0.04, updatesPerRollout: 1, onlineFilter: null },
  },
  sources: {
    reward: "R_task alone, on the same response format, so that runs compare",
    temperature: "1, as SRPO's, so that runs compare",
    grpo: {
      ...srpo.sources.grpo,
      preset: "TRL's GRPO trainer: no ratio clamp, no dual clip, no clamp of the log-ratio",
      surrogate: "DeepSeekMath, equation 3: the clipped surrogate",
      clipLow: "TRL's default, 0.2; DeepSeekMath gives no value",
      clipHigh: "TRL's default, 0.2; DeepSeekMath gives no value",
      ratioMax: "the preset's: none",
      beta: "DeepSeekMath: 0.04 (DeepSeek-R1: 0.001)",
      klEstimator: "DeepSeekMath, equation 4: k3",
      groupSize: "8, as SRPO's, so that runs compare (DeepSeekMath: 64)",
      updatesPerRollout: "DeepSeekMath: one update a rollout of 1,024 responses",
      onlineFilter: "GRPO has none",
    },
  },
  nano: { grpo: {}, why: "" },
};

export const RECIPES: Readonly<Record<RecipeName, Recipe>> = { srpo, grpo };

/** A recipe's settings for the nano policy: the source's, with the departures that the record names. */
export function nanoSettings({ settings, nano }: Recipe): RecipeSettings {
  return { ...settings, grpo: { ...settings.grpo, ...nano.grpo } };
}
