/** Reference AdamW (Loshchilov & Hutter 2019, torch's order of operations) and the gradient's sum of squares. */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import { floats, overwrite } from "../cpuMemory";
import { expectShape } from "../shapes";

export const adamwKernels: Pick<Kernels, "sumSquares" | "adamw"> = {
  sumSquares: (x) => tf.reshape(tf.sum(tf.square(x)), [1]),

  adamw(intoTheta, grad, intoM, intoV, gradSquares, o) {
    for (const [name, tensor] of Object.entries({ grad, intoM, intoV }))
      expectShape("adamw", name, tensor, intoTheta.shape);
    expectShape("adamw", "gradSquares", gradSquares, [1]);
    const squares = floats(gradSquares)[0]!;
    if (!Number.isFinite(squares)) return tf.tensor1d([Number.NaN]);
    const factor = Math.min(1, o.maxGradNorm / (Math.sqrt(squares) + 1e-6));
    const g = tf.mul(grad, factor);
    const m = tf.add(tf.mul(intoM, o.beta1), tf.mul(g, 1 - o.beta1));
    const v = tf.add(tf.mul(intoV, o.beta2), tf.mul(tf.square(g), 1 - o.beta2));
    const correction1 = 1 - o.beta1 ** o.updateCount;
    const correction2 = 1 - o.beta2 ** o.updateCount;
    const denominator = tf.add(tf.div(tf.sqrt(v), Math.sqrt(correction2)), o.epsilon);
    const decayed = tf.mul(intoTheta, 1 - o.learningRate * o.weightDecay);
    const theta = tf.sub(decayed, tf.mul(tf.div(m, denominator), o.learningRate / correction1));
    const written = [m, v, theta];
    if (!written.every((values) => floats(values).every(Number.isFinite))) return tf.tensor1d([Number.NaN]);
    overwrite(intoM, m);
    overwrite(intoV, v);
    overwrite(intoTheta, theta);
    return tf.tensor1d([0]);
  },
};
