/**
 * A kernel's counterpart in stock TensorFlow.js: a composition of tf.* operations; for a gradient, TensorFlow.js' own
 * autodiff of that composition, which computes the forward pass again. Kernels without an entry have no sensible
 * composition.
 */
import * as tf from "@tensorflow/tfjs";
import type { Contender } from "../../contender";
import type { JobOf } from "../../job";
import { type KernelName, SIZES } from "../../kernelWork";
import { matmulInputs } from "../../workload";
import type { OpenedTfjs } from "./backend";
import { causalMask, linear, rmsNorm, rotate, swiglu } from "./decoder";
import { measured } from "./measured";

const {
  rows: N,
  sequence: T,
  responses: R,
  hidden: D,
  heads: H,
  headDim,
  inner: F,
  vocabulary: V,
  parameters: P,
} = SIZES;
const B = N / T;

export function openKernel(opened: OpenedTfjs, { name }: JobOf<"kernel">): Contender {
  const make = COMPOSITIONS[name];
  if (make === undefined) throw new Error(`stock TensorFlow.js has no composition for ${name}`);
  const inputs: tf.Tensor[] = [];
  const once = make((tensor) => {
    inputs.push(tensor);
    return tensor;
  });
  return {
    check: async () => [],
    run: (units) =>
      measured(opened, 1, async () => {
        for (let i = 1; i < units; i++) tf.dispose(tf.tidy(once));
        const corner = tf.tidy(() => tf.slice(tf.reshape(once(), [-1]), 0, 1));
        await corner.data();
        corner.dispose();
      }),
    async close() {
      tf.dispose(inputs);
    },
  };
}

type Keep = (tensor: tf.Tensor) => tf.Tensor;

let streams = 0;
function floats(keep: Keep, ...shape: number[]): tf.Tensor {
  return keep(
    tf.tensor(
      matmulInputs(
        shape.reduce((a, b) => a * b, 1),
        streams++,
      ),
      shape,
    ),
  );
}

const ids = (keep: Keep): tf.Tensor =>
  keep(
    tf.tensor1d(
      Int32Array.from({ length: N }, (_, i) => (7 * i) % V),
      "int32",
    ),
  );
const oneHot = (indices: tf.Tensor, depth: number): tf.Tensor =>
  tf.cast(tf.oneHot(tf.cast(indices, "int32"), depth), "float32");

/** The gradients of `f` at `xs`, as one tensor to wait for. */
function gradients(f: (...xs: tf.Tensor[]) => tf.Tensor, xs: readonly tf.Tensor[], dy: tf.Tensor): tf.Tensor {
  return last(tf.grads(f)([...xs], dy));
}

function last(tensors: readonly tf.Tensor[]): tf.Tensor {
  const tensor = tensors.at(-1);
  if (tensor === undefined) throw new Error("There is no gradient.");
  return tensor;
}

const required = (tensor: tf.Tensor | undefined): tf.Tensor => {
  if (tensor === undefined) throw new Error("A composition was called without its input.");
  return tensor;
};

function attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor): tf.Tensor {
  return tf.matMul(tf.softmax(tf.add(tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(headDim)), mask)), v);
}

function gelu(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
}

function logprobs(x: tf.Tensor, head: tf.Tensor, targets: tf.Tensor): tf.Tensor {
  return tf.sum(tf.mul(tf.logSoftmax(linear(x, head)), targets), -1);
}

