/**
 * Reference attention: a dense softmax over all keys under a mask made from the row ranges. Quadratic in memory,
 * which the small sequences of tests can afford.
 */
import * as tf from "@tensorflow/tfjs-core";
import { cacheColumns, isF16Cache, unpackCache } from "../../cacheF16";
import type { AttentionShape, Kernels } from "../../kernels";
import { integers } from "../cpuMemory";
import { expectShape, sizeOf } from "../shapes";

/** Large enough to vanish in a softmax, small enough never to overflow. */
const MASKED = -1e9;

/** 1 where query row n may see key row j, from visible [Nq, 4]. → f32 [Nq, Nk] */
function visibilityMask(visible: tf.Tensor, keys: number, cacheOffset: number): tf.Tensor2D {
  const ranges = integers(visible);
  const queries = sizeOf(visible, 0);
  const mask = new Float32Array(queries * keys);
  for (let n = 0; n < queries; n++) {
    const [v0, v1, v2, v3] = [ranges[4 * n]!, ranges[4 * n + 1]!, ranges[4 * n + 2]!, ranges[4 * n + 3]!];
    const end = v3 > v2 ? v3 + cacheOffset : v3;
    if ((v1 > v0 && (v0 < 0 || v1 > keys)) || (end > v2 && (v2 < 0 || end > keys))) {
      throw new Error(
        `attention: query row ${n} sees rows [${v0}, ${v1}) and [${v2}, ${end}), outside the ${keys} rows of kv.`,
      );
    }
    if (v1 > v0) mask.fill(1, n * keys + v0, n * keys + v1);
    if (end > v2) mask.fill(1, n * keys + v2, n * keys + end);
  }
  return tf.tensor2d(mask, [queries, keys]);
}

/** Columns [offset, offset + heads·headDim) of x as [heads, N, headDim]. */
function splitHeads(x: tf.Tensor, offset: number, heads: number, headDim: number): tf.Tensor3D {
  const rows = sizeOf(x, 0);
  return tf.transpose(tf.reshape(tf.slice(x, [0, offset], [rows, heads * headDim]), [rows, heads, headDim]), [1, 0, 2]);
}

/** Dense masked attention. → out [Nq, heads·headDim], lse [Nq, heads] (0 for a query that sees nothing) */
function denseAttention(
  q: tf.Tensor,
  kv: tf.Tensor,
  visible: tf.Tensor,
  shape: AttentionShape,
): { out: tf.Tensor; lse: tf.Tensor } {
  const { heads, kvHeads, headDim } = shape;
  const mask = visibilityMask(visible, sizeOf(kv, 0), shape.cacheOffset ?? 0); // [Nq, Nk]
  // Query head h reads key/value head floor(h · kvHeads / heads).
  const group = tf.tensor1d(
    Array.from({ length: heads }, (_, h) => Math.floor((h * kvHeads) / heads)),
    "int32",
  );
  const query = splitHeads(q, shape.qOffset, heads, headDim); // [H, Nq, d]
  const key = tf.gather(splitHeads(kv, shape.kOffset, kvHeads, headDim), group, 0); // [H, Nk, d]
  const value = tf.gather(splitHeads(kv, shape.vOffset, kvHeads, headDim), group, 0);
  const scores = tf.mul(tf.matMul(query, key, false, true), 1 / Math.sqrt(headDim)); // [H, Nq, Nk]
  const seen = tf.broadcastTo(tf.expandDims(mask, 0), scores.shape);
  const masked = tf.where(tf.greater(seen, 0), scores, tf.fill(scores.shape, MASKED));
  const weights = tf.mul(tf.softmax(masked), seen); // a query that sees nothing gets no weight at all
  const out = tf.reshape(tf.transpose(tf.matMul(weights, value), [1, 0, 2]), [sizeOf(q, 0), heads * headDim]);
  const sees = tf.max(seen, -1); // [H, Nq]
  const lse = tf.transpose(tf.mul(tf.logSumExp(masked, -1), sees), [1, 0]);
  return { out, lse };
}

function checkAttention(kernel: string, q: tf.Tensor, kv: tf.Tensor, visible: tf.Tensor, shape: AttentionShape): void {
  expectShape(kernel, "visible", visible, [sizeOf(q, 0), 4]);
  const { heads, kvHeads, headDim, qOffset, kOffset, vOffset } = shape;
  if (qOffset + heads * headDim > sizeOf(q, 1))
    throw new Error(
      `${kernel}: q has shape [${q.shape.join(", ")}], expected at least ${qOffset + heads * headDim} columns.`,
    );
  const needed = Math.max(kOffset, vOffset) + kvHeads * headDim;
  if (needed > sizeOf(kv, 1))
    throw new Error(`${kernel}: kv has shape [${kv.shape.join(", ")}], expected at least ${needed} columns.`);
}

export const attentionKernels: Pick<Kernels, "attention" | "attentionGrad"> = {
  attention(q, kv, visible, shape) {
    const values = isF16Cache(kv) ? tf.tensor2d(unpackCache(integers(kv)), [sizeOf(kv, 0), cacheColumns(kv)]) : kv;
    checkAttention("attention", q, values, visible, shape);
    if (isF16Cache(kv) && shape.headDim % 4 !== 0)
      throw new Error(`attention: an f16 cache needs heads of a multiple of 4 columns, got ${shape.headDim}.`);
    return denseAttention(q, values, visible, shape);
  },

  attentionGrad(qkv, visible, seenBy, out, lse, dOut, shape) {
    checkAttention("attentionGrad", qkv, qkv, visible, shape);
    const rows = sizeOf(qkv, 0);
    expectShape("attentionGrad", "qkv", qkv, [rows, (shape.heads + 2 * shape.kvHeads) * shape.headDim]);
    expectShape("attentionGrad", "seenBy", seenBy, [rows, 2]);
    expectShape("attentionGrad", "out", out, [rows, shape.heads * shape.headDim]);
    expectShape("attentionGrad", "lse", lse, [rows, shape.heads]);
    expectShape("attentionGrad", "dOut", dOut, out.shape);
    // seenBy, out and lse help the fast backends; autodiff recomputes what it needs.
    return tf.grad((x) => denseAttention(x, x, visible, shape).out)(qkv, dOut);
  },
};
