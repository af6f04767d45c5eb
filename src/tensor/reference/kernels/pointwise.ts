/** Reference element-wise kernels: SwiGLU, GELU (erf), addition, fill. */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import { floats } from "../cpuMemory";
import { expectShape, sizeOf } from "../shapes";

/** gateUp [N, 2F] laid out gate|up → silu(gate)·up */
function gated(gateUp: tf.Tensor): tf.Tensor {
  const [rows, half] = [sizeOf(gateUp, 0), sizeOf(gateUp, 1) / 2];
  const gate = tf.slice(gateUp, [0, 0], [rows, half]);
  const up = tf.slice(gateUp, [0, half], [rows, half]);
  return tf.mul(tf.mul(gate, tf.sigmoid(gate)), up);
}

/** x·Φ(x); tfjs' erf is Abramowitz–Stegun 7.1.26, absolute error ≤ 1.5e-7. */
function erfGelu(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

export const pointwiseKernels: Pick<Kernels, "swiglu" | "swigluGrad" | "gelu" | "geluGrad" | "add" | "fill"> = {
  swiglu(gateUp) {
    if (sizeOf(gateUp, 1) % 2 !== 0)
      throw new Error(`swiglu: gateUp has shape [${gateUp.shape.join(", ")}], expected an even number of columns.`);
    return gated(gateUp);
  },

  swigluGrad(gateUp, dy) {
    expectShape("swigluGrad", "dy", dy, [sizeOf(gateUp, 0), sizeOf(gateUp, 1) / 2]);
    return tf.grad(gated)(gateUp, dy);
  },

  gelu: (x) => erfGelu(x),

  geluGrad(x, dy) {
    expectShape("geluGrad", "dy", dy, x.shape);
    return tf.grad(erfGelu)(x, dy);
  },

  add(a, b) {
    expectShape("add", "b", b, a.shape);
    return tf.add(a, b);
  },

  fill(intoX, value) {
    floats(intoX).fill(value);
  },
};
