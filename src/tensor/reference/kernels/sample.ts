/**
 * Reference sampler: the draw rule of random.ts as a host loop (no stock operation draws from a counter),
 * on log-probabilities made by stock operations.
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Kernels } from "../../kernels";
import { randomUniform } from "../../random";
import { suppressedIn } from "../../suppressedTokens";
import { floats, integers } from "../cpuMemory";
import { expectShape, sizeOf } from "../shapes";

/** First index of the largest value. */
function argMax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Smallest logit that survives topK; ties with it survive too. */
function topKThreshold(logits: Float32Array, topK: number): number {
  if (topK <= 0 || topK >= logits.length) return -Infinity;
  return Float32Array.from(logits).sort()[logits.length - topK]!;
}

/**
 * log of the probability of all tokens but the suppressed ones, −log1p(p_suppressed / p_allowed), from logits over T:
 * exact for a small share as for a share near 1.
 */
function logAllowed(scaled: Float32Array, suppressed: readonly number[]): number {
  const logSumExp = (values: readonly number[]): number => {
    const largest = Math.max(...values);
    return largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  };
  if (suppressed.length === 0) return 0;
  const isSuppressed = new Set(suppressed);
  const rest = logSumExp([...scaled].filter((_, token) => !isSuppressed.has(token)));
  const excess = logSumExp(suppressed.map((token) => scaled[token]!)) - rest;
  return -(Math.max(excess, 0) + Math.log1p(Math.exp(-Math.abs(excess))));
}

/** First token whose cumulative sum exceeds u·Σ, the last possible token otherwise (sums in f32). */
function draw(logits: Float32Array, probabilities: Float32Array, topK: number, u: number): number {
  const threshold = topKThreshold(logits, topK);
  const kept = probabilities.map((p, i) => (logits[i]! >= threshold ? p : 0));
  let total = 0;
  for (const p of kept) total = Math.fround(total + p);
  const target = Math.fround(u * total);
  let cumulative = 0;
  let last = 0;
  for (let i = 0; i < kept.length; i++) {
    if (kept[i]! <= 0) continue;
    cumulative = Math.fround(cumulative + kept[i]!);
    if (cumulative > target) return i;
    last = i;
  }
  return last;
}

export const sampleKernels: Pick<Kernels, "sample"> = {
  sample(logits, buffers, o) {
    const [rows, vocabulary] = [sizeOf(logits, 0), sizeOf(logits, 1)];
    const capacity = sizeOf(buffers.tokens, 1);
    for (const name of ["tokens", "logprobs", "entropies", "allowed"] as const)
      expectShape("sample", `buffers.${name}`, buffers[name], [rows, capacity]);
    for (const name of ["next", "done"] as const) expectShape("sample", `buffers.${name}`, buffers[name], [rows]);
    expectShape("sample", "buffers.streams", buffers.streams, [rows, 2]);
    if (o.position < 0 || o.position >= capacity)
      throw new Error(`sample: position ${o.position} lies outside the ${capacity} columns of the output buffers.`);

    const suppressed = suppressedIn(vocabulary, o.suppressTokens);
    const scaled = tf.div(logits, o.temperature);
    const scaledValues = floats(scaled);
    const logp = tf.logSoftmax(scaled);
    const logpValues = floats(logp);
    // What is drawn from; −∞ has probability 0.
    const isSuppressed = tf.tensor1d(
      Array.from({ length: vocabulary }, (_, token) => suppressed.includes(token)),
      "bool",
    );
    const drawnLogits =
      suppressed.length === 0 ? logits : tf.where(isSuppressed, tf.fill(logits.shape, -Infinity), logits);
    const drawnLogp = suppressed.length === 0 ? logp : tf.logSoftmax(tf.div(drawnLogits, o.temperature));
    const [drawnLogitValues, drawnLogpValues] = [floats(drawnLogits), floats(drawnLogp)];
    const entropy = floats(tf.neg(tf.sum(tf.mul(tf.exp(logp), logp), -1)));
    const [tokens, logprobs, entropies, allowed] = [
      integers(buffers.tokens),
      floats(buffers.logprobs),
      floats(buffers.entropies),
      floats(buffers.allowed),
    ];
    const [next, done, streams] = [integers(buffers.next), integers(buffers.done), integers(buffers.streams)];
    for (let row = 0; row < rows; row++) {
      const at = row * capacity + o.position;
      if (done[row]) {
        tokens[at] = next[row] = o.padToken;
        logprobs[at] = entropies[at] = allowed[at] = 0;
        continue;
      }
      const ofRow = (values: Float32Array): Float32Array => values.subarray(row * vocabulary, (row + 1) * vocabulary);
      const rowLogits = ofRow(drawnLogitValues);
      const u = randomUniform(o.seed, o.step, streams[2 * row]!, streams[2 * row + 1]! + o.position);
      const token = o.greedy ? argMax(rowLogits) : draw(rowLogits, ofRow(drawnLogpValues).map(Math.exp), o.topK, u);
      tokens[at] = next[row] = token;
      logprobs[at] = ofRow(logpValues)[token]!;
      entropies[at] = entropy[row]!;
      allowed[at] = logAllowed(ofRow(scaledValues), suppressed);
      if (o.stopTokens.includes(token)) done[row] = 1;
    }
  },
};
