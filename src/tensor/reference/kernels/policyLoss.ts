/**
 * The reference policy-gradient loss (kernels.ts): compositions of stock operations, gradients by autodiff; a clamp
 * that binds passes no gradient.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import type { PolicyLossOptions, SurrogateOptions } from "../../policyLossOptions";
import { integers } from "../cpuMemory";
import { expectShape } from "../shapes";

const clamp = (x: tf.Tensor, limit: number): tf.Tensor =>
  Number.isFinite(limit) ? tf.clipByValue(x, -limit, limit) : x;

/** Number of each row's sequence, from its range of rows; masked rows keep one of their own. */
function sequenceIds(sequences: tf.Tensor, live: tf.Tensor): { readonly ids: tf.Tensor1D; readonly count: number } {
  const ranges = integers(sequences);
  const counted = live.dataSync();
  const known = new Map<string, number>();
  const ids = Array.from(counted, (isLive, row) => {
    const range = isLive ? `${ranges[2 * row]}-${ranges[2 * row + 1]}` : "masked";
    const id = known.get(range) ?? known.size;
    known.set(range, id);
    return id;
  });
  return { ids: tf.tensor1d(ids, "int32"), count: known.size };
}

/** A row's value replaced by the mean over its sequence. The map is symmetric, so its gradient is the same map. */
function sequenceMean(x: tf.Tensor, ids: tf.Tensor1D, count: number): tf.Tensor {
  const mean = (of: tf.Tensor): tf.Tensor => {
    const sums = tf.unsortedSegmentSum(of, ids, count);
    const sizes = tf.unsortedSegmentSum(tf.onesLike(of), ids, count);
    return tf.gather(tf.div(sums, sizes), ids);
  };
  return tf.customGrad((of) => ({ value: mean(of as tf.Tensor), gradFunc: (dy: tf.Tensor) => mean(dy) }))(x);
}

interface Surrogate {
  /** Of each row, before its weight. */
  readonly loss: tf.Tensor;
  readonly used: tf.Tensor;
  readonly low: tf.Tensor;
  readonly high: tf.Tensor;
  readonly bounded: tf.Tensor;
}

/** @param constantRatio the same as `ratio` where no gradient may pass (cispo) */
function surrogate(
  ratio: tf.Tensor,
  constantRatio: tf.Tensor,
  logprob: tf.Tensor,
  advantage: tf.Tensor,
  o: SurrogateOptions,
): Surrogate {
  const never = tf.cast(tf.zerosLike(advantage), "bool");
  switch (o.kind) {
    case "clip": {
      const used = Number.isFinite(o.ratioMax) ? tf.minimum(ratio, o.ratioMax) : ratio;
      const clip = tf.clipByValue(used, 1 - o.clipLow, 1 + o.clipHigh);
      const clipped = tf.neg(tf.minimum(tf.mul(used, advantage), tf.mul(clip, advantage)));
      const negative = tf.less(advantage, 0);
      // The condition is on constants only: tfjs would look for a gradient of a comparison otherwise.
      const loss = Number.isFinite(o.dualClip)
        ? tf.where(negative, tf.minimum(clipped, tf.mul(advantage, -o.dualClip)), clipped)
        : clipped;
      return {
        loss,
        used,
        low: tf.logicalAnd(negative, tf.less(used, 1 - o.clipLow)),
        high: tf.logicalAnd(tf.greater(advantage, 0), tf.greater(used, 1 + o.clipHigh)),
        bounded: tf.logicalAnd(negative, tf.logicalOr(tf.notEqual(loss, clipped), tf.notEqual(used, ratio))),
      };
    }
    case "cispo": {
      const used = tf.clipByValue(constantRatio, o.ratioLow, o.ratioHigh);
      return {
        loss: tf.neg(tf.mul(tf.mul(used, advantage), logprob)),
        used,
        low: tf.greater(used, constantRatio),
        high: tf.less(used, constantRatio),
        bounded: never,
      };
    }
    case "sapo": {
      const positive = tf.greater(advantage, 0);
      const tau = tf.where(positive, tf.fill(advantage.shape, o.tauPositive), tf.fill(advantage.shape, o.tauNegative));
      const gate = tf.sigmoid(tf.mul(tau, tf.sub(ratio, 1)));
      return {
        loss: tf.mul(tf.mul(tf.div(-4, tau), gate), advantage),
        used: ratio,
        low: never,
        high: never,
        bounded: never,
      };
    }
    default:
      return o satisfies never;
  }
}

