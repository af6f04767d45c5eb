/** SRPO, and the recipes that it is compared with: how vision-language policies are taught to think twice. */
import { PAPER_BAND } from "../onlineFilter";
import { derive } from "./derive";
import { grpo, NANO_REFILLS, NANO_UPDATES, TASK_REWARD } from "./groupRelative";
import { PAPER_REWARD } from "./record";

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
