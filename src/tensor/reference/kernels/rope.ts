/** Reference rotary position embedding, rotate-half pairing. */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import { floats } from "../cpuMemory";
import { expectShape, sizeOf } from "../shapes";

/** Rotate-half on [N, heads, headDim]: (a, b) → (a·cos − b·sin, b·cos + a·sin), halves paired. */
function rotate(x: tf.Tensor3D, cos: tf.Tensor, sin: tf.Tensor): tf.Tensor {
  const [rows, heads, headDim] = x.shape;
  const half = headDim / 2;
  const c = tf.reshape(cos, [rows, 1, half]);
  const s = tf.reshape(sin, [rows, 1, half]);
  const a = tf.slice(x, [0, 0, 0], [rows, heads, half]);
  const b = tf.slice(x, [0, 0, half], [rows, heads, half]);
  return tf.concat([tf.sub(tf.mul(a, c), tf.mul(b, s)), tf.add(tf.mul(b, c), tf.mul(a, s))], 2);
}

export const ropeKernels: Pick<Kernels, "rope"> = {
  rope(intoX, cos, sin, heads, headDim, inverse) {
    const rows = sizeOf(intoX, 0);
    const width = sizeOf(intoX, 1);
    expectShape("rope", "cos", cos, [rows, headDim / 2]);
    expectShape("rope", "sin", sin, [rows, headDim / 2]);
    if (heads * headDim > width)
      throw new Error(`rope: x has shape [${intoX.shape.join(", ")}], expected at least ${heads * headDim} columns.`);
    const x = tf.reshape(tf.slice(intoX, [0, 0], [rows, heads * headDim]), [rows, heads, headDim]) as tf.Tensor3D;
    // A rotation's transpose is its inverse, so the inverse is the gradient of the forward rotation.
    const rotated = floats(inverse ? tf.grad((at) => rotate(at as tf.Tensor3D, cos, sin))(x, x) : rotate(x, cos, sin));
    const target = floats(intoX);
    for (let n = 0; n < rows; n++)
      target.set(rotated.subarray(n * heads * headDim, (n + 1) * heads * headDim), n * width);
  },
};
