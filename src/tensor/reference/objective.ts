/**
 * Reference objectives: log-probabilities of given tokens from a linear head, and the clipped policy-gradient
 * loss (PPO's surrogate; dual clip of Ye et al. 2020; k3 penalty of Schulman; ratio cap of SRPO). Gradients
 * by autodiff, where a clamp that binds passes nothing.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels, PolicyLossOptions } from "../kernels";
import { accumulate, integers } from "./cpuMemory";
import { plainWeight, timesTransposed } from "./linear";
import { expectShape, sizeOf } from "./shapes";

/** 1 for rows with a target, 0 for skipped ones (target −1). → f32 [N] */
function keptRows(targets: tf.Tensor): tf.Tensor {
  return tf.tensor1d(
    Array.from(integers(targets), (t) => (t >= 0 ? 1 : 0)),
    "float32",
  );
}

function scaledLogits(hidden: tf.Tensor, head: tf.Tensor, temperature: number): tf.Tensor {
  return tf.div(timesTransposed(hidden, head), temperature);
}

/** log p(target) per row, 0 for skipped rows: an all-zero one-hot row picks nothing. */
function pickedLogprobs(logits: tf.Tensor, targets: tf.Tensor): tf.Tensor {
  const chosen = tf.oneHot(tf.cast(targets, "int32"), sizeOf(logits, 1), 1, 0);
  return tf.sum(tf.mul(tf.logSoftmax(logits), tf.cast(chosen, "float32")), -1);
}

function checkHead(kernel: string, hidden: tf.Tensor, columns: number, targets: tf.Tensor): void {
  expectShape(kernel, "hidden", hidden, [null, columns]);
  expectShape(kernel, "targets", targets, [sizeOf(hidden, 0)]);
}

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

/** Rows of logits held at a time. */
const ROW_BLOCK = 64;

/** `use` of every block of rows, freeing what it made but its results. */
function rowBlocks<T extends tf.TensorContainer>(
  hidden: tf.Tensor,
  targets: tf.Tensor,
  use: (hidden: tf.Tensor, targets: tf.Tensor, first: number) => T,
): T[] {
  const rows = sizeOf(hidden, 0);
  return Array.from({ length: Math.max(1, Math.ceil(rows / ROW_BLOCK)) }, (_, i) =>
    tf.tidy(() => {
      const first = i * ROW_BLOCK;
      const count = Math.min(ROW_BLOCK, rows - first);
      return use(tf.slice(hidden, [first, 0], [count, sizeOf(hidden, 1)]), tf.slice(targets, [first], [count]), first);
    }),
  );
}

export const objectiveKernels: Pick<Kernels, "tokenLogprobs" | "tokenLogprobsGrad" | "policyLoss"> = {
  tokenLogprobs(hidden, head, targets, temperature) {
    checkHead("tokenLogprobs", hidden, head.in, targets);
    const weight = plainWeight("tokenLogprobs", head);
    const blocks = rowBlocks(hidden, targets, (h, t) => {
      const logits = scaledLogits(h, weight, temperature);
      const logp = tf.logSoftmax(logits);
      const kept = keptRows(t);
      return {
        logprob: pickedLogprobs(logits, t),
        lse: tf.mul(tf.logSumExp(logits, -1), kept),
        entropy: tf.mul(tf.neg(tf.sum(tf.mul(tf.exp(logp), logp), -1)), kept),
      };
    });
    return {
      logprob: tf.concat(blocks.map(({ logprob }) => logprob)),
      lse: tf.concat(blocks.map(({ lse }) => lse)),
      entropy: tf.concat(blocks.map(({ entropy }) => entropy)),
    };
  },

  tokenLogprobsGrad(hidden, head, targets, lse, dLogprob, temperature, intoHead) {
    checkHead("tokenLogprobsGrad", hidden, head.in, targets);
    expectShape("tokenLogprobsGrad", "lse", lse, [sizeOf(hidden, 0)]);
    expectShape("tokenLogprobsGrad", "dLogprob", dLogprob, [sizeOf(hidden, 0)]);
    expectShape("tokenLogprobsGrad", "intoHead", intoHead, [head.out, head.in]);
    const weight = plainWeight("tokenLogprobsGrad", head);
    return tf.concat(
      rowBlocks(hidden, targets, (h, t, first) => {
        const [dHidden, dHead] = tf.grads((x, w) => pickedLogprobs(scaledLogits(x!, w!, temperature), t))(
          [h, weight],
          tf.slice(dLogprob, [first], [t.size]),
        );
        accumulate(intoHead, dHead!);
        return dHidden!;
      }),
    );
  },

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
