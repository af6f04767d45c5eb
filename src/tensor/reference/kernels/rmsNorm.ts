/** Reference RMSNorm; gradient by tfjs' autodiff. */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import { accumulate } from "../cpuMemory";
import { expectShape, sizeOf } from "../shapes";

function normalise(x: tf.Tensor, weight: tf.Tensor, eps: number): tf.Tensor {
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps))), weight);
}

export const rmsNormKernels: Pick<Kernels, "rmsNorm" | "rmsNormGrad"> = {
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
};
