/**
 * The training step in jax-js: the decoder, its gradient, the clip and Adam in one compiled function. Arrays are
 * reference counted: a function takes over its arguments, `.ref` keeps one for another use.
 */
import { jit, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import type { Contender } from "../../contender";
import type { DecoderShape, JobOf } from "../../job";
import {
  CHECKED_STEPS,
  NORM_EPSILON,
  OPTIMISER,
  randomTokens,
  rotaryTables,
  stackedWeights,
  type Values,
} from "../../workload";
import type { GpuCalls } from "../gpuCalls";
import { measured } from "./measured";

type Layer = {
  norm1: np.Array;
  qkv: np.Array;
  qkvBias: np.Array;
  o: np.Array;
  norm2: np.Array;
  gateUp: np.Array;
  down: np.Array;
};
type Weights = { table: np.Array; layers: Layer[]; norm: np.Array };
type Constants = {
  inputs: np.Array;
  targets: np.Array;
  weights: np.Array;
  cos: np.Array;
  sin: np.Array;
  mask: np.Array;
};
type State = { theta: Weights; m: Weights; v: Weights; correction1: np.Array; correction2: np.Array };

const linear = (x: np.Array, weight: np.Array): np.Array => np.matmul(x, np.transpose(weight));

function rmsNorm(x: np.Array, weight: np.Array): np.Array {
  const square = np.mean(np.square(x.ref), -1, { keepdims: true });
  return x.div(np.sqrt(square.add(NORM_EPSILON))).mul(weight);
}

/** x [B, H, T, headDim], cos and sin [1, 1, T, headDim/2]. */
function rotate(x: np.Array, cos: np.Array, sin: np.Array): np.Array {
  const [first, second] = halves(x, 3);
  return np.concatenate([first.ref.mul(cos.ref).sub(second.ref.mul(sin.ref)), second.mul(cos).add(first.mul(sin))], 3);
}

function halves(x: np.Array, axis: number): [np.Array, np.Array] {
  const [first, second] = np.split(x, 2, axis);
  if (first === undefined || second === undefined) throw new Error("np.split gave no halves.");
  return [first, second];
}

/** Mean negative log-likelihood, as in our update. */
function lossOf(shape: DecoderShape, rows: number, length: number) {
  const { heads, hidden } = shape;
  const headDim = hidden / heads;
  const perHead = (part: np.Array): np.Array =>
    np.transpose(part.reshape([rows, length, heads, headDim]), [0, 2, 1, 3]);
  return (theta: Weights, { inputs, targets, weights, cos, sin, mask }: Constants): np.Array => {
    let x = np.matmul(inputs, theta.table.ref);
    for (const layer of theta.layers) {
      const [q, k, v] = np.split(linear(rmsNorm(x.ref, layer.norm1), layer.qkv).add(layer.qkvBias), 3, 1).map(perHead);
      if (q === undefined || k === undefined || v === undefined) throw new Error("np.split gave no thirds.");
      const keys = np.transpose(rotate(k, cos.ref, sin.ref), [0, 1, 3, 2]);
      const scores = np
        .matmul(rotate(q, cos.ref, sin.ref), keys)
        .mul(1 / Math.sqrt(headDim))
        .add(mask.ref);
      const attended = np
        .transpose(np.matmul(nn.softmax(scores, -1), v), [0, 2, 1, 3])
        .reshape([rows * length, hidden]);
      const middle = x.add(linear(attended, layer.o));
      const [gate, up] = halves(linear(rmsNorm(middle.ref, layer.norm2), layer.gateUp), 1);
      x = middle.add(linear(nn.silu(gate).mul(up), layer.down));
    }
    for (const array of [cos, sin, mask]) array.dispose();
    const logprobs = np.sum(nn.logSoftmax(linear(rmsNorm(x, theta.norm), theta.table), -1).mul(targets), -1);
    return np.sum(logprobs.mul(weights));
  };
}

/** theta and moments after one step, with the loss and the gradient's norm. */
function stepOf(shape: DecoderShape, rows: number, length: number) {
  const gradient = valueAndGrad(lossOf(shape, rows, length));
  return ({ theta, m, v, correction1, correction2 }: State, constants: Constants) => {
    const [loss, grad] = gradient(tree.ref(theta), constants);
    const grads = tree.leaves(grad);
    const squares = grads.map((g) => np.sum(np.square(g.ref))).reduce((a, b) => a.add(b));
    const norm = np.sqrt(squares);
    const scale = np.minimum(np.reciprocal(norm.ref.add(1e-6)).mul(OPTIMISER.maxGradNorm), 1);
    const [thetas, ms, vs] = [tree.leaves(theta), tree.leaves(m), tree.leaves(v)];
    const next = grads.map((g, i) => {
      const clipped = g.mul(scale.ref);
      const [oldTheta, oldM, oldV] = [thetas[i], ms[i], vs[i]];
      if (oldTheta === undefined || oldM === undefined || oldV === undefined)
        throw new Error("The gradient has other leaves than the weights.");
      const newM = oldM.mul(OPTIMISER.beta1).add(clipped.ref.mul(1 - OPTIMISER.beta1));
      const newV = oldV.mul(OPTIMISER.beta2).add(np.square(clipped).mul(1 - OPTIMISER.beta2));
      const update = newM.ref.mul(correction1.ref).div(np.sqrt(newV.ref.mul(correction2.ref)).add(OPTIMISER.epsilon));
      return { theta: oldTheta.sub(update.mul(OPTIMISER.learningRate)), m: newM, v: newV };
    });
    for (const array of [scale, correction1, correction2]) array.dispose();
    const form = tree.structure(theta);
    const whole = (part: "theta" | "m" | "v"): Weights =>
      tree.unflatten(
        form,
        next.map((leaf) => leaf[part]),
      ) as Weights;
    return { theta: whole("theta"), m: whole("m"), v: whole("v"), result: np.stack([loss, norm]) };
  };
}

export function openTraining(calls: GpuCalls | null, { shape, rows, length }: JobOf<"train">): Contender {
  const array = ({ shape: dimensions, values }: Values): np.Array => np.array(values).reshape([...dimensions]);
  const { table, layers, norm } = stackedWeights(shape, 0);
  const zeros = ({ shape: dimensions }: Values): np.Array => np.zeros([...dimensions]);
  const weightsBy = (make: (values: Values) => np.Array): Weights => ({
    table: make(table),
    norm: make(norm),
    layers: layers.map(({ norm1, qkv, qkvBias, o, norm2, gateUp, down }) => ({
      norm1: make(norm1),
      qkv: make(qkv),
      qkvBias: make(qkvBias),
      o: make(o),
      norm2: make(norm2),
      gateUp: make(gateUp),
      down: make(down),
    })),
  });
  let state = { theta: weightsBy(array), m: weightsBy(zeros), v: weightsBy(zeros) };
  const tokens = randomTokens(shape, rows, length + 1, 0);
  const oneHot = (shift: number): np.Array => {
    const ids = Int32Array.from(
      { length: rows * length },
      (_, i) => tokens[Math.floor(i / length) * (length + 1) + (i % length) + shift] ?? 0,
    );
    return nn.oneHot(np.array(ids), shape.vocabulary);
  };
  const { cos, sin, half } = rotaryTables(shape, length);
  const constants: Constants = {
    inputs: oneHot(0),
    targets: oneHot(1),
    // The first token belongs to the prompt: predicting the second is not trained.
    weights: np.array(
      Float32Array.from({ length: rows * length }, (_, i) => (i % length === 0 ? 0 : -1 / (rows * (length - 1)))),
    ),
    cos: np.array(cos).reshape([1, 1, length, half]),
    sin: np.array(sin).reshape([1, 1, length, half]),
    mask: np
      .array(
        Float32Array.from({ length: length * length }, (_, i) => (i % length <= Math.floor(i / length) ? 0 : -1e9)),
      )
      .reshape([1, 1, length, length]),
  };
  const compiled = jit(stepOf(shape, rows, length));
  let updates = 0;
  const step = async (): Promise<readonly number[]> => {
    updates++;
    const corrections = {
      correction1: np.array(1 / (1 - OPTIMISER.beta1 ** updates)),
      correction2: np.array(1 / (1 - OPTIMISER.beta2 ** updates)),
    };
    const { result, ...next } = compiled({ ...state, ...corrections }, tree.ref(constants));
    state = next;
    return [...(await result.data())];
  };
  return {
    async check() {
      const numbers: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++) numbers.push(...(await step()));
      return numbers;
    },
    run: (units) => measured(calls, units, step),
    async close() {
      tree.dispose([state, constants]);
      compiled.dispose();
    },
  };
}
