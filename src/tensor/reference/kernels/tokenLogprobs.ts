/** Reference log-probabilities of given tokens from a linear head, in blocks of rows. */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import { accumulate, integers } from "../cpuMemory";
import { plainWeight, timesTransposed } from "../plainWeight";
import { expectShape, sizeOf } from "../shapes";

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

/** Rows of logits held at a time. */
const ROW_BLOCK = 64;

/** Runs `use` on every block of rows and disposes everything but its results. */
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

export const tokenLogprobsKernels: Pick<Kernels, "tokenLogprobs" | "tokenLogprobsGrad"> = {
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
};
