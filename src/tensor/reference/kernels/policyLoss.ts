/**
 * Reference policy-gradient loss (PPO's surrogate; dual clip of Ye et al. 2020; k3 penalty of Schulman; ratio cap of
 * SRPO). Gradients by autodiff, where a clamp that binds passes nothing.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels, PolicyLossOptions } from "../../kernels";
import { expectShape } from "../shapes";

const capped = (x: tf.Tensor, limit: number): tf.Tensor => (Number.isFinite(limit) ? tf.minimum(x, limit) : x);
const clamped = (x: tf.Tensor, limit: number): tf.Tensor =>
  Number.isFinite(limit) ? tf.clipByValue(x, -limit, limit) : x;

interface Surrogate {
  readonly ratio: tf.Tensor;
  readonly logRatio: tf.Tensor;
  readonly k3: tf.Tensor;
  /** −min(r·A, clip(r)·A) before and after the dual clip. */
  readonly clipped: tf.Tensor;
  readonly dual: tf.Tensor;
}

/** All inputs [N], already free of masked rows' values. */
function surrogate(
  logprob: tf.Tensor,
  old: tf.Tensor,
  ref: tf.Tensor,
  advantage: tf.Tensor,
  o: PolicyLossOptions,
): Surrogate {
  const logRatio = clamped(tf.sub(logprob, old), o.logRatioClamp);
  const ratio = capped(tf.exp(logRatio), o.ratioMax);
  const clipped = tf.neg(
    tf.minimum(tf.mul(ratio, advantage), tf.mul(tf.clipByValue(ratio, 1 - o.clipLow, 1 + o.clipHigh), advantage)),
  );
  // The condition is on constants only: tfjs would look for a gradient of a comparison otherwise.
  const dual = Number.isFinite(o.dualClip)
    ? tf.where(tf.less(advantage, 0), tf.minimum(clipped, tf.mul(advantage, -o.dualClip)), clipped)
    : clipped;
  const d = clamped(tf.sub(ref, logprob), o.logRatioClamp);
  return { ratio, logRatio, k3: tf.sub(tf.sub(tf.exp(d), d), 1), clipped, dual };
}

export const policyLossKernels: Pick<Kernels, "policyLoss"> = {
  policyLoss(logprob, oldLogprob, refLogprob, advantage, weight, options) {
    for (const [name, tensor] of Object.entries({ oldLogprob, refLogprob, advantage, weight }))
      expectShape("policyLoss", name, tensor, logprob.shape);
    // Masked rows are replaced before any exp: whatever they hold cannot reach a sum or a gradient.
    const live = tf.notEqual(weight, 0);
    const keep = (x: tf.Tensor): tf.Tensor => tf.where(live, x, tf.zerosLike(x));
    const [old, ref, adv] = [keep(oldLogprob), keep(refLogprob), keep(advantage)];
    const rowLoss = (lp: tf.Tensor): tf.Tensor => {
      const s = surrogate(lp, old, ref, adv, options);
      return tf.mul(weight, options.beta === 0 ? s.dual : tf.add(s.dual, tf.mul(s.k3, options.beta)));
    };
    const current = keep(logprob);
    const s = surrogate(current, old, ref, adv, options);
    const count = (where: tf.Tensor): tf.Tensor => tf.sum(tf.cast(tf.logicalAnd(live, where), "float32"));
    const zeroAdv = tf.zerosLike(adv);
    const stats = tf.stack([
      tf.sum(rowLoss(current)),
      count(live),
      tf.sum(keep(s.ratio)),
      tf.sum(keep(tf.neg(s.logRatio))),
      tf.sum(keep(s.k3)),
      count(tf.logicalAnd(tf.less(adv, zeroAdv), tf.less(s.ratio, 1 - options.clipLow))),
      count(tf.logicalAnd(tf.greater(adv, zeroAdv), tf.greater(s.ratio, 1 + options.clipHigh))),
      count(tf.notEqual(s.dual, s.clipped)),
    ]);
    return { dLogprob: tf.grad(rowLoss)(current), stats };
  },
};
