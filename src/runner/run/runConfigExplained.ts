/**
 * What every key of a run file means. The type asks for one sentence a key: a new setting without one does not compile.
 */
import { AGGREGATIONS } from "../../srpo/aggregation";
import { RECIPES } from "../../srpo/recipe";
import { SURROGATE_KINDS } from "../../srpo/surrogate";
import { KL_ESTIMATORS, TRAINERS } from "../../srpo/types";
import type { RunConfig } from "./runConfig";

/** A sentence for each key; a section has one of its own under "". */
export type Explained<T> = T extends readonly unknown[]
  ? string
  : T extends object
    ? { readonly [K in keyof T]-?: Explained<NonNullable<T[K]>> } & { readonly "": string }
    : string;

export const EXPLAINED: Explained<RunConfig> = {
  "": "A training run.",
  policy: "Folder of the policy to start from, in Hugging Face layout (config.json, safetensors, tokenizer).",
  packing: "Storage of the weights that an adapter leaves frozen: f32, f16, or int4 (table, head and tower in f16).",
  recompute:
    "Make each layer's activations again in the backward pass instead of keeping them (layers), or not (none): less " +
    "memory for a third more work, the same gradients. auto: where they would take more than 1 GB.",
  memory:
    "Memory of the device, e.g. 24GB: a run that needs more is refused before anything is loaded. null: what the " +
    "host has free on a backend on the CPU, unknown on a GPU.",
  out: "Folder of the run: snapshot, logs, what was trained. Needed here or as --out.",
  backend: "Where tensors live: webgpu (a GPU), wasm (the CPU), reference (plain and slow, for comparison).",
  stages: "Stages in order: sft (learn to reflect from examples), grpo (reinforce what reflecting gains).",
  recipe: `Method that the settings start from: ${Object.values(RECIPES)
    .map(({ name, summary }) => `${name}: ${summary}`)
    .join(" ")}`,
  saveEvery: "Steps between snapshots; a killed run goes on from the last one.",
  lora: {
    "": "A low-rank adapter on the decoder; everything else is frozen.",
    rank: "Rank r of a new adapter; 0 without one: the decoder is trained in full.",
    alpha: "Numerator of the adapter's scale alpha / r.",
    rankStabilised: "Scale by alpha / sqrt(r) instead (rsLoRA), for high ranks.",
    targets: "Projections that get an adapter: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj.",
    adapter:
      "Folder of a trained adapter (PEFT layout) to go on from, with its own rank, alpha and targets; rank stays 0 " +
      "then.",
  },
  data: {
    "": "A data set of your own, in place of the built-in picture problems.",
    train: "JSON lines or parquet of {image or images, question, answer}; null: the built-in problems.",
    heldOut: "Such a file that is never trained on, for evaluations.",
    images: "Folder that image paths are relative to; null: the folder of the file that names them.",
    maxPixels:
      "Pictures are scaled down to at most so many pixels (28 × 28 of them are one token); null: as " +
      "preprocessor_config.json says.",
    instruction: "Text file put below every question; null: ours, which asks for the response format.",
    reflections: "File made by srpo reflect, for the stage sft.",
  },
  logs: {
    "": "What is written beside metrics.jsonl.",
    tensorboard: "Curves as a TensorBoard event file in tensorboard/.",
    completions: "Each GRPO step's samples with every reward term as parquet in completions/.",
  },
  settings: {
    "": "Everything that decides the course of training; --set path=value changes these.",
    seed: "Seed of all randomness: the same seed on the same backend gives the same run.",
    families: "Families of built-in picture problems, in turn: bars, shapes, geometry, digits.",
    temperature: "Sampling temperature, 0 to 5; 0 takes the likeliest token.",
    maxNewTokens: "Longest response, in tokens.",
    microBatchRows: "Responses that go through the model together; memory only, the result is the same.",
    maxGradNorm: "The gradient is scaled down to this Euclidean norm.",
    freezeVision: "Leave the vision tower as it is, and compute its features once.",
    rollout: {
      "": "How responses are sampled.",
      slots:
        "Responses written at a time (with several workers: by each); a slot is refilled when its response ends. " +
        "Memory and speed only, the samples are the same. null: as many as their keys and values fit into 2 GiB.",
      cache:
        "Keys and values in f32 or f16 (half the memory; a response's probabilities then differ slightly from those " +
        "that the update recomputes). null: f16 with packed weights, else f32.",
      stopStrings:
        "A response ends, finished, with the token that completes one of these texts; the text is cut behind it.",
    },
    reward: {
      "": "The reward of a response; the total is the sum of its terms.",
      variant: "paper: the terms of the paper. official, official-verl: what the released scorers compute.",
      formatWeight: "Reward of a well-formed response.",
      accuracyWeight: "Reward of a right first answer.",
      effectiveness: {
        "": "Reward of what the reflection did to the answer.",
        kept: "Right before and after.",
        fixed: "Wrong before, right after.",
        stillWrong: "Wrong before and after.",
        spoilt: "Right before, wrong after.",
      },
      effectivenessWeight: "Factor on the four above; 0 turns them off.",
      reflectionFormatWeight: "Reward of one non-empty reflection between the two answers.",
      lengthWeight: "Factor on the length term, which favours a total length near its target.",
      lengthShape: "Fall-off of the length term around its target: gaussian or laplace.",
      targetFactor: "Target length, in lengths of the first solution.",
      maxFactor: "Length at which the length term has fallen off, in lengths of the first solution.",
    },
    sft: {
      "": "The first stage, supervised.",
      examples: "Reflection examples to collect before training on them.",
      batchSize: "Examples in one step.",
      steps: "Steps of the supervised stage.",
      learningRate: "Highest learning rate; it warms up, then falls along a cosine.",
      warmup: "Share of the steps in which the learning rate rises, 0 to 1.",
      weightDecay: "AdamW's weight decay.",
      beta2: "AdamW's second decay rate.",
    },
    grpo: {
      "": "The second stage, reinforcement.",
      steps: "Steps of the reinforced stage.",
      floor: "Share of the learning rate that is left at the last step; it falls over the second half. 1: constant.",
      prompts: "Problems in one step.",
      groupSize: "Responses sampled for each problem, compared with one another.",
      learningRate: "Learning rate of the first half of the steps; see floor.",
      preset: `Whose advantages, clamps and dual clip: ${TRAINERS.join(", ")}.`,
      surrogate: `What the ratio makes of an advantage: ${SURROGATE_KINDS.join(", ")}.`,
      ratioLevel: "One probability ratio a token, or one a sequence (GSPO): token, sequence.",
      clipLow: "clip: how far below 1 a probability ratio counts.",
      clipHigh: "clip: how far above 1 a probability ratio counts.",
      ratioMax: "clip: the ratio is clamped to this before the clip; null: as the preset has it.",
      dualClip: "clip: the loss of a negative advantage is at most this times its size; null: as the preset has it.",
      cispoLow: "cispo: lower bound of the ratio.",
      cispoHigh: "cispo: upper bound of the ratio.",
      tauPositive: "sapo: temperature of the gate for positive advantages.",
      tauNegative: "sapo: temperature of the gate for the others.",
      beta:
        "Weight of the KL term; 0 leaves it out. Measured against the policy without its adapter, or, trained in " +
        "full, against the one the stage began with.",
      klEstimator: `Estimator of the KL term: ${KL_ESTIMATORS.join(", ")}.`,
      epochs: "Updates on one rollout; 1 stays on-policy.",
      aggregation: `How token losses become one loss: ${AGGREGATIONS.join(", ")}.`,
      onlineFilter:
        "Keep only groups whose mean accuracy lies between these two numbers, e.g. [0.1, 0.9]; null keeps all.",
    },
  },
};

/** The sentence of a dotted path. @throws Error when there is none */
export function explanationOf(dotted: string): string {
  let at: unknown = EXPLAINED;
  for (const name of dotted.split(".")) at = typeof at === "object" && at !== null ? Reflect.get(at, name) : undefined;
  if (typeof at === "object" && at !== null) at = Reflect.get(at, "");
  if (typeof at !== "string") throw new Error(`run file: the key "${dotted}" is not explained`);
  return at;
}
