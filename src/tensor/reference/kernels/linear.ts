/** Reference linear layers; gradients by tfjs' autodiff of the matrix product. */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import { accumulate } from "../cpuMemory";
import { plainWeight, timesTransposed } from "../plainWeight";
import { expectShape, sizeOf } from "../shapes";

export const linearKernels: Pick<Kernels, "linear" | "linearGradInput" | "linearGradWeight"> = {
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
};
