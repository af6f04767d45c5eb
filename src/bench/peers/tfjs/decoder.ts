/**
 * The policy's decoder written with plain tf.* operations, as a user of TensorFlow.js would: rectangular batches, 2-D
 * products (broadcast ones have no gradient), batched attention with an added mask, the embedding as a product with
 * one-hot rows (`gather` has no gradient on wasm). Mathematically the decoder of src/policy/layers/decoder.ts.
 */
import * as tf from "@tensorflow/tfjs";
import type { DecoderShape } from "../../job";
import { NORM_EPSILON, stackedWeights, type Values } from "../../workload";

/** −1e9 rather than −∞: NaN must not arise on a GPU. */
const MASKED = -1e9;

export interface TfjsLayer<T> {
  readonly norm1: T;
  readonly qkv: T;
  readonly qkvBias: T;
  readonly o: T;
  readonly norm2: T;
  readonly gateUp: T;
  readonly down: T;
}

export interface TfjsWeights<T> {
  readonly table: T;
  readonly layers: readonly TfjsLayer<T>[];
  readonly norm: T;
}

/** Keys and values of one layer [rows, heads, length, headDim]. */
export type LayerCache = {
  readonly k: tf.Tensor;
  readonly v: tf.Tensor;
};

export function makeWeights<T extends tf.Tensor>(shape: DecoderShape, make: (values: Values) => T): TfjsWeights<T> {
  const weights = stackedWeights(shape, 0);
  return {
    table: make(weights.table),
    layers: weights.layers.map(({ norm1, qkv, qkvBias, o, norm2, gateUp, down }) => ({
      norm1: make(norm1),
      qkv: make(qkv),
      qkvBias: make(qkvBias),
      o: make(o),
      norm2: make(norm2),
      gateUp: make(gateUp),
      down: make(down),
    })),
    norm: make(weights.norm),
  };
}

/** The causal mask, added to scores [1, 1, length, length]. */
export function causalMask(length: number): tf.Tensor {
  return tf.tensor4d(
    Float32Array.from({ length: length * length }, (_, i) => (i % length <= Math.floor(i / length) ? 0 : MASKED)),
    [1, 1, length, length],
  );
}

/** x / sqrt(mean(x²) + ε) · weight; x [N, D], weight [D] → [N, D] */
export function rmsNorm(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), NORM_EPSILON))), weight);
}

/** x [N, in] · Wᵀ */
export function linear(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  return tf.matMul(x, weight, false, true);
}

/** Rotate-half pairing; x [B, H, T, headDim], cos and sin [1, 1, T, headDim/2]. */
export function rotate(x: tf.Tensor, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const [first, second] = halves(x, 3);
  return tf.concat(
    [tf.sub(tf.mul(first, cos), tf.mul(second, sin)), tf.add(tf.mul(second, cos), tf.mul(first, sin))],
    3,
  );
}

/** silu(gate)·up of gate|up [N, 2F] → [N, F] */
export function swiglu(gateUp: tf.Tensor): tf.Tensor {
  const [gate, up] = halves(gateUp, 1);
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}

function halves(x: tf.Tensor, axis: number): [tf.Tensor, tf.Tensor] {
  const [first, second] = tf.split(x, 2, axis);
  if (first === undefined || second === undefined) throw new Error("tf.split gave no halves.");
  return [first, second];
}

/**
 * Layers over `rows` sequences of `length` new tokens, before the final norm. x [rows·length, D].
 * @param cached keys and values seen before, one entry per layer, to which the new ones are appended; null: none
 * @param mask added to the scores; null where every new token sees everything
 */
export function layers(
  weights: TfjsWeights<tf.Tensor>,
  shape: DecoderShape,
  x: tf.Tensor,
  rows: number,
  length: number,
  cos: tf.Tensor,
  sin: tf.Tensor,
  mask: tf.Tensor | null,
  cached: readonly LayerCache[] | null,
): { readonly x: tf.Tensor; readonly cache: LayerCache[] } {
  const { heads, hidden } = shape;
  const headDim = hidden / heads;
  const cache: LayerCache[] = [];
  const perHead = (part: tf.Tensor): tf.Tensor =>
    tf.transpose(tf.reshape(part, [rows, length, heads, headDim]), [0, 2, 1, 3]);
  const stream = weights.layers.reduce((x, layer, i) => {
    const qkv = tf.add(linear(rmsNorm(x, layer.norm1), layer.qkv), layer.qkvBias);
    const [q, newK, newV] = tf.split(qkv, 3, 1).map(perHead);
    if (q === undefined || newK === undefined || newV === undefined) throw new Error("tf.split gave no thirds.");
    const earlier = cached?.[i];
    const rotated = rotate(newK, cos, sin);
    const k = earlier === undefined ? rotated : tf.concat([earlier.k, rotated], 2);
    const v = earlier === undefined ? newV : tf.concat([earlier.v, newV], 2);
    cache.push({ k, v });
    const scores = tf.mul(tf.matMul(rotate(q, cos, sin), k, false, true), 1 / Math.sqrt(headDim));
    const seen = tf.softmax(mask === null ? scores : tf.add(scores, mask));
    const attended = tf.reshape(tf.transpose(tf.matMul(seen, v), [0, 2, 1, 3]), [rows * length, hidden]);
    const middle = tf.add(x, linear(attended, layer.o));
    return tf.add(middle, linear(swiglu(linear(rmsNorm(middle, layer.norm2), layer.gateUp)), layer.down));
  }, x);
  return { x: stream, cache };
}
