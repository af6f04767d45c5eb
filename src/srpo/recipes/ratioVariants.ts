/** Recipes that treat the probability ratio otherwise: of a whole sequence, as a weight, or through a soft gate. */
import { derive } from "./derive";
import { grpo, NANO_GROUP, NANO_REFILLS, NANO_UPDATES } from "./groupRelative";

const NANO_CLIP =
  "A response's ratio moves further at a learning rate of 2e-4 than at 1e-6: 15 times the source's range clips about " +
  "as many tokens as there, 10 to 20 % in the first steps from the SFT policy.";

export const gspo = derive(grpo, {
  name: "gspo",
  title: "GSPO",
  summary: "One probability ratio for a whole response, clipped very close to 1.",
  grpo: {
    ratioLevel: ["sequence", "GSPO (arXiv 2507.18071): the geometric mean of the tokens' ratios"],
    clipLow: [3e-4, "GSPO, section 5.1"],
    clipHigh: [4e-4, "GSPO, section 5.1"],
    beta: [0, "TRL's configuration for GSPO"],
    groupSize: [16, "verl's example for GSPO; the paper gives no value"],
    updatesPerRollout: [4, "GSPO, section 5.1: a rollout in four minibatches"],
  },
  nano: { groupSize: NANO_GROUP, clipLow: [4.5e-3, NANO_CLIP], clipHigh: [6e-3, NANO_CLIP] },
});

export const cispo = derive(grpo, {
  name: "cispo",
  title: "CISPO",
  summary: "The ratio is a weight with a cap, so no token's gradient is ever cut off.",
  grpo: {
    surrogate: ["cispo", "MiniMax-M1 (arXiv 2506.13585): −sg(clip(ρ))·A·log π"],
    cispoLow: [0, "MiniMax-M1 sets no lower bound that binds; TRL clamps above only"],
    cispoHigh: [5, "ScaleRL, and TRL's example, which takes it as the bound itself (verl and EasyR1: 1 + ε)"],
    aggregation: ["token-mean", "MiniMax-M1: mean over all tokens"],
    beta: [0, "MiniMax-M1 has no KL term"],
    groupSize: [16, "ScaleRL"],
    updatesPerRollout: [16, "MiniMax-M1: 16 rounds of updates on each batch of responses"],
    onlineFilter: ["mixed", "MiniMax-M1 takes over DAPO's dynamic sampling"],
    refills: [9, "DAPO's, as verl runs it: ten draws at most"],
  },
  nano: { groupSize: NANO_GROUP, updatesPerRollout: NANO_UPDATES, refills: NANO_REFILLS },
});

export const sapo = derive(grpo, {
  name: "sapo",
  title: "SAPO",
  summary: "A soft gate in place of the clip: the further a ratio is from 1, the less it counts.",
  grpo: {
    surrogate: ["sapo", "SAPO (arXiv 2511.20347): −(4/τ)·σ(τ(ρ − 1))·A"],
    tauPositive: [1, "SAPO's experiments"],
    tauNegative: [1.05, "SAPO's experiments: bad responses are let go of sooner"],
    beta: [0, "SAPO has no KL term"],
    groupSize: [16, "verl's example for SAPO"],
    updatesPerRollout: [4, "four minibatches a rollout, as GSPO, which it is compared with"],
  },
  nano: { groupSize: NANO_GROUP },
});