/** The KL estimate of each row, with its clamps. @param sign of log π − log π_ref, through which no gradient passes */
function klEstimate(logprob: tf.Tensor, ref: tf.Tensor, sign: tf.Tensor, o: PolicyLossOptions): tf.Tensor {
  const d = tf.sub(logprob, ref);
  switch (o.klEstimator) {
    case "k1":
      return clamp(d, o.klValueClamp);
    case "abs":
      // tfjs gives |d| the slope −1 at 0, where it has none.
      return clamp(tf.mul(d, sign), o.klValueClamp);
    case "k2":
      return clamp(tf.mul(tf.mul(d, d), 0.5), o.klValueClamp);
    case "k3": {
      const x = clamp(tf.neg(d), o.klExponentClamp);
      return clamp(tf.sub(tf.sub(tf.exp(x), x), 1), o.klValueClamp);
    }
    default:
      return o.klEstimator satisfies never;
  }
}

export const policyLossKernels: Pick<Kernels, "policyLoss"> = {
  policyLoss(logprob, oldLogprob, refLogprob, advantage, weight, sequences, options) {
    for (const [name, tensor] of Object.entries({ oldLogprob, refLogprob, advantage, weight }))
      expectShape("policyLoss", name, tensor, logprob.shape);
    if (options.level === "sequence") {
      if (sequences === null) throw new Error("policyLoss: at sequence level it needs the rows of each sequence.");
      expectShape("policyLoss", "sequences", sequences, [logprob.size, 2]);
    }
    // Masked rows are replaced before any exp: whatever they hold cannot reach a sum or a gradient.
    const live = tf.notEqual(weight, 0);
    const keep = (x: tf.Tensor): tf.Tensor => tf.where(live, x, tf.zerosLike(x));
    const [old, ref, adv] = [keep(oldLogprob), keep(refLogprob), keep(advantage)];
    const shared = options.level === "sequence" && sequences !== null ? sequenceIds(sequences, live) : null;
    const logRatioOf = (lp: tf.Tensor): tf.Tensor => clamp(tf.sub(lp, old), options.logRatioClamp);
    const ratioOf = (lp: tf.Tensor): tf.Tensor => {
      const logRatio = logRatioOf(lp);
      return tf.exp(shared === null ? logRatio : sequenceMean(logRatio, shared.ids, shared.count));
    };
    const current = keep(logprob);
    const ratioNow = ratioOf(current);
    const sign = tf.sign(tf.sub(current, ref));
    const rowLoss = (lp: tf.Tensor): tf.Tensor => {
      const { loss } = surrogate(ratioOf(lp), ratioNow, lp, adv, options.surrogate);
      const penalised =
        options.beta === 0 ? loss : tf.add(loss, tf.mul(klEstimate(lp, ref, sign, options), options.beta));
      return tf.mul(weight, penalised);
    };
    const { used, low, high, bounded } = surrogate(ratioNow, ratioNow, current, adv, options.surrogate);
    const count = (where: tf.Tensor): tf.Tensor => tf.sum(tf.cast(tf.logicalAnd(live, where), "float32"));
    const stats = tf.stack([
      tf.sum(rowLoss(current)),
      count(live),
      tf.sum(keep(used)),
      tf.sum(keep(tf.neg(logRatioOf(current)))),
      tf.sum(keep(klEstimate(current, ref, sign, options))),
      count(low),
      count(high),
      count(bounded),
    ]);
    return { dLogprob: tf.grad(rowLoss)(current), stats };
  },
};
