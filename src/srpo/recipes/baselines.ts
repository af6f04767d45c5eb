/** Recipes that differ from GRPO in what a response's reward is compared with. */
import { derive } from "./derive";
import { grpo, NANO_GROUP, TASK_REWARD } from "./groupRelative";

const RATIO_AT_1 =
  "RLOO (arXiv 2402.14740) is REINFORCE, −A·log π, without ratio or clip; CISPO with its ratio held at 1 is that " +
  "loss, however many updates a rollout has (TRL's RLOOTrainer and verl keep PPO's clip of 0.2)";

export const rloo = derive(grpo, {
  name: "rloo",
  title: "RLOO",
  summary: "Plain REINFORCE: a response is compared with the mean of the others in its group.",
  grpo: {
    surrogate: ["cispo", RATIO_AT_1],
    cispoLow: [1, RATIO_AT_1],
    cispoHigh: [1, RATIO_AT_1],
    aggregation: ["seq-mean-token-sum", "RLOO: log π of the whole response, the sum over its tokens"],
    beta: [0.03, "RLOO's experiments (TRL's RLOOTrainer: 0.05, verl's example: 0.001)"],
    klEstimator: ["k1", "RLOO: log π − log π_ref of the response"],
    klPlacement: ["reward", "RLOO: taken off the reward"],
    advantage: ["leave-one-out", "RLOO: r − mean of the others; no std"],
    groupSize: [4, "RLOO's experiments: k = 2 and 4 (verl's example: 5)"],
    updatesPerRollout: [1, "RLOO: on-policy, one update a rollout"],
  },
  nano: { groupSize: NANO_GROUP },
});

export const reinforcePlusPlusBaseline = derive(grpo, {
  name: "reinforce-plus-plus-baseline",
  title: "REINFORCE++-baseline",
  summary: "Compares a response with its group's mean, then scales by the spread of the whole step.",
  grpo: {
    preset: ["openrlhf", "OpenRLHF, whose authors wrote it"],
    aggregation: ["token-mean", "OpenRLHF's default"],
    beta: [0.01, "OpenRLHF's default (its example of 2026: 1e-5 and k2 in the loss)"],
    klEstimator: ["k1", "REINFORCE++ (arXiv 2501.03262): log π − log π_ref"],
    klPlacement: ["reward", "REINFORCE++: taken off the reward"],
    advantage: ["whitened", "REINFORCE++-baseline: r − mean of the group, whitened over the step's tokens"],
    groupSize: [8, "OpenRLHF's example"],
    updatesPerRollout: [1, "OpenRLHF's example: 128 prompts × 8 responses in one batch of 1,024"],
  },
});

export const gdpo = derive(grpo, {
  name: "gdpo",
  title: "GDPO",
  summary: "Normalises every reward term in its group before adding them up, so that none drowns another.",
  reward: [TASK_REWARD, "GDPO (arXiv 2601.05242): its tool-calling runs reward format and correctness, as R_task does"],
  grpo: {
    preset: ["verl", "GDPO's released code is built on verl"],
    dualClip: ["none", "the paper's objective has none (verl's default today: 3)"],
    aggregation: ["token-mean", "verl's default"],
    beta: [0, "GDPO's released script switches the KL loss off"],
    advantage: ["gdpo", "GDPO: each term normalised in its group, their sum over the step"],
    groupSize: [4, "GDPO's released script"],
    updatesPerRollout: [4, "GDPO's released script: 512 prompts in minibatches of 128"],
  },
  nano: { groupSize: NANO_GROUP },
});
