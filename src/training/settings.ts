/**
 * Everything that decides a run. Parsed by one schema at every edge (link, message, file, command line), which also
 * bounds what a run may hold (bounds.ts). Defaults are the nano policy's; what a run with them learns is measured in
 * docs/learning.md.
 */
import { z } from "zod";
import { tiersRefusal } from "../srpo/adaptiveTiers";
import { ADVANTAGE_ESTIMATORS } from "../srpo/advantageEstimators";
import { AGGREGATIONS } from "../srpo/aggregation";
import type { FailureOptions } from "../srpo/failureBuffer";
import type { RethinkingOptions } from "../srpo/forcedRethinking";
import { expressionFault, MAX_TERMS, nameFault } from "../srpo/language/customTerms";
import { KL_PLACEMENTS, nanoSettings, RATIO_LEVELS, RECIPES, type RecipeSettings } from "../srpo/recipe";
import { defaultRewardConfig } from "../srpo/reward";
import type { ReplayOptions } from "../srpo/sampleReplay";
import { SURROGATE_KINDS } from "../srpo/surrogate";
import { KL_ESTIMATORS, LENGTH_SHAPES, REWARD_VARIANTS, type RewardConfig, TRAINERS } from "../srpo/types";
import { FAMILY_NAMES } from "../tasks/problem";
import { adaptiveTiersSchema } from "./adaptiveTiers";
import { BOUNDS, overLimits, RUN_LIMITS } from "./bounds";
import { reflectionFormSchema } from "./reflectionForm";

/** The defaults are SRPO's recipe, at the nano policy's scale. */
const defaults: RecipeSettings = nanoSettings(RECIPES.srpo);

const tiers = z.object({ kept: z.number(), fixed: z.number(), stillWrong: z.number(), spoilt: z.number() });

/** Terms of one's own: the expression is parsed here, so no settings hold one that cannot be computed. */
const customTermsSchema = z
  .array(
    z.object({
      name: z.string().superRefine((name, context) => {
        const fault = nameFault(name);
        if (fault !== null) context.addIssue({ code: "custom", message: fault });
      }),
      expression: z.string().superRefine((expression, context) => {
        const fault = expressionFault(expression);
        if (fault !== null) context.addIssue({ code: "custom", message: fault });
      }),
      weight: z.number().min(-100).max(100).default(1),
    }),
  )
  .max(MAX_TERMS, `at most ${MAX_TERMS} terms of one's own`)
  .refine((terms) => new Set(terms.map(({ name }) => name)).size === terms.length, "two terms have the same name");

export const rewardSchema = z
  .object({
    variant: z.enum(REWARD_VARIANTS).default(defaults.reward.variant),
    formatWeight: z.number().default(defaults.reward.formatWeight),
    accuracyWeight: z.number().default(defaults.reward.accuracyWeight),
    effectiveness: tiers.default(defaults.reward.effectiveness),
    effectivenessWeight: z.number().default(defaults.reward.effectivenessWeight),
    reflectionFormatWeight: z.number().default(defaults.reward.reflectionFormatWeight),
    lengthWeight: z.number().default(defaults.reward.lengthWeight),
    lengthShape: z.enum(LENGTH_SHAPES).default(defaults.reward.lengthShape),
    targetFactor: z.number().positive().default(defaults.reward.targetFactor),
    maxFactor: z.number().positive().default(defaults.reward.maxFactor),
    overlongWeight: z.number().min(0).max(100).default(defaults.reward.overlongWeight),
    overlongCache: z.number().min(0).max(1).default(defaults.reward.overlongCache),
    customTerms: customTermsSchema.default([...defaultRewardConfig.customTerms]),
    adaptiveTiers: adaptiveTiersSchema.nullable().default(null),
  })
  .superRefine((reward, context) => {
    const refusal = reward.adaptiveTiers === null ? null : tiersRefusal(reward);
    if (refusal !== null) context.addIssue({ code: "custom", path: ["adaptiveTiers"], message: refusal });
  }) satisfies z.ZodType<RewardConfig, unknown>;