/** For each kernel: make its inputs, and return the composition. */
const COMPOSITIONS: Readonly<Partial<Record<KernelName, (keep: Keep) => () => tf.Tensor>>> = {
  embedding: (keep) => {
    const [table, i] = [floats(keep, V, D), ids(keep)];
    return () => tf.gather(table, i);
  },
  embeddingGrad: (keep) => {
    const [dy, i, sum] = [floats(keep, N, D), ids(keep), floats(keep, V, D)];
    return () => tf.add(sum, tf.matMul(oneHot(i, V), dy, true, false));
  },
  rmsNorm: (keep) => {
    const [x, w] = [floats(keep, N, D), floats(keep, D)];
    return () => rmsNorm(x, w);
  },
  rmsNormGrad: (keep) => {
    const [x, w, dy] = [floats(keep, N, D), floats(keep, D), floats(keep, N, D)];
    return () => gradients((a, b) => rmsNorm(required(a), required(b)), [x, w], dy);
  },
  linear: (keep) => {
    const [x, w, b] = [floats(keep, N, D), floats(keep, 2 * F, D), floats(keep, 2 * F)];
    return () => tf.add(linear(x, w), b);
  },
  linearGradInput: (keep) => {
    const [dy, w] = [floats(keep, N, 2 * F), floats(keep, 2 * F, D)];
    return () => tf.matMul(dy, w);
  },
  linearGradWeight: (keep) => {
    const [x, dy, sum, bias] = [
      floats(keep, N, D),
      floats(keep, N, 2 * F),
      floats(keep, 2 * F, D),
      floats(keep, 2 * F),
    ];
    return () => last([tf.add(bias, tf.sum(dy, 0)), tf.add(sum, tf.matMul(dy, x, true, false))]);
  },
  rope: (keep) => {
    const [x, cos, sin] = [
      floats(keep, B, 2 * H, T, headDim),
      floats(keep, 1, 1, T, headDim / 2),
      floats(keep, 1, 1, T, headDim / 2),
    ];
    return () => rotate(x, cos, sin);
  },
  attention: (keep) => {
    const [q, k, v] = [0, 1, 2].map(() => floats(keep, B, H, T, headDim));
    const mask = keep(causalMask(T));
    return () => attend(required(q), required(k), required(v), mask);
  },
  attentionGrad: (keep) => {
    const qkv = [0, 1, 2].map(() => floats(keep, B, H, T, headDim));
    const [dOut, mask] = [floats(keep, B, H, T, headDim), keep(causalMask(T))];
    return () => gradients((q, k, v) => attend(required(q), required(k), required(v), mask), qkv, dOut);
  },
  swiglu: (keep) => {
    const x = floats(keep, N, 2 * F);
    return () => swiglu(x);
  },
  swigluGrad: (keep) => {
    const [x, dy] = [floats(keep, N, 2 * F), floats(keep, N, F)];
    return () => gradients((a) => swiglu(required(a)), [x], dy);
  },
  gelu: (keep) => {
    const x = floats(keep, N, F);
    return () => gelu(x);
  },
  geluGrad: (keep) => {
    const [x, dy] = [floats(keep, N, F), floats(keep, N, F)];
    return () => gradients((a) => gelu(required(a)), [x], dy);
  },
  add: (keep) => {
    const [a, b] = [floats(keep, N, D), floats(keep, N, D)];
    return () => tf.add(a, b);
  },
  fill: () => () => tf.fill([P], 0),
  tokenLogprobs: (keep) => {
    const [x, w, i] = [floats(keep, N, D), floats(keep, V, D), ids(keep)];
    return () => logprobs(x, w, oneHot(i, V));
  },
  tokenLogprobsGrad: (keep) => {
    const [x, w, i, dy] = [floats(keep, N, D), floats(keep, V, D), ids(keep), floats(keep, N)];
    return () => {
      const targets = oneHot(i, V);
      return gradients((a, b) => logprobs(required(a), required(b), targets), [x, w], dy);
    };
  },
  sample: (keep) => {
    const logits = floats(keep, R, V);
    return () => {
      const logp = tf.logSoftmax(logits);
      const next = tf.argMax(tf.add(logp, tf.neg(tf.log(tf.neg(tf.log(tf.add(tf.randomUniform([R, V]), 1e-20)))))), -1);
      return tf.sum(tf.mul(oneHot(next, V), logp), -1);
    };
  },
  sumSquares: (keep) => {
    const x = floats(keep, P);
    return () => tf.sum(tf.square(x));
  },
  adamw: (keep) => {
    const [theta, grad, m, v] = [floats(keep, P), floats(keep, P), floats(keep, P), keep(tf.ones([P]))];
    return () => {
      const g = tf.mul(grad, 0.5);
      const newM = tf.add(tf.mul(m, 0.9), tf.mul(g, 0.1));
      const newV = tf.add(tf.mul(v, 0.999), tf.mul(tf.square(g), 0.001));
      return tf.sub(tf.mul(theta, 1 - 1e-5), tf.mul(tf.div(newM, tf.add(tf.sqrt(newV), 1e-8)), 1e-3));
    };
  },
};
