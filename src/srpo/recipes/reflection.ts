/** SRPO, and the recipes that it is compared with: how vision-language policies are taught to think twice. */
import { PAPER_BAND } from "../onlineFilter";
import { derive } from "./derive";
import { grpo, NANO_REFILLS, NANO_UPDATES, TASK_REWARD } from "./groupRelative";
import { PAPER_REWARD, type RecipeReward } from "./record";

export const srpo = derive(grpo, {
  name: "srpo",
  title: "SRPO",
  summary: "Teaches reflection first, then rewards reflections by what they do to the answer.",
  coldStart: [true, "SRPO, section 3.2: reflection-oriented cold-start SFT"],
  reward: [PAPER_REWARD, "SRPO (arXiv 2506.01713v3), section 3.3; variant paper"],
  temperature: [1, "SRPO's experiments"],
  grpo: {
    preset: ["srpo", "SRPO, section 3.3, and its released code, which clamps the ratio at 3; e is ours (advantage.ts)"],
    surrogate: ["clip", "SRPO's experiments: GRPO's clip"],
    clipLow: [0.2, "SRPO's experiments"],
    clipHigh: [0.2, "SRPO's experiments"],
    ratioMax: [null, "the preset's: 3 in SRPO's released code"],
    beta: [0, "SRPO's experiments run without KL"],
    klEstimator: ["k3", "SRPO's text names k3"],
    groupSize: [8, "SRPO's experiments"],
    updatesPerRollout: [8, "SRPO's released script: 128 prompts × 8 responses in batches of 128"],
    onlineFilter: [
      PAPER_BAND,
      "SRPO's experiments, after MM-Eureka; first answers, as the text says (the released filter reads the tiered " +
        "accuracy, so that a group that is all right before and after stays)",
    ],
    refills: [0, "none is described"],
    rethinking: [null, "none: its policy reflects by itself after the cold start"],
  },
  nano: {
    onlineFilter: [
      null,
      "A step of 16 problems has too few mixed groups once the policy is good, and groups that are all right still " +
        "teach what a reflection should do.",
    ],
    updatesPerRollout: [
      1,
      "One update a step keeps it on-policy, so that every number of a step can be followed by hand. " +
        "docs/learning.md was measured so.",
    ],
  },
});

export const mmEureka = derive(grpo, {
  name: "mm-eureka",
  title: "MM-Eureka",
  summary: "Accuracy counts twice as much as format; problems that are too easy or too hard are replaced.",
  reward: [
    { ...TASK_REWARD, formatWeight: 0.5, accuracyWeight: 1 },
    "MM-Eureka (arXiv 2503.07365v2): accuracy 1, format 0.5 (its code gives 1 where it cannot read the truth)",
  ],
  temperature: [1, "MM-Eureka's released scripts"],
  grpo: {
    preset: ["openrlhf", "MM-Eureka is built on OpenRLHF: std + 1e-9"],
    clipLow: [0.2, "MM-Eureka's released code"],
    clipHigh: [0.2, "MM-Eureka's released code"],
    ratioMax: [3, "MM-Eureka's released code: the ratio is held to 3 before the clip"],
    beta: [0, "MM-Eureka's 7B runs without KL"],
    groupSize: [8, "MM-Eureka's released scripts"],
    updatesPerRollout: [8, "MM-Eureka's released scripts: 128 prompts × 8 responses in batches of 128"],
    onlineFilter: [PAPER_BAND, "MM-Eureka: mean accuracy 0.1 to 0.9"],
    refills: [63, "MM-Eureka draws until 128 groups have passed; 63 is the most that a step may draw here"],
    stages: [[], "one; the 32B policy has a second with Geometry3K and a KL weight of 0.001"],
  },
  nano: { updatesPerRollout: NANO_UPDATES, refills: NANO_REFILLS },
});

/** 1 for a well-formed response whose last answer is right, else 0. */
const ALL_OR_NOTHING: RecipeReward = { ...TASK_REWARD, variant: "gated", formatWeight: 0, accuracyWeight: 1 };

const NANO_STAGES =
  "Half of 150 steps each; the longest response doubles while the group halves, as at the source, up to the nano " +
  "policy's 104 tokens.";

export const visionR1 = derive(grpo, {
  name: "vision-r1",
  title: "Vision-R1",
  summary: "Short responses first, longer ones later; rewards only a right answer in the right form.",
  coldStart: [true, "Vision-R1 (arXiv 2503.06749v4): SFT on 200,000 worked solutions before the reinforcement"],
  reward: [ALL_OR_NOTHING, "Vision-R1, hard formatting result reward: 1 if format and answer are right, else 0"],
  temperature: [1, "1, as SRPO's, so that runs compare"],
  grpo: {
    clipLow: [0.2, "Vision-R1's experiments"],
    clipHigh: [0.2, "Vision-R1's experiments"],
    beta: [0.01, "Vision-R1's experiments; each stage repeats it"],
    klEstimator: ["k3", "GRPO's; the code of its reinforcement is not released"],
    groupSize: [16, "Vision-R1's first stage; each stage has its own"],
    updatesPerRollout: [1, "the paper gives no number and the code of its reinforcement is not released: GRPO's"],
    stages: [
      [
        { steps: 100, maxNewTokens: 4096, groupSize: 16, beta: 0.01 },
        { steps: 100, maxNewTokens: 8192, groupSize: 8, beta: 0.01 },
      ],
      "Vision-R1, progressive thinking suppression: 4K × 16, then 8K × 8 (a third, 16K × 4, is defined and not used)",
    ],
  },
  nano: {
    stages: [
      [
        { steps: 75, maxNewTokens: 56, groupSize: 16, beta: 0.01 },
        { steps: 75, maxNewTokens: 104, groupSize: 8, beta: 0.01 },
      ],
      NANO_STAGES,
    ],
  },
});

