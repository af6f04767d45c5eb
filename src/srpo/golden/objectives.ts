/** How each loss of grpo_vectors.json was made, in our words, and its rows: for the tests of the objective and of the kernels. */
import type { ObjectiveRow, ObjectiveSettings } from "../objective";
import type { Surrogate } from "../surrogate";
import { vectors } from "./vectors";

export const goldenRows: readonly ObjectiveRow[] = vectors.lens.map((length, i) => ({
  length,
  logp: vectors.logp[i] ?? [],
  oldLogp: vectors.old_logp[i] ?? [],
  refLogp: vectors.ref_logp[i] ?? [],
  advantage: vectors.loss_advantages[i] ?? NaN,
}));

export const clip = (changes: Partial<Extract<Surrogate, { kind: "clip" }>> = {}): Surrogate => ({
  kind: "clip",
  clipLow: 0.2,
  clipHigh: 0.2,
  ratioMax: null,
  dualClip: null,
  ...changes,
});
export const dual = clip({ dualClip: 3 });
export const sapo: Surrogate = { kind: "sapo", tauPositive: 1, tauNegative: 1.05 };
const cispo: Surrogate = { kind: "cispo", ratioLow: 0.8, ratioHigh: 1.2 };

export const base: ObjectiveSettings = {
  surrogate: clip(),
  level: "token",
  logRatioLimit: 20,
  aggregation: "token-mean",
  beta: 0,
  klEstimator: "k3",
  trainer: "verl",
};
const trl: ObjectiveSettings = { ...base, logRatioLimit: null, trainer: "trl" };
const horizon = vectors.shape.T;

/** How each vector was made, in our words. */
export const GOLDEN_OBJECTIVES: Readonly<Record<string, ObjectiveSettings>> = {
  "trl.grpo": { ...trl, aggregation: "seq-mean-token-mean" },
  "trl.bnpo": trl,
  "trl.dr_grpo": { ...trl, aggregation: "seq-mean-token-sum-norm", horizon },
  "trl.dapo": trl,
  "trl.dapo[eps_h=0.28]": { ...trl, surrogate: clip({ clipHigh: 0.28 }) },
  "trl.dapo[delta=3.0]": { ...trl, surrogate: clip({ ratioMax: 3 }) },
  "trl.grpo[beta=0.04]": { ...trl, aggregation: "seq-mean-token-mean", beta: vectors.beta },
  "trl.dapo[beta=0.04]": { ...trl, beta: vectors.beta },
  "trl.grpo[level=sequence]": { ...trl, level: "sequence", aggregation: "seq-mean-token-mean" },
  "trl.luspo[level=sequence]": { ...trl, level: "sequence", aggregation: "seq-mean-token-sum" },
  "trl.cispo[eps_h=5.0]": { ...trl, surrogate: { kind: "cispo", ratioLow: 0, ratioHigh: 5 } },
  "trl.sapo": { ...trl, surrogate: sapo, aggregation: "seq-mean-token-mean" },
  "verl.vanilla.token-mean": { ...base, surrogate: dual },
  "verl.vanilla.seq-mean-token-sum": { ...base, surrogate: dual, aggregation: "seq-mean-token-sum" },
  "verl.vanilla.seq-mean-token-mean": { ...base, surrogate: dual, aggregation: "seq-mean-token-mean" },
  "verl.vanilla.seq-mean-token-sum-norm": { ...base, surrogate: dual, aggregation: "seq-mean-token-sum-norm", horizon },
  "verl.gspo": { ...base, level: "sequence", aggregation: "seq-mean-token-mean" },
  "verl.cispo": { ...base, surrogate: cispo },
  "verl.sapo": { ...base, surrogate: sapo, aggregation: "seq-mean-token-mean" },
  "easyr1.default.token": { ...base, surrogate: dual },
  "easyr1.default.seq": { ...base, surrogate: dual, aggregation: "seq-mean-token-mean" },
  "easyr1.gspo.token": { ...base, level: "sequence" },
  "easyr1.gspo.seq": { ...base, level: "sequence", aggregation: "seq-mean-token-mean" },
  "easyr1.gspo_token.token": { ...base, level: "sequence" },
  "easyr1.gspo_token.seq": { ...base, level: "sequence", aggregation: "seq-mean-token-mean" },
  "easyr1.cispo.token": { ...base, surrogate: cispo },
  "easyr1.cispo.seq": { ...base, surrogate: cispo, aggregation: "seq-mean-token-mean" },
  "easyr1.sapo.token": { ...base, surrogate: sapo },
  "easyr1.sapo.seq": { ...base, surrogate: sapo, aggregation: "seq-mean-token-mean" },
  "openrlhf.ppo": base,
  "openrlhf.token_level_loss=False": { ...base, aggregation: "seq-mean-token-mean" },
  "openrlhf.dual_clip=3.0": { ...base, surrogate: dual },
  "openrlhf.policy_loss_type=gspo": { ...base, level: "sequence", aggregation: "seq-mean-token-mean" },
};

/** Vectors no recipe of ours needs. vespo: a TRL-only loss; its vector also lets the gradient run through the weight TRL detaches. */
export const NOT_COVERED = ["trl.vespo"];

