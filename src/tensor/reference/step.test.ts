/** The reference's sampler against its rule, AdamW against torch, and the backend's memory. */
import type { Tensor } from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import type { AdamWOptions, SampleBuffers, SampleOptions } from "../kernels";
import { randomUniform } from "../random";
import { openReferenceBackend } from "./backend";

const backend = await openReferenceBackend();

test("two clipped AdamW updates give torch's numbers (torch 2.13, AdamW after clip_grad_norm_ 1.0)", async () => {
  const theta = backend.upload(Float32Array.of(0.5, -1.25, 2, 0, 3), [5]);
  const [m, v] = [backend.zeros([5]), backend.zeros([5])];
  [
    [3, -4, 0.5, 1e-3, -2],
    [0.1, 0.2, -0.3, 0.05, 0],
  ].forEach((values, i) => {
    const grad = backend.upload(Float32Array.from(values), [5]);
    backend.kernels.adamw(theta, grad, m, v, backend.kernels.sumSquares(grad), {
      learningRate: 0.01,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: 0.1,
      updateCount: i + 1,
      maxGradNorm: 1,
    });
  });
  const expected = [
    [0.481000513, -1.23293674, 1.99109876, -0.01736347, 3.01077962],
    [0.0599230081, -0.046564009, -0.0216795001, 0.00501664123, -0.0332820043],
    [0.0151153784, 0.0279828981, 0.00490598334, 0.000125001636, 0.00649572443],
  ];
  (await backend.read([theta, m, v])).forEach((values, i) =>
    values.forEach((value, j) => expect(value).toBeCloseTo(expected[i]![j]!, 6)),
  );
});

test.each<[string, Partial<AdamWOptions>, number]>([
  ["the gradient is not finite", {}, NaN],
  ["the learning rate is beyond f32, with gradient 0", { learningRate: 1e39 }, 0],
  ["the learning rate overflows with the moments", { learningRate: 3e38, updateCount: 200 }, 0.5],
  ["weight decay overflows", { learningRate: 1e20, weightDecay: 1e20 }, 0],
  ["a moment would overflow", { maxGradNorm: Infinity }, 1e25],
])("AdamW writes nothing where %s", async (_what, options, gradient) => {
  const before = [
    [2, -1e3, 0.5],
    [0.5, -2, 1],
    [0.01, 3, 1e-6],
  ].map((values) => Float32Array.from(values));
  const [theta, m, v] = before.map((values) => backend.upload(values, [3])) as [Tensor, Tensor, Tensor];
  const grad = backend.upload(Float32Array.of(0, gradient, 0), [3]);
  const squares = backend.upload(Float32Array.of(Number.isNaN(gradient) ? NaN : 1), [1]);
  const adamw = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, updateCount: 1 };
  const refused = backend.kernels.adamw(theta, grad, m, v, squares, { ...adamw, maxGradNorm: 1, ...options });
  const [mark, ...after] = await backend.read([refused, theta, m, v]);
  expect([...(mark ?? [])]).toEqual([NaN]);
  expect(after).toEqual(before);
});

const OPTIONS: SampleOptions = {
  temperature: 1,
  greedy: false,
  topK: 0,
  suppressTokens: [],
  seed: 5,
  step: 0,
  position: 0,
  stopTokens: [2],
  padToken: 9,
};

async function sample(
  rows: number,
  logits: readonly number[],
  options: Partial<SampleOptions> = {},
  done: readonly number[] = new Array<number>(rows).fill(0),
) {
  const buffers: SampleBuffers = {
    tokens: backend.zeros([rows, 1], "int32"),
    logprobs: backend.zeros([rows, 1]),
    entropies: backend.zeros([rows, 1]),
    allowed: backend.zeros([rows, 1]),
    next: backend.zeros([rows], "int32"),
    done: backend.upload(Int32Array.from(done), [rows]),
    streams: backend.upload(
      Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? i / 2 : 0)),
      [rows, 2],
    ),
  };
  const repeated = Float32Array.from({ length: rows * logits.length }, (_, i) => logits[i % logits.length]!);
  backend.kernels.sample(backend.upload(repeated, [rows, logits.length]), buffers, { ...OPTIONS, ...options });
  const [tokens, logprobs, entropies, next, finished] = await backend.read([
    buffers.tokens,
    buffers.logprobs,
    buffers.entropies,
    buffers.next,
    buffers.done,
  ]);
  return { tokens: tokens!, logprobs: logprobs!, entropies: entropies!, next: next!, finished: finished! };
}

test("draws follow softmax(logits / T), one counter a row", async () => {
  const rows = 4000;
  const probabilities = [0.5, 0.3, 0.15, 0.05];
  const { tokens, logprobs, entropies } = await sample(
    rows,
    probabilities.map((p) => 2 * Math.log(p)),
    { temperature: 2 },
  );
  probabilities.forEach((p, token) => expect(tokens.filter((t) => t === token).length / rows).toBeCloseTo(p, 1));
  tokens.forEach((token, row) => expect(logprobs[row]).toBeCloseTo(Math.log(probabilities[token]!), 5));
  expect(entropies[0]).toBeCloseTo(-probabilities.reduce((sum, p) => sum + p * Math.log(p), 0), 5);
  // The first token whose cumulative probability exceeds the row's uniform number.
  const u = randomUniform(5, 0, 17, 0);
  expect(tokens[17]).toBe([0.5, 0.8, 0.95, 1].findIndex((c) => c > u));
});

test("greedy takes the arg-max, topK the likeliest; log-probabilities are those of all tokens", async () => {
  const logits = [0, 2, 1, 2];
  expect([...(await sample(2, logits, { greedy: true })).tokens]).toEqual([1, 1]);
  const { tokens, logprobs } = await sample(200, logits, { topK: 2 });
  expect(new Set(tokens)).toEqual(new Set([1, 3]));
  expect(logprobs[0]).toBeCloseTo(2 - Math.log(1 + 2 * Math.exp(2) + Math.exp(1)), 5);
});

test("a row that is done is padded; a row that draws a stop token is done from then on", async () => {
  const { tokens, logprobs, next, finished } = await sample(2, [0, 0, 50], {}, [0, 1]);
  expect([...tokens]).toEqual([2, 9]);
  expect([...next]).toEqual([2, 9]);
  expect([...finished]).toEqual([1, 1]);
  expect(logprobs[1]).toBe(0);
});

test("views share memory and are not counted twice; kernels leave nothing behind", async () => {
  const before = backend.memoryBytes();
  const flat = backend.zeros([100]);
  const view = backend.view(flat, 10, [2, 3]);
  expect(backend.memoryBytes() - before).toBe(400);
  backend.kernels.fill(view, 7);
  expect((await backend.read([flat]))[0]!.filter((x) => x === 7)).toHaveLength(6);
  const x = backend.kernels.gelu(view);
  backend.kernels.geluGrad(view, x).dispose();
  x.dispose();
  expect(backend.memoryBytes() - before).toBe(400);
  expect(() => backend.view(flat, 98, [4])).toThrow("view: elements [98, 102) lie outside a tensor of 100 elements");
  expect(() => backend.write(flat, new Float32Array(3), 98)).toThrow("write: 3 values at offset 98");
  view.dispose();
  flat.dispose();
  expect(backend.memoryBytes()).toBe(before);
});