export const sftSchema = z.object({
  examples: z.number().int().positive().max(BOUNDS.examples).default(2048),
  batchSize: z.number().int().positive().max(BOUNDS.batchSize).default(64),
  steps: z.number().int().positive().max(BOUNDS.steps).default(300),
  learningRate: z.number().positive().default(1e-3),
  warmup: z.number().min(0).max(1).default(0.1),
  weightDecay: z.number().min(0).default(0),
  /**
   * AdamW's second decay rate. torch's 0.999 remembers the large first gradients of a new format for the whole of so
   * short a run.
   */
  beta2: z.number().min(0).lt(1).default(0.95),
});

/** A step's refills have streams of their own (randomStreams.ts). */
const MAX_REFILLS = 63;

const { onlineFilter } = defaults.grpo;
const defaultFilter: "mixed" | [number, number] | null =
  onlineFilter === null || onlineFilter === "mixed" ? onlineFilter : [onlineFilter[0], onlineFilter[1]];

function filterMessage(input: unknown): string {
  const reversed = Array.isArray(input) && Number(input[0]) > Number(input[1]);
  return reversed
    ? "the band's low end comes first"
    : 'expected two mean accuracies between 0 and 1 such as [0.1, 0.9], "mixed", or null';
}

/** A bound that the preset has too: a number, "none", or null for the preset's. */
function boundSchema(number: z.ZodNumber, range: string) {
  return z
    .union([number, z.literal("none")], { error: `expected a number ${range}, "none", or null for the preset's` })
    .nullable();
}

const replaySchema = z.strictObject({
  episode: z.int().min(1).max(10_000),
  alpha: z.number().min(0).max(10),
}) satisfies z.ZodType<ReplayOptions>;

const rethinkingSchema = z.strictObject({
  fraction: z.number().min(0).max(1),
  trigger: z.string().min(1).max(200).nullable(),
  perGroup: z.int().min(1).max(64),
  maxTokens: z.int().min(1).max(BOUNDS.maxNewTokens),
  weight: z.number().min(0),
}) satisfies z.ZodType<RethinkingOptions>;

const failuresSchema = z
  .strictObject({
    share: z.number().min(0).max(1),
    capacity: z.int().min(1).max(100_000),
    /** At least 1: an entry is a step old when it can first be drawn. */
    maxAge: z.int().min(1),
    minimum: z.int().min(1),
    wrongShare: z.number().min(0).max(1),
    perGroup: z.int().min(1).max(64),
  })
  .refine(({ minimum, capacity }) => minimum <= capacity, {
    path: ["minimum"],
    message: "is above capacity: the buffer never holds so many, and nothing would be drawn",
  }) satisfies z.ZodType<FailureOptions>;