const NANO_EPISODE = "Two updates a rollout and eight rollouts an episode are the source's 16 updates an episode.";

export const vlRethinker = derive(grpo, {
  name: "vl-rethinker",
  title: "VL-Rethinker",
  summary: "Replays samples that still teach something, and makes some responses think again.",
  coldStart: [false, "VL-Rethinker (arXiv 2504.08837v3) trains the instruction-tuned policy directly"],
  reward: [
    ALL_OR_NOTHING,
    "VL-Rethinker: 1 for a right final answer, else 0 (its code: −0.1 if malformed, 1.1 with one or two native waits)",
  ],
  temperature: [1, "VL-Rethinker's released script"],
  grpo: {
    preset: ["openrlhf", "VL-Rethinker is built on OpenRLHF"],
    clipLow: [0.2, "VL-Rethinker's released code; the paper gives no value"],
    clipHigh: [0.35, "VL-Rethinker's released code; the paper gives no value"],
    aggregation: ["token-mean", "VL-Rethinker's released code"],
    beta: [0, "VL-Rethinker's released script"],
    advantage: ["group", "VL-Rethinker, algorithm 1: (r − mean)/std (its code: r − mean)"],
    groupSize: [8, "VL-Rethinker's experiments"],
    updatesPerRollout: [16, "VL-Rethinker: 1,024 queries × 8 responses in batches of 512"],
    onlineFilter: [null, "no filter of groups: replay keeps samples with an advantage, which drops the same ones"],
    replay: [
      { episode: 1, alpha: 1 },
      "VL-Rethinker, algorithm 1; an episode is one rollout. The paper's replay: as released, neither filter nor " +
        "replay runs",
    ],
    rethinking: [
      { fraction: 0.65, trigger: "\n\nWait, does it seem right?", perGroup: 2, maxTokens: 1024, weight: 0.05 },
      "VL-Rethinker, section 4.2 (trigger, 2 a query) and its code (0.65, 1,024 tokens, 0.05); the paper adds it in " +
        "a second stage, here it is there from the start",
    ],
  },
  nano: {
    coldStart: [true, "The nano policy cannot think again without SFT: no continuation would be right."],
    updatesPerRollout: [
      2,
      "Two updates a rollout and eight rollouts an episode are the source's 16 updates an episode.",
    ],
    replay: [{ episode: 8, alpha: 1 }, NANO_EPISODE],
    rethinking: [
      { fraction: 0.65, trigger: null, perGroup: 2, maxTokens: 40, weight: 0.05 },
      "The tag that opens a reflection is the trigger that the nano policy knows, and 40 tokens hold what follows it.",
    ],
  },
});

export const vrrl = derive(grpo, {
  name: "vrrl",
  title: "VRRL",
  summary: "Begins some groups after an earlier wrong answer and trains only the recovery.",
  coldStart: [true, "VRRL (arXiv 2607.02490): starts from an SFT policy"],
  reward: [
    {
      ...ALL_OR_NOTHING,
      formatWeight: 0.1,
      accuracyWeight: 0.9,
      effectivenessWeight: 1,
      effectiveness: { kept: -0.01, fixed: 0.09, stillWrong: 0, spoilt: 0 },
    },
    "VRRL: format 0.1 as a gate, right at the end 1, a fix + 0.1, each revision − 0.01, for one revision",
  ],
  temperature: [1, "1, as SRPO's, so that runs compare"],
  grpo: {
    preset: ["easyr1", "VRRL is a fork of EasyR1, dual clip of 3 included"],
    clipLow: [0.2, "EasyR1's default"],
    clipHigh: [0.3, "EasyR1's default"],
    dualClip: [null, "the preset's: 3"],
    aggregation: ["token-mean", "EasyR1's default"],
    beta: [0.01, "VRRL's released launcher"],
    klEstimator: ["k3", "VRRL's released launcher"],
    groupSize: [8, "VRRL's released launcher"],
    updatesPerRollout: [1, "VRRL's released launcher: 32 questions × 8 responses in one update"],
    onlineFilter: ["mixed", "VRRL keeps groups with a mean total strictly within 0.01 and 0.99; here by accuracy"],
    refills: [20, "VRRL's released launcher"],
    failures: [
      { share: 0.4, capacity: 500, maxAge: 50, minimum: 32, wrongShare: 0.9, perGroup: 3 },
      "VRRL's released launcher, prefix buffer; only the continuation is trained, as its random start does (the " +
        "buffer's own mask is off in the launcher)",
    ],
  },
  nano: {
    refills: NANO_REFILLS,
    failures: [
      { share: 0.4, capacity: 250, maxAge: 50, minimum: 32, wrongShare: 0.9, perGroup: 3 },
      "Half the buffer for half the questions a step.",
    ],
  },
});
