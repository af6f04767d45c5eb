/** Weights in any format as plain f32 matrices, and the product with one. */
import * as tf from "@tensorflow/tfjs-core";
import type { Weight } from "../kernels";
import { integers, tensorOver } from "./cpuMemory";
import { expectShape } from "./shapes";
import { unpackF16, unpackInt4 } from "./unpacking";

/** The weight's values [out, in] as an f32 tensor (the tensor itself if it is stored so). */
export function plainWeight(kernel: string, weight: Weight): tf.Tensor2D {
  const { out, in: columns } = weight;
  if (weight.format === "f32") {
    expectShape(kernel, "weight.values", weight.values, [out, columns]);
    return tf.reshape(weight.values, [out, columns]);
  }
  if (weight.format === "f16") {
    expectShape(kernel, "weight.packed", weight.packed, [out, columns / 2]);
    return tf.reshape(tensorOver(unpackF16(integers(weight.packed)), [out, columns]), [out, columns]);
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
