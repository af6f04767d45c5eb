/**
 * The training step with TensorFlow.js' own means: variableGrads for the gradient, the global norm and the scaling by
 * tf.* operations, tf.train.adam for the update, one read-back of loss and norm. Inputs are on the device before the
 * first step.
 */
import * as tf from "@tensorflow/tfjs";
import type { Contender } from "../../contender";
import type { JobOf } from "../../job";
import { CHECKED_STEPS, OPTIMISER, randomTokens, rotaryTables, type Values } from "../../workload";
import type { OpenedTfjs } from "./backend";
import { causalMask, layers, linear, makeWeights, rmsNorm } from "./decoder";
import { measured } from "./measured";

export function openTraining(opened: OpenedTfjs, { shape, rows, length }: JobOf<"train">): Contender {
  const variables: tf.Variable[] = [];
  const variable = ({ shape: dimensions, values }: Values): tf.Variable => {
    const made = tf.variable(tf.tensor(values, [...dimensions]));
    variables.push(made);
    return made;
  };
  const weights = makeWeights(shape, variable);
  const tokens = randomTokens(shape, rows, length + 1, 0);
  /** Inputs (`shift` 0) or targets (1), row by row, as one-hot rows [rows·length, vocabulary]. */
  const oneHot = (shift: number): tf.Tensor => {
    const ids = Int32Array.from(
      { length: rows * length },
      (_, i) => tokens[Math.floor(i / length) * (length + 1) + (i % length) + shift] ?? 0,
    );
    return tf.cast(tf.oneHot(tf.tensor1d(ids, "int32"), shape.vocabulary), "float32");
  };
  const { cos, sin, half } = rotaryTables(shape, length);
  const constants = tf.tidy(() => ({
    inputs: oneHot(0),
    targets: oneHot(1),
    // The first token belongs to the prompt: predicting the second is not trained.
    weights: tf.tensor1d(
      Float32Array.from({ length: rows * length }, (_, i) => (i % length === 0 ? 0 : -1 / (rows * (length - 1)))),
    ),
    cos: tf.tensor4d(cos, [1, 1, length, half]),
    sin: tf.tensor4d(sin, [1, 1, length, half]),
    mask: causalMask(length),
  }));
  const loss = (): tf.Scalar => {
    const { x } = layers(
      weights,
      shape,
      tf.matMul(constants.inputs, weights.table),
      rows,
      length,
      constants.cos,
      constants.sin,
      constants.mask,
      null,
    );
    const logits = linear(rmsNorm(x, weights.norm), weights.table);
    const logprobs = tf.sum(tf.mul(tf.logSoftmax(logits), constants.targets), -1);
    return tf.sum(tf.mul(logprobs, constants.weights));
  };
  const adam = tf.train.adam(OPTIMISER.learningRate, OPTIMISER.beta1, OPTIMISER.beta2, OPTIMISER.epsilon);
  /** → loss and gradient norm on the device, [2] */
  const step = (): tf.Tensor =>
    tf.tidy(() => {
      const { value, grads } = tf.variableGrads(loss, variables);
      const norm = tf.sqrt(tf.sum(tf.stack(Object.values(grads).map((grad) => tf.sum(tf.square(grad))))));
      const scale = tf.minimum(1, tf.div(OPTIMISER.maxGradNorm, tf.add(norm, 1e-6)));
      adam.applyGradients(Object.fromEntries(Object.entries(grads).map(([name, grad]) => [name, tf.mul(grad, scale)])));
      return tf.stack([value, norm]);
    });
  const read = async (result: tf.Tensor): Promise<readonly number[]> => {
    const values = await result.data();
    result.dispose();
    return [...values];
  };
  return {
    async check() {
      const numbers: number[] = [];
      for (let i = 0; i < CHECKED_STEPS; i++) numbers.push(...(await read(step())));
      return numbers;
    },
    run: (units) => measured(opened, units, async () => void (await read(step()))),
    async close() {
      tf.dispose([variables, constants]);
      adam.dispose();
    },
  };
}
