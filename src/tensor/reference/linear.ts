/**
 * Reference linear maps: embedding, Linear with plain and packed weights, LoRA up-projection, RMSNorm.
 * Forward passes are compositions of stock operations; gradients are what tfjs' autodiff makes of them.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Columns, Kernels, Weight } from "../kernels";
import { accumulate, integers, tensorOver } from "./cpuMemory";
import { expectShape, sizeOf } from "./shapes";
import { unpackHalf, unpackInt4 } from "./unpacking";

/** The weight's values [out, in] as an f32 tensor (the tensor itself if it is stored so). */
export function plainWeight(kernel: string, weight: Weight): tf.Tensor2D {
  const { out, in: columns } = weight;
  if (weight.format === "f32") {
    expectShape(kernel, "weight.values", weight.values, [out, columns]);
    return tf.reshape(weight.values, [out, columns]);
  }
  if (weight.format === "f16") {
    expectShape(kernel, "weight.packed", weight.packed, [out, columns / 2]);
    return tf.reshape(tensorOver(unpackHalf(integers(weight.packed)), [out, columns]), [out, columns]);
  }
  expectShape(kernel, "weight.packed", weight.packed, [out, columns / 8]);
  expectShape(kernel, "weight.scales", weight.scales, [out, Math.ceil(columns / 64)]);
  return tf.reshape(tensorOver(unpackInt4(integers(weight.packed), integers(weight.scales), columns), [out, columns]), [
    out,
    columns,
  ]);
}

/** x [N, in] · Wᵀ → [N, out] */
export function timesTransposed(x: tf.Tensor, weight: tf.Tensor): tf.Tensor {
  return tf.matMul(x, weight, false, true);
}

/** Rows of table and features stacked; id ≥ 0 is a table row, −1−k is feature row k. */
function lookUp(table: tf.Tensor, features: tf.Tensor | null, ids: tf.Tensor): tf.Tensor {
  const rows = sizeOf(table, 0);
  const stacked = features ? tf.concat([table, features], 0) : table;
  const index = Array.from(integers(ids), (id) => (id >= 0 ? id : rows - 1 - id));
  const worst = Math.max(...index);
  if (worst >= sizeOf(stacked, 0))
    throw new Error(
      `embedding: ids reach row ${worst} of a table and features of ${sizeOf(stacked, 0)} rows together.`,
    );
  return tf.gather(stacked, tf.tensor1d(index, "int32"), 0);
}

function normalise(x: tf.Tensor, weight: tf.Tensor, eps: number): tf.Tensor {
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps))), weight);
}

function upProject(h: tf.Tensor, b: tf.Tensor, scale: number): tf.Tensor {
  return tf.mul(timesTransposed(h, b), scale);
}

function checkLora(kernel: string, y: tf.Tensor, columns: Columns, h: tf.Tensor, b: tf.Tensor): void {
  expectShape(kernel, "b", b, [columns.count, null]);
  expectShape(kernel, "h", h, [sizeOf(y, 0), sizeOf(b, 1)]);
  if (columns.offset < 0 || columns.offset + columns.count > sizeOf(y, 1)) {
    throw new Error(
      `${kernel}: columns [${columns.offset}, ${columns.offset + columns.count}) lie outside a matrix of ${sizeOf(y, 1)} columns.`,
    );
  }
}

export const linearKernels: Pick<
  Kernels,
  | "embedding"
  | "embeddingGrad"
  | "rmsNorm"
  | "rmsNormGrad"
  | "linear"
  | "linearGradInput"
  | "linearGradWeight"
  | "loraApply"
  | "loraApplyGrad"