export const grpoSchema = z
  .object({
    steps: z.number().int().positive().max(BOUNDS.steps).default(150),
    prompts: z.number().int().positive().max(BOUNDS.prompts).default(16),
    groupSize: z.number().int().min(2).max(BOUNDS.groupSize).default(defaults.grpo.groupSize),
    /** Holds for the first half of `steps`, then falls along a line to `floor` of itself, and stays there. */
    learningRate: z.number().positive().default(2e-4),
    /** 1: a constant rate, as verl's default. */
    floor: z.number().min(0).max(1).default(0.1),
    /** Advantages and numerics of this trainer (src/srpo/trainers.ts). */
    preset: z.enum(TRAINERS).default(defaults.grpo.preset),
    advantage: z.enum(ADVANTAGE_ESTIMATORS).default(defaults.grpo.advantage),
    surrogate: z.enum(SURROGATE_KINDS).default(defaults.grpo.surrogate),
    ratioLevel: z.enum(RATIO_LEVELS).default(defaults.grpo.ratioLevel),
    clipLow: z.number().positive().default(defaults.grpo.clipLow),
    clipHigh: z.number().positive().default(defaults.grpo.clipHigh),
    /** Ratio clamp before the clip; "none": off; null: the preset's. */
    ratioMax: boundSchema(z.number().positive(), "above 0").default(defaults.grpo.ratioMax),
    /** Dual clip; "none": off; null: the preset's. */
    dualClip: boundSchema(z.number().gt(1), "above 1").default(defaults.grpo.dualClip),
    cispoLow: z.number().min(0).default(defaults.grpo.cispoLow),
    cispoHigh: z.number().positive().default(defaults.grpo.cispoHigh),
    tauPositive: z.number().min(0.01).max(100).default(defaults.grpo.tauPositive),
    tauNegative: z.number().min(0.01).max(100).default(defaults.grpo.tauNegative),
    beta: z.number().min(0).default(defaults.grpo.beta),
    klEstimator: z.enum(KL_ESTIMATORS).default(defaults.grpo.klEstimator),
    klPlacement: z.enum(KL_PLACEMENTS).default(defaults.grpo.klPlacement),
    /** Minibatches of a rollout, an optimiser update each; 1 keeps every update on-policy. */
    updatesPerRollout: z.int().min(1).max(256).default(defaults.grpo.updatesPerRollout),
    /** Passes over one rollout. */
    epochs: z.int().min(1).max(64).default(defaults.grpo.epochs),
    maskTruncated: z.boolean().default(defaults.grpo.maskTruncated),
    aggregation: z.enum(AGGREGATIONS).default(defaults.grpo.aggregation),
    /** Keep only groups whose mean accuracy lies inside (the paper: 0.1–0.9), or mixed ones; null keeps all. */
    onlineFilter: z
      .union(
        [
          z.literal("mixed"),
          z
            .tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
            .refine(([low, high]) => low <= high, "the band's low end comes first"),
        ],
        { error: (issue) => filterMessage(issue.input) },
      )
      .nullable()
      .default(defaultFilter),
    refills: z.int().min(0).max(MAX_REFILLS).default(defaults.grpo.refills),
    replay: replaySchema.nullable().default(defaults.grpo.replay),
    rethinking: rethinkingSchema.nullable().default(defaults.grpo.rethinking),
    failures: failuresSchema.nullable().default(defaults.grpo.failures),
    stages: z
      .array(
        z.strictObject({
          steps: z.int().min(1).max(BOUNDS.steps),
          maxNewTokens: z.int().min(1).max(BOUNDS.maxNewTokens),
          groupSize: z.int().min(2).max(BOUNDS.groupSize),
          beta: z.number().min(0),
        }),
      )
      .max(16)
      .default([...defaults.grpo.stages]),
  })
  .refine(({ cispoLow, cispoHigh }) => cispoLow <= cispoHigh, {
    path: ["cispoLow"],
    message: "is above cispoHigh; the lower bound of the ratio comes first",
  });

/**
 * How responses are sampled (src/policy/generation/generate.ts); none but `cache` and `stopStrings` changes what is
 * sampled.
 */
export const rolloutSchema = z.object({
  /** Responses written at a time; null: as many as their keys and values, prompts included, fit into 2 GiB. */
  slots: z.number().int().positive().max(BOUNDS.slots).nullable().default(null),
  /** null: f16 beside packed weights, else f32. */
  cache: z.enum(["f32", "f16"]).nullable().default(null),
  stopStrings: z.array(z.string().min(1).max(BOUNDS.stopStringLength)).max(BOUNDS.stopStrings).default([]),
});

export const settingsSchema = z
  .object({
    seed: z.number().int().nonnegative().default(0),
    families: z
      .array(z.enum(FAMILY_NAMES))
      .nonempty()
      .max(64)
      .default([...FAMILY_NAMES]),
    temperature: z.number().min(0).max(5).default(defaults.temperature),
    maxNewTokens: z.number().int().positive().max(BOUNDS.maxNewTokens).default(104),
    microBatchRows: z.number().int().positive().max(BOUNDS.microBatchRows).default(32),
    maxGradNorm: z.number().positive().default(1),
    freezeVision: z.boolean().default(true),
    /** How responses reflect; fixed when a run opens. */
    reflectionForm: reflectionFormSchema.prefault({}),
    rollout: rolloutSchema.prefault({}),
    reward: rewardSchema.prefault({}),
    sft: sftSchema.prefault({}),
    grpo: grpoSchema.prefault({}),
  })
  .superRefine((settings, context) => {
    const fault = overLimits(settings, RUN_LIMITS);
    if (fault !== null) context.addIssue({ code: "custom", message: fault });
  });

export type Settings = z.output<typeof settingsSchema>;
/** Any part of the settings, e.g. what a link or a slider changes. */
export type SettingsPatch = {
  readonly [K in keyof Settings]?: Settings[K] extends readonly unknown[]
    ? Settings[K]
    : Settings[K] extends object
      ? Partial<Settings[K]>
      : Settings[K];
};

export const defaultSettings: Settings = settingsSchema.parse({});
