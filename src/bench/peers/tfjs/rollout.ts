/**
 * Sampling with plain tf.* operations: each prompt computed once and its keys and values repeated for its group, a
 * cache that grows by concatenation, Gumbel-max sampling on the device, tokens and log-probabilities read once at the
 * end.
 */
import * as tf from "@tensorflow/tfjs";
import type { Contender } from "../../contender";
import type { JobOf } from "../../job";
import { randomTokens, rotaryTables } from "../../workload";
import type { OpenedTfjs } from "./backend";
import { causalMask, type LayerCache, layers, linear, makeWeights, rmsNorm } from "./decoder";
import { measured } from "./measured";

/** log 0 must not arise. */
const LEAST = 1e-20;

export function openRollout(
  opened: OpenedTfjs,
  { shape, prompts, groupSize, promptLength, newTokens }: JobOf<"rollout">,
): Contender {
  const { vocabulary, hidden, heads } = shape;
  const headDim = hidden / heads;
  const rows = prompts * groupSize;
  const weights = makeWeights(shape, ({ shape: dimensions, values }) => tf.tensor(values, [...dimensions]));
  const ids = randomTokens(shape, prompts, promptLength, 1);
  const { cos, sin, half } = rotaryTables(shape, promptLength + newTokens);
  const angles = {
    cos: tf.tensor4d(cos, [1, 1, promptLength + newTokens, half]),
    sin: tf.tensor4d(sin, [1, 1, promptLength + newTokens, half]),
  };
  const at = (table: tf.Tensor, from: number, count: number): tf.Tensor =>
    tf.slice(table, [0, 0, from, 0], [1, 1, count, half]);
  const embed = (tokens: tf.Tensor): tf.Tensor => tf.gather(weights.table, tokens);

  /** The cache after all prompt tokens but the last, repeated for the group. */
  const prefill = (): LayerCache[] =>
    tf.tidy(() => {
      const length = promptLength - 1;
      const tokens = Int32Array.from(
        { length: prompts * length },
        (_, i) => ids[Math.floor(i / length) * promptLength + (i % length)] ?? 0,
      );
      const { cache } = layers(
        weights,
        shape,
        embed(tf.tensor1d(tokens, "int32")),
        prompts,
        length,
        at(angles.cos, 0, length),
        at(angles.sin, 0, length),
        causalMask(length),
        null,
      );
      const repeated = (x: tf.Tensor): tf.Tensor =>
        tf.reshape(tf.tile(tf.reshape(x, [prompts, 1, heads * length * headDim]), [1, groupSize, 1]), [
          rows,
          heads,
          length,
          headDim,
        ]);
      return cache.map(({ k, v }) => ({ k: repeated(k), v: repeated(v) }));
    });

  type Step = { readonly token: tf.Tensor; readonly logprob: tf.Tensor; readonly cache: LayerCache[] };
  const decode = (t: number, token: tf.Tensor, cache: readonly LayerCache[], greedy: boolean): Step =>
    tf.tidy(() => {
      const place = promptLength - 1 + t;
      const forward = layers(
        weights,
        shape,
        embed(token),
        rows,
        1,
        at(angles.cos, place, 1),
        at(angles.sin, place, 1),
        null,
        cache,
      );
      const logprobs = tf.logSoftmax(linear(rmsNorm(forward.x, weights.norm), weights.table));
      const noise = (): tf.Tensor =>
        tf.neg(tf.log(tf.neg(tf.log(tf.add(tf.randomUniform([rows, vocabulary]), LEAST)))));
      const next = tf.argMax(greedy ? logprobs : tf.add(logprobs, noise()), -1);
      const chosen = tf.sum(tf.mul(tf.cast(tf.oneHot(next, vocabulary), "float32"), logprobs), -1);
      return { token: next, logprob: chosen, cache: forward.cache };
    });

  const generate = async (
    greedy: boolean,
  ): Promise<{ readonly tokens: ArrayLike<number>; readonly logprobs: ArrayLike<number> }> => {
    let cache = prefill();
    let token: tf.Tensor = tf.tensor1d(
      Int32Array.from({ length: rows }, (_, row) => ids[(Math.floor(row / groupSize) + 1) * promptLength - 1] ?? 0),
      "int32",
    );
    const first = token;
    const steps: { readonly token: tf.Tensor; readonly logprob: tf.Tensor }[] = [];
    for (let t = 0; t < newTokens; t++) {
      const step = decode(t, token, cache, greedy);
      tf.dispose(cache);
      ({ token, cache } = step);
      steps.push(step);
    }
    const results = tf.tidy(
      () =>
        [
          tf.stack(
            steps.map((step) => step.token),
            1,
          ),
          tf.stack(
            steps.map((step) => step.logprob),
            1,
          ),
        ] as const,
    );
    tf.dispose([first, cache, steps.map((step) => [step.token, step.logprob])]);
    const [tokens, logprobs] = await Promise.all(results.map((result) => result.data()));
    tf.dispose([...results]);
    return { tokens: tokens ?? [], logprobs: logprobs ?? [] };
  };
  return {
    async check() {
      const { tokens, logprobs } = await generate(true);
      const of = (values: ArrayLike<number>, row: number): number[] =>
        Array.from({ length: newTokens }, (_, t) => values[row * newTokens + t] ?? Number.NaN);
      return Array.from({ length: prompts }, (_, p) => [
        ...of(tokens, p * groupSize),
        ...of(logprobs, p * groupSize),
      ]).flat();
    },
    run: (units) => measured(opened, units, () => generate(false)),
    async close() {
      tf.dispose([
        weights.table,
        weights.norm,
        weights.layers.map((layer) => Object.values(layer)),
        Object.values(angles),
      ]);
    },
  };
}