> = {
  embedding(table, features, ids) {
    expectShape("embedding", "features", features, [null, table.in]);
    return lookUp(plainWeight("embedding", table), features, ids);
  },

  embeddingGrad(dy, ids, intoTable, intoFeatures) {
    const width = sizeOf(dy, 1);
    expectShape("embeddingGrad", "dy", dy, [sizeOf(ids, 0), width]);
    expectShape("embeddingGrad", "intoTable", intoTable, [null, width]);
    expectShape("embeddingGrad", "intoFeatures", intoFeatures, [null, width]);
    // The map is linear, so its gradient may be taken at zero; an absent target still needs rows to stand for it.
    const values = Array.from(integers(ids));
    const tableRows = intoTable ? sizeOf(intoTable, 0) : Math.max(0, ...values) + 1;
    const featureRows = intoFeatures ? sizeOf(intoFeatures, 0) : Math.max(0, ...values.map((id) => -1 - id)) + 1;
    const [dTable, dFeatures] = tf.grads((table, features) => lookUp(table!, features!, ids))(
      [tf.zeros([tableRows, width]), tf.zeros([featureRows, width])],
      dy,
    );
    accumulate(intoTable, dTable!);
    accumulate(intoFeatures, dFeatures!);
  },

  rmsNorm(x, weight, eps) {
    expectShape("rmsNorm", "weight", weight, [sizeOf(x, 1)]);
    return normalise(x, weight, eps);
  },

  rmsNormGrad(x, weight, dy, eps, residual, intoWeight) {
    expectShape("rmsNormGrad", "weight", weight, [sizeOf(x, 1)]);
    expectShape("rmsNormGrad", "dy", dy, x.shape);
    expectShape("rmsNormGrad", "residual", residual, x.shape);
    expectShape("rmsNormGrad", "intoWeight", intoWeight, weight.shape);
    const [dx, dWeight] = tf.grads((a, w) => normalise(a!, w!, eps))([x, weight], dy);
    accumulate(intoWeight, dWeight!);
    return residual ? tf.add(dx!, residual) : dx!;
  },

  linear(x, weight, bias, residual) {
    expectShape("linear", "x", x, [null, weight.in]);
    expectShape("linear", "bias", bias, [weight.out]);
    expectShape("linear", "residual", residual, [sizeOf(x, 0), weight.out]);
    let y = timesTransposed(x, plainWeight("linear", weight));
    if (bias) y = tf.add(y, bias);
    return residual ? tf.add(y, residual) : y;
  },

  linearGradInput(dy, weight, add) {
    expectShape("linearGradInput", "dy", dy, [null, weight.out]);
    expectShape("linearGradInput", "add", add, [sizeOf(dy, 0), weight.in]);
    const dx = tf.grad((x) => timesTransposed(x, plainWeight("linearGradInput", weight)))(
      tf.zeros([sizeOf(dy, 0), weight.in]),
      dy,
    );
    return add ? tf.add(dx, add) : dx;
  },

  linearGradWeight(x, dy, intoWeight, intoBias) {
    const [columns, out] = [sizeOf(x, 1), sizeOf(dy, 1)];
    expectShape("linearGradWeight", "dy", dy, [sizeOf(x, 0), out]);
    expectShape("linearGradWeight", "intoWeight", intoWeight, [out, columns]);
    expectShape("linearGradWeight", "intoBias", intoBias, [out]);
    const [dWeight, dBias] = tf.grads((w, b) => tf.add(timesTransposed(x, w!), b!))(
      [tf.zeros([out, columns]), tf.zeros([out])],
      dy,
    );
    accumulate(intoWeight, dWeight!);
    accumulate(intoBias, dBias!);
  },

  loraApply(intoY, columns, h, b, scale) {
    checkLora("loraApply", intoY, columns, h, b);
    const [rows, width] = [sizeOf(intoY, 0), sizeOf(intoY, 1)];
    const margin: [number, number][] = [
      [0, 0],
      [columns.offset, width - columns.offset - columns.count],
    ];
    accumulate(intoY, tf.pad(tf.reshape(upProject(h, b, scale), [rows, columns.count]), margin));
  },

  loraApplyGrad(dy, columns, h, b, scale, intoB) {
    checkLora("loraApplyGrad", dy, columns, h, b);
    expectShape("loraApplyGrad", "intoB", intoB, b.shape);
    const dUp = tf.slice(dy, [0, columns.offset], [sizeOf(dy, 0), columns.count]);
    const [dh, dB] = tf.grads((down, up) => upProject(down!, up!, scale))([h, b], dUp);
    accumulate(intoB, dB!);
    return dh!;
  },
};
