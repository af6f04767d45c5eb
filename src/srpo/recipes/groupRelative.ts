/**
 * GRPO and its nearest relatives. GRPO (DeepSeekMath, arXiv 2402.03300) names every value; all other recipes, here and
 * in the neighbouring files, are written as differences.
 */
import { derive, recipe, type Sourced } from "./derive";
import { PAPER_REWARD, type RecipeReward } from "./record";

/** R_task alone: format and first answer, nothing for a reflection. */
export const TASK_REWARD: RecipeReward = {
  ...PAPER_REWARD,
  effectivenessWeight: 0,
  reflectionFormatWeight: 0,
  lengthWeight: 0,
};

/** A rollout of the nano policy is 16 problems with 8 responses, whatever the recipe, unless the group is the point. */
export const NANO_GROUP: Sourced<number> = [
  8,
  "Every recipe samples 16 problems with 8 responses a step here, so that runs compare.",
];

/** Minibatches of the nano policy, for sources that make 8 or 16 updates a rollout. */
export const NANO_UPDATES: Sourced<number> = [
  4,
  "Four minibatches of four problems: the source's number would leave one or two problems in each.",
];

export const NANO_REFILLS: Sourced<number> = [
  2,
  "A step draws three times at most, and then trains on the groups that it has.",
];

export const grpo = recipe({
  name: "grpo",
  title: "GRPO",
  summary: "Rewards format and first answer only; a reflection is worth nothing in itself.",
  coldStart: [false, "its source asks for no SFT on reflections"],
  reward: [TASK_REWARD, "R_task alone, on the same response format, so that runs compare"],
  temperature: [1, "1, as SRPO's, so that runs compare"],
  grpo: {
    preset: ["trl", "TRL's GRPO trainer: no ratio clamp, no dual clip, no clamp of the log-ratio"],
    surrogate: ["clip", "DeepSeekMath, equation 3: the clipped surrogate"],
    ratioLevel: ["token", "DeepSeekMath, equation 3: one ratio a token"],
    clipLow: [0.2, "TRL's default; DeepSeekMath gives no value"],
    clipHigh: [0.2, "TRL's default; DeepSeekMath gives no value"],
    ratioMax: [null, "the preset's: none"],
    dualClip: [null, "the preset's: none"],
    cispoLow: [0, "for the surrogate cispo: TRL's CISPO clamps above only"],
    cispoHigh: [5, "for the surrogate cispo: ScaleRL's cap"],
    tauPositive: [1, "for the surrogate sapo: SAPO's value"],
    tauNegative: [1.05, "for the surrogate sapo: SAPO's value"],
    aggregation: ["seq-mean-token-mean", "DeepSeekMath, equation 3: mean over sequences of token means"],
    beta: [0.04, "DeepSeekMath, section 4.2"],
    klEstimator: ["k3", "DeepSeekMath, equation 4"],
    klPlacement: ["loss", "DeepSeekMath, equation 3: in the loss"],
    advantage: ["group", "DeepSeekMath, section 4.1: (r − mean)/std within the group"],
    groupSize: [64, "DeepSeekMath, section 4.2"],
    updatesPerRollout: [1, "DeepSeekMath, section 4.2: one update a rollout of 1,024 responses"],
    epochs: [1, "one pass over each rollout"],
    maskTruncated: [false, "truncated responses are trained on too"],
    onlineFilter: [null, "GRPO has none"],
    refills: [0, "none"],
    replay: [null, "none"],
    rethinking: [null, "none"],
    failures: [null, "none"],
    stages: [[], "one stage"],
  },
  nano: { groupSize: NANO_GROUP },
});

export const deepseekR1 = derive(grpo, {
  name: "deepseek-r1",
  title: "DeepSeek-R1",
  summary: "GRPO with a weak KL term, a clip so wide that it hardly ever acts, and many updates a rollout.",
  coldStart: [false, "DeepSeek-R1-Zero has none; R1's own is about readable reasoning, not about reflection"],
  reward: [TASK_REWARD, "DeepSeek-R1: rules for accuracy and format; the weights are SRPO's R_task"],
  grpo: {
    clipLow: [10, "DeepSeek-R1: ε = 10, as TRL's index of papers has it; below 0 nothing is left to clip"],
    clipHigh: [10, "DeepSeek-R1: ε = 10, as TRL's index of papers has it"],
    beta: [0.001, "DeepSeek-R1"],
    groupSize: [16, "DeepSeek-R1"],
    updatesPerRollout: [16, "DeepSeek-R1: 8,192 responses in minibatches of 512"],
  },
  nano: { groupSize: NANO_GROUP, updatesPerRollout: NANO_UPDATES },
});

export const dapo = derive(grpo, {
  name: "dapo",
  title: "DAPO",
  summary:
    "Clips less above than below, weighs all tokens alike, trains on mixed groups only, docks overlong responses.",
  reward: [
    { ...TASK_REWARD, formatWeight: 0, accuracyWeight: 2, overlongWeight: 1, overlongCache: 0.2 },
    "DAPO (arXiv 2503.14476): 1 or −1, here 2 or 0, the same to a group's advantages; soft overlong penalty within " +
      "the last 4,096 of 20,480 tokens",
  ],
  grpo: {
    preset: ["verl", "DAPO is built on verl"],
    clipLow: [0.2, "DAPO, section 3.1"],
    clipHigh: [0.28, "DAPO, section 3.1: clip-higher"],
    dualClip: ["none", "the paper's objective has none (verl's default: 3)"],
    aggregation: ["token-mean", "DAPO, section 3.3: mean over all tokens"],
    beta: [0, "DAPO, section 2.3: no KL term"],
    groupSize: [16, "DAPO, section 4.1"],
    updatesPerRollout: [16, "DAPO, section 4.1: 512 prompts × 16 responses in minibatches of 512"],
    maskTruncated: [false, "the soft overlong penalty takes the place of overlong filtering, as in verl's DAPO"],
    onlineFilter: ["mixed", "DAPO, section 3.2: neither none nor all right"],
    refills: [9, "the paper draws until the batch is full; verl's DAPO ten times at most"],
  },
  nano: { groupSize: NANO_GROUP, updatesPerRollout: NANO_UPDATES, refills: NANO_REFILLS },
});

export const drGrpo = derive(grpo, {
  name: "dr-grpo",
  title: "Dr. GRPO",
  summary: "GRPO without its two divisors: neither the spread of the group nor the length of the response.",
  coldStart: [false, "Dr. GRPO starts from the base policy"],
  reward: [
    { ...TASK_REWARD, formatWeight: 0, accuracyWeight: 1 },
    "Dr. GRPO (arXiv 2503.20783): 1 for a right answer, nothing else",
  ],
  grpo: {
    aggregation: ["seq-mean-token-sum-norm", "Dr. GRPO: token sums over a constant, the longest response allowed"],
    beta: [0, "Dr. GRPO's experiments run without KL"],
    advantage: ["centred", "Dr. GRPO: r − mean"],
    groupSize: [8, "Dr. GRPO's released script"],
    updatesPerRollout: [8, "Dr. GRPO's released script: 128 prompts × 8 responses in batches of 128"],
  },
  nano: { updatesPerRollout: NANO_UPDATES },
});
