/** What a recipe is: the parts of a run's settings that tell one method from another, and a source for each value. */
import type { AdvantageEstimator } from "../advantageEstimators";
import type { Aggregation } from "../aggregation";
import type { FailureOptions } from "../failureBuffer";
import type { RethinkingOptions } from "../forcedRethinking";
import type { GroupFilter } from "../onlineFilter";
import { defaultRewardConfig } from "../reward";
import type { ReplayOptions } from "../sampleReplay";
import type { SurrogateKind } from "../surrogate";
import type { KlEstimator, RewardConfig, Trainer } from "../types";

export const RECIPE_NAMES = [
  "srpo",
  "grpo",
  "deepseek-r1",
  "dapo",
  "dr-grpo",
  "gspo",
  "cispo",
  "sapo",
  "rloo",
  "reinforce-plus-plus-baseline",
  "gdpo",
  "mm-eureka",
  "vision-r1",
  "vl-rethinker",
  "vrrl",
] as const;
export type RecipeName = (typeof RECIPE_NAMES)[number];

/** Ratio of each token, or one ratio a sequence (GSPO). */
export const RATIO_LEVELS = ["token", "sequence"] as const;
export type RatioLevel = (typeof RATIO_LEVELS)[number];

/** A number; "none": switched off; null: as the preset has it. */
export type Bound = number | "none" | null;

/** What of a run's settings makes its objective; flat, so that a link, a run file or a knob can change one number. */
export interface PolicyGradientSettings {
  /** Whose advantages, clamps and dual clip (trainers.ts). */
  readonly preset: Trainer;
  readonly surrogate: SurrogateKind;
  readonly ratioLevel: RatioLevel;
  /** clip: ρ is clipped to [1 − clipLow, 1 + clipHigh]. */
  readonly clipLow: number;
  readonly clipHigh: number;
  /** clip: ρ is clamped to this before the clip. */
  readonly ratioMax: Bound;
  /** clip: the loss of A < 0 is at most −c·A. */
  readonly dualClip: Bound;
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

/** Terms of one's own are the user's: no recipe decides them. */
export type RecipeReward = Omit<RewardConfig, "customTerms">;

const { customTerms: _own, ...paperReward } = defaultRewardConfig;
/** The paper's reward, as a recipe holds it. */
export const PAPER_REWARD: RecipeReward = paperReward;

export interface RecipeSettings {
  readonly reward: RecipeReward;
  readonly temperature: number;
  readonly grpo: GrpoRecipe;
}

/** A source for every value: one sentence for each key. */
export type Sources<T> = { readonly [K in keyof T]: string };

export interface Recipe {
  readonly name: RecipeName;
  readonly title: string;
  /** One sentence: `srpo recipes`, `config --explain`, the page. */
  readonly summary: string;
  /** Does SFT on reflections or worked solutions come before the reinforcement at the source? */
  readonly coldStart: boolean;
  /** The values of the source, at its full size. */
  readonly settings: RecipeSettings;
  readonly sources: Sources<Omit<RecipeSettings, "grpo">> & {
    readonly coldStart: string;
    readonly grpo: Sources<GrpoRecipe>;
  };
  /** Where the nano policy departs from the source, and why, key by key and in one text; empty where it does not. */
  readonly nano: {
    /** Absent where it is the source's. */
    readonly coldStart?: boolean;
    readonly grpo: Partial<GrpoRecipe>;
    readonly whys: Partial<Sources<GrpoRecipe & { readonly coldStart: boolean }>>;
    readonly why: string;
  };
}
