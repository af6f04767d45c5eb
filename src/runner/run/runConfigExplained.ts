/**
 * What each key of a run file means. The type requires a sentence per key: a new setting without one does not compile.
 */
import { ADVANTAGE_ESTIMATORS } from "../../srpo/advantageEstimators";
import { AGGREGATIONS } from "../../srpo/aggregation";
import { RECIPES } from "../../srpo/recipe";
import { MAX_ROUNDS } from "../../srpo/reflectionForm";
import { SURROGATE_KINDS } from "../../srpo/surrogate";
import { KL_ESTIMATORS, TRAINERS } from "../../srpo/types";
import type { RunConfig } from "./runConfig";

/** A sentence for each key; the sentence of a section is under "". */
export type Explained<T> = T extends readonly unknown[]
  ? string
  : T extends object
    ? { readonly [K in keyof T]-?: Explained<NonNullable<T[K]>> } & { readonly "": string }
    : string;

export const EXPLAINED: Explained<RunConfig> = {
  "": "A training run.",
  policy: "Folder of the policy to start from, in Hugging Face layout (config.json, safetensors, tokenizer).",
  packing:
    "Storage of the weights that an adapter leaves frozen: f32, f16, or int4 (embeddings, head and vision " +
    "tower in f16).",
  recompute:
    "layers: recompute each layer's activations in the backward pass instead of storing them, which saves memory " +
    "for a third more work, with the same gradients. none: store them. auto: recompute if they would take more " +
    "than 1 GB.",
  memory:
    "Memory of the device, e.g. 24GB: a run that needs more stops before anything is loaded. null: the host's free " +
    "memory on CPU backends, unknown on a GPU.",
  allowNonFinite: "Load weights that are NaN or infinite instead of refusing the file (--allow-non-finite).",
  out: "Folder of the run: snapshot, logs, trained weights. Required here or as --out.",
  backend: "Where the policy runs: webgpu (a GPU), wasm (the CPU), reference (plain JavaScript, slow, for comparison).",
  stages: "Stages in order: sft (learn to reflect from examples), grpo (reinforce reflections that help).",
  recipe: `Method that sets the default settings. ${Object.values(RECIPES)
    .map(({ name, summary }) => `${name}: ${summary}`)
    .join(" ")}`,
  rewardFile:
    "File of reward terms of your own as functions (--reward); null: none. docs/reward-language.md has the form.",
  saveEvery: "Steps between snapshots; a killed run resumes from the last one.",
  lora: {
    "": "A low-rank adapter on the decoder; all other weights are frozen.",
    rank: "Rank r of a new adapter. 0: no adapter, the decoder is trained in full.",
    alpha: "Numerator of the adapter's scale alpha / r.",
    rankStabilised: "Scale by alpha / sqrt(r) instead (rsLoRA), for high ranks.",
    targets: "Projections with an adapter: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj.",
    adapter:
      "Folder of a trained adapter (PEFT layout) to continue from, with its own rank, alpha and targets; leave " +
      "rank at 0.",
  },
  data: {
    "": "Your own data set instead of the built-in picture problems.",
    train: "JSON Lines or Parquet with image(s), question, answer; null: the built-in problems.",
    heldOut: "A file in the same format for evaluations, never trained on.",
    images: "Folder that image paths are relative to; null: the folder of each file.",
    maxPixels:
      "Maximum number of pixels; larger images are scaled down (28 × 28 pixels are one token). null: as in " +
      "preprocessor_config.json.",
    instruction:
      "File with the text below every question; null: the built-in text, which asks for the response format.",
    reflections: "File made by srpo reflect, for the stage sft.",
    maxPromptTokens:
      "Records with a longer prompt, pictures included, cannot be used; null: as long as the policy takes.",
    onError:
      "What happens with a record that cannot be used. skip: it is named, counted and passed over, and the next in " +
      "order takes its place. stop: the command ends there.",
  },
  logs: {
    "": "Logs in addition to metrics.jsonl.",
    tensorboard: "Curves as a TensorBoard event file in tensorboard/.",
    completions: "Each GRPO step's samples with every reward term, as Parquet in completions/.",
  },
  settings: {
    "": "All settings of training; --set path=value changes them.",
    seed: "Seed of every random draw: the same seed on the same backend gives the same run.",
    families: "Families of built-in picture problems, in turn: bars, shapes, geometry, digits.",
    temperature: "Sampling temperature, 0 to 5; 0 takes the most likely token.",
    maxNewTokens: "Maximum tokens per response.",
    microBatchRows: "Responses per micro-batch; affects memory and the order in which floats are summed, nothing else.",
    maxGradNorm: "Maximum norm of the gradient; a larger gradient is scaled down.",
    freezeVision: "Freeze the vision tower and compute its features once.",
    reflectionForm: {
      "": "Form in which responses reflect; fixed when a run starts.",
      kind: "tags: a pair of tags around the reflection. trigger: words that begin it, up to the next <think>.",
      tag: "tags: name of the pair.",
      trigger: "trigger: the words that begin a reflection; the policy's tokenizer must have them.",
      rounds: `Maximum number of reflections in a response, 1 to ${MAX_ROUNDS}; the reward pays for the last one.`,
    },
    rollout: {
      "": "How responses are sampled.",
      slots:
        "Responses generated at a time, per worker; a finished response makes room for the next. Affects memory " +
        "and speed, not the samples. null: as many as fit a 2 GiB KV cache.",
      cache:
        "Number format of the KV cache, f32 or f16. f16 halves its memory; a response's probabilities then " +
        "differ slightly from those that the update computes. null: f16 with packed weights, else f32.",
      stopStrings: "A response ends with the token that completes one of these texts; the text is cut after it.",
    },
    reward: {
      "": "The reward of a response, the sum of its terms.",
      variant:
        "paper: the terms of the paper. gated: nothing unless well formed, then format, last answer and tier. " +
        "official, official-verl: those of the released scorers.",
      formatWeight: "Reward of a well-formed response.",
      accuracyWeight: "Reward of a right first answer.",
      effectiveness: {
        "": "Reward for what the reflection changed about the answer.",
        kept: "Right before and after.",
        fixed: "Wrong before, right after.",
        stillWrong: "Wrong before and after.",
        spoilt: "Right before, wrong after.",
      },
      effectivenessWeight: "Factor on the four values above; 0 turns them off.",
      adaptiveTiers: {
        "": "Tiers of kept and fixed that follow the policy: the rarer a transition, the more it pays. null: off.",
        window: "GRPO steps whose transitions are counted.",
        strength: "Exponent of (1/4 / share); 0 leaves the tiers as they are.",
        bound: "Largest factor on a tier, and the reciprocal of the smallest.",
        factors: {
          "": "Set by each step for itself; leave it out.",
          kept: "Factor on kept.",
          fixed: "Factor on fixed.",
        },
      },
      reflectionFormatWeight: "Reward of one non-empty reflection between the two answers.",
      lengthWeight: "Factor on the length term, which favours a total length near the target.",
      lengthShape: "Shape of the length term around the target: gaussian or laplace.",
      targetFactor: "Target length, as a multiple of the first solution's.",
      maxFactor: "Length at which the length term has decayed, as a multiple of the first solution's.",
      overlongWeight: "Factor on the overlong penalty, which falls to −1 at maxNewTokens (DAPO); 0: none.",
      overlongCache: "Share of maxNewTokens over which the overlong penalty falls.",
      customTerms:
        "Reward terms of your own, a list of {name, expression, weight}; docs/reward-language.md has the language.",
    },
    sft: {
      "": "The first stage, supervised fine-tuning.",
      examples: "Reflection examples to collect before training.",
      batchSize: "Examples per step.",
      steps: "Steps of the SFT stage.",
      learningRate: "Peak learning rate; linear warm-up, then cosine decay.",
      warmup: "Share of the steps used for warm-up, 0 to 1.",
      weightDecay: "Weight decay of AdamW.",
      beta2: "β2 of AdamW.",
    },
    grpo: {
      "": "The second stage, reinforcement learning.",
      steps: "Steps of the GRPO stage.",
      floor: "Share of the learning rate at the last step; it decays over the second half. 1: constant.",
      prompts: "Problems per step.",
      groupSize: "Responses per problem, compared with one another.",
      learningRate: "Learning rate of the first half of the steps; see floor.",
      preset: `Trainer whose advantages, clamps and dual clip are used: ${TRAINERS.join(", ")}.`,
      advantage: `Estimator of the advantages: ${ADVANTAGE_ESTIMATORS.join(", ")}.`,
      surrogate: `Surrogate objective of ratio and advantage: ${SURROGATE_KINDS.join(", ")}.`,
      ratioLevel: "Probability ratio per token, or per sequence (GSPO): token, sequence.",
      clipLow: "clip: clip range of the probability ratio below 1.",
      clipHigh: "clip: clip range of the probability ratio above 1.",
      ratioMax: 'clip: upper clamp of the ratio, before clipping; "none": off; null: as in the preset.',
      dualClip:
        'clip: the loss of a negative advantage is at most this multiple of it; "none": off; null: as in the preset.',
      cispoLow: "cispo: lower bound of the ratio.",
      cispoHigh: "cispo: upper bound of the ratio.",
      tauPositive: "sapo: temperature of the gate for positive advantages.",
      tauNegative: "sapo: temperature of the gate for other advantages.",
      beta:
        "Weight of the KL term; 0 turns it off. The KL reference is the policy without its adapter, or, without " +
        "one, the policy at the start of the stage.",
      klEstimator: `Estimator of the KL term: ${KL_ESTIMATORS.join(", ")}.`,
      klPlacement:
        "loss: the KL term is part of the loss. reward: beta times the sum of its token estimates is taken off each " +
        "response's reward.",
      updatesPerRollout:
        "Minibatches of a rollout, one optimiser update each; 1 is on-policy, and then no ratio differs from 1.",
      epochs: "Passes over a rollout; 1 is on-policy.",
      maskTruncated: "Leave responses that ran into maxNewTokens out of the loss; their rewards still count.",
      aggregation: `Aggregation of the token losses: ${AGGREGATIONS.join(", ")}.`,
      onlineFilter:
        "Keep only groups whose share of right first answers is between these two numbers, e.g. [0.1, 0.9], or " +
        '"mixed": neither none nor all; null keeps all.',
      refills: "How often a step draws further problems for the groups that the filter left out; 0: never.",
      replay: {
        "": "Selective sample replay: fill each step up with earlier samples that have an advantage. null: none.",
        episode: "Steps after which the buffer is emptied.",
        alpha: "Samples are drawn in proportion to this power of their absolute advantage.",
      },
      rethinking: {
        "": "Forced rethinking: continue some responses after a trigger and train on the right ones. null: none.",
        fraction: "Share of the finished responses that are continued.",
        trigger: "Text after the first solution; null: what opens a reflection in the run's form.",
        perGroup: "Right continuations of one group that are kept at most.",
        maxTokens: "Maximum tokens of a continuation.",
        weight: "Factor on the negative log-likelihood of the kept ones.",
      },
      failures: {
        "": "Failure buffer: begin some groups after an earlier first solution, at the reflection. null: none.",
        share: "Share of a step's groups that begin so.",
        capacity: "First solutions in the buffer.",
        maxAge: "Steps after which a first solution is no longer used.",
        minimum: "First solutions in the buffer before any is used.",
        wrongShare: "Share of wrong ones among those used.",
        perGroup: "First solutions of one group that are kept at most.",
      },
      stages:
        "Stages of the run in order, each with steps, maxNewTokens, groupSize and beta (progressive thinking " +
        "suppression); the last goes on to the end. []: one stage.",
    },
  },
};

/** Dotted paths of all keys, those of sections that are null by default included. */
export function explainedPaths(section: object = EXPLAINED, prefix = ""): string[] {
  return Object.entries(section).flatMap(([key, value]: [string, unknown]) =>
    key === ""
      ? []
      : [
          `${prefix}${key}`,
          ...(typeof value === "object" && value !== null ? explainedPaths(value, `${prefix}${key}.`) : []),
        ],
  );
}

/** The sentence of a dotted path. @throws Error when there is none */
export function explanationOf(dotted: string): string {
  let at: unknown = EXPLAINED;
  for (const name of dotted.split(".")) at = typeof at === "object" && at !== null ? Reflect.get(at, name) : undefined;
  if (typeof at === "object" && at !== null) at = Reflect.get(at, "");
  if (typeof at !== "string") throw new Error(`run file: the key "${dotted}" is not explained`);
  return at;
}
