/**
 * How each loss of grpo_vectors.json and of recipe_vectors.json was made, in our words, and its rows: for the tests of
 * the objective and of the kernels.
 */
import type { ObjectiveRow, ObjectiveSettings } from "../objective";
import type { Surrogate } from "../surrogate";
import { recipeVectors } from "./recipeVectors";
import { vectors } from "./vectors";

export const goldenRows: readonly ObjectiveRow[] = vectors.lens.map((length, i) => ({
  length,
  logp: vectors.logp[i] ?? [],
  oldLogp: vectors.old_logp[i] ?? [],
  refLogp: vectors.ref_logp[i] ?? [],
  advantage: vectors.loss_advantages[i] ?? NaN,
}));

const recipe = recipeVectors.policyLosses;
export const recipeRows: readonly ObjectiveRow[] = recipe.lengths.map((length, i) => ({
  length,
  logp: recipe.logp[i] ?? [],
  oldLogp: recipe.oldLogp[i] ?? [],
  advantage: recipe.advantages[i] ?? NaN,
}));
/** The truncated rows have no tokens in the loss. */
export const truncatedRows: readonly ObjectiveRow[] = recipeRows.map((row, i) =>
  recipeVectors.truncation.truncated.includes(i) ? { ...row, length: 0 } : row,
);

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

/**
 * Vectors no recipe of ours needs. vespo: a TRL-only loss; its vector also lets the gradient run through the weight TRL
 * detaches.
 */
export const NOT_COVERED = ["trl.vespo"];

const trlSequence: ObjectiveSettings = { ...trl, level: "sequence", aggregation: "seq-mean-token-mean" };
const gspo: ObjectiveSettings = { ...base, level: "sequence", aggregation: "seq-mean-token-mean" };
const gspoClip = clip({ clipLow: 3e-4, clipHigh: 4e-4 });
const capped = (ratioLow: number, ratioHigh: number): Surrogate => ({ kind: "cispo", ratioLow, ratioHigh });

/** The losses of recipe_vectors.json, whose ratios reach from 0.3 to 3. */
export const RECIPE_OBJECTIVES: Readonly<Record<string, ObjectiveSettings>> = {
  "trl.grpo.sequence": trlSequence,
  "trl.grpo.sequence[eps=0.0003,eps_high=0.0004]": { ...trlSequence, surrogate: gspoClip },
  "trl.gspo_token": { ...trlSequence, surrogate: clip({ clipHigh: 0.28 }) },
  "trl.luspo.sequence": { ...trlSequence, aggregation: "seq-mean-token-sum" },
  "trl.cispo[eps_high=1.5]": { ...trl, surrogate: capped(0, 1.5) },
  "trl.sapo": { ...trl, surrogate: sapo, aggregation: "seq-mean-token-mean" },
  "trl.sapo[tau=2,3]": {
    ...trl,
    surrogate: { kind: "sapo", tauPositive: 2, tauNegative: 3 },
    aggregation: "seq-mean-token-mean",
  },
  "trl.dapo[eps_high=0.28]": { ...trl, surrogate: clip({ clipHigh: 0.28 }) },
  "trl.dapo[delta=2]": { ...trl, surrogate: clip({ ratioMax: 2 }) },
  "verl.gspo": gspo,
  "verl.gspo[clip=0.0003,0.0004]": { ...gspo, surrogate: gspoClip },
  "verl.cispo": { ...base, surrogate: cispo },
  "verl.cispo[clip=10,0.2]": { ...base, surrogate: capped(1 - 10, 1.2) },
  "verl.sapo": { ...base, surrogate: sapo, aggregation: "seq-mean-token-mean" },
  "verl.vanilla[clip=0.2,0.28]": { ...base, surrogate: clip({ clipHigh: 0.28, dualClip: 3 }) },
  "verl.vanilla[clip_c=2]": { ...base, surrogate: clip({ dualClip: 2 }) },
};

/** The losses of recipe_vectors.json with truncated rows masked. */
export const TRUNCATED_OBJECTIVES: Readonly<Record<string, ObjectiveSettings>> = {
  "trl.grpo": { ...trl, aggregation: "seq-mean-token-mean" },
  "trl.dapo": trl,
  "trl.dr_grpo": { ...trl, aggregation: "seq-mean-token-sum-norm", horizon: Math.max(...recipe.lengths) },
  "verl.vanilla.token-mean": { ...base, surrogate: dual },
  "verl.vanilla.seq-mean-token-mean": { ...base, surrogate: dual, aggregation: "seq-mean-token-mean" },
};
