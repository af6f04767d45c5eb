/**
 * Everything that decides a run. Parsed by one schema at every edge (link, message, file, command line);
 * defaults are the nano policy's; what a run with them learns is measured in docs/learning.md.
 */
import { z } from "zod";
import type { RewardConfig } from "../srpo/types";
import { FAMILY_NAMES } from "../tasks/problem";

const tiers = z.object({ kept: z.number(), fixed: z.number(), stillWrong: z.number(), spoilt: z.number() });

export const rewardSchema = z.object({
  variant: z.enum(["paper", "official", "official-verl"]).default("paper"),
  formatWeight: z.number().default(0.5),
  accuracyWeight: z.number().default(0.5),
  effectiveness: tiers.default({ kept: 0.25, fixed: 0.5, stillWrong: 0, spoilt: -0.25 }),
  effectivenessWeight: z.number().default(1),
  reflectionFormatWeight: z.number().default(0.25),
  lengthWeight: z.number().default(0.1),
  lengthShape: z.enum(["gaussian", "laplace"]).default("gaussian"),
  targetFactor: z.number().positive().default(2),
  maxFactor: z.number().positive().default(2.5),
}) satisfies z.ZodType<RewardConfig, unknown>;

export const sftSchema = z.object({
  examples: z.number().int().positive().default(2048),
  batchSize: z.number().int().positive().default(64),
  steps: z.number().int().positive().default(300),
  learningRate: z.number().positive().default(1e-3),
  warmup: z.number().min(0).max(1).default(0.1),
  weightDecay: z.number().min(0).default(0),
  /** AdamW's second decay rate. torch's 0.999 remembers the large first gradients of a new format for the whole of so short a run. */
  beta2: z.number().min(0).lt(1).default(0.95),
});

export const grpoSchema = z.object({
  steps: z.number().int().positive().default(150),
  prompts: z.number().int().positive().default(16),
  groupSize: z.number().int().min(2).default(8),
  /** Holds for the first half of `steps`, then falls along a line to `floor` of itself, and stays there. */
  learningRate: z.number().positive().default(2e-4),
  /** 1: a constant rate, as verl's default. */
  floor: z.number().min(0).max(1).default(0.1),
  /** Advantages and numerics of this trainer. */
  preset: z.enum(["srpo", "trl", "verl", "easyr1", "openrlhf"]).default("srpo"),
  clipLow: z.number().positive().default(0.2),
  clipHigh: z.number().positive().default(0.2),
  /** Ratio clamp before the clip (the paper's 3). */
  ratioMax: z.number().positive().default(3),
  beta: z.number().min(0).default(0),
  /** Inner epochs over one rollout; 1 keeps every update on-policy. */
  epochs: z.number().int().positive().default(1),
  aggregation: z.enum(["seq-mean-token-mean", "token-mean", "seq-mean-token-sum-norm"]).default("seq-mean-token-mean"),
  /** Keep only groups whose mean accuracy lies inside (the paper: 0.1–0.9); null keeps all. */
  onlineFilter: z.tuple([z.number(), z.number()]).nullable().default(null),
});

/** How responses are sampled (src/policy/generation/generate.ts); none but `cache` and `stopStrings` changes what is sampled. */
export const rolloutSchema = z.object({
  /** Responses written at a time; null: as many as their keys and values, prompts included, fit into 2 GiB. */
  slots: z.number().int().positive().nullable().default(null),
  /** null: f16 beside packed weights, else f32. */
  cache: z.enum(["f32", "f16"]).nullable().default(null),
  stopStrings: z.array(z.string().min(1)).default([]),
});

export const settingsSchema = z.object({
  seed: z.number().int().nonnegative().default(0),
  families: z
    .array(z.enum(FAMILY_NAMES))
    .nonempty()
    .default([...FAMILY_NAMES]),
  temperature: z.number().min(0).max(5).default(1),
  maxNewTokens: z.number().int().positive().default(104),
  microBatchRows: z.number().int().positive().default(32),
  maxGradNorm: z.number().positive().default(1),
  freezeVision: z.boolean().default(true),
  rollout: rolloutSchema.prefault({}),
  reward: rewardSchema.prefault({}),
  sft: sftSchema.prefault({}),
  grpo: grpoSchema.prefault({}),
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
