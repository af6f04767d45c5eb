/**
 * What small inputs do not reach: vocabularies and batches beyond one block of logits, buffers beyond one binding,
 * dispatches beyond one grid.
 */
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { randomUniform } from "../random";
import { selfTest } from "../selfTest";
import * as expected from "../selfTestLoops";
import type { WebGpuBackend } from "./backend";
import { openNodeWebGpuBackend } from "./node";

let backend: WebGpuBackend;
beforeAll(async () => {
  backend = await openNodeWebGpuBackend();
});
afterAll(() => backend.dispose());

const numbers = (count: number, stream: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => 2 * randomUniform(1, stream, 0, i) - 1);

it.each([
  { rows: 3, vocabulary: 4 * 1024 + 5, targets: [1023, 1024, 4100] },
  { rows: 2 * 1024 + 5, vocabulary: 20, targets: [0, 19, 7] },
])(
  "folds $rows rows and a vocabulary of $vocabulary, several blocks, into the same log-probabilities and gradients",
  { timeout: 120_000 },
  async ({ rows, vocabulary, targets: some }) => {
    const sizes = { rows, width: 8, vocabulary, temperature: 0.9 };
    const [hidden, head, dLogprob] = [numbers(rows * 8, 1), numbers(sizes.vocabulary * 8, 2), numbers(rows, 3)];
    const targets = Int32Array.from({ length: rows }, (_, i) => some[i % 3] ?? 0);
    const h = backend.upload(hidden, [rows, 8]);
    const weight = {
      format: "f32",
      out: sizes.vocabulary,
      in: 8,
      values: backend.upload(head, [sizes.vocabulary, 8]),
    } as const;
    const t = backend.upload(targets, [rows]);
    const { logprob, lse, entropy } = backend.kernels.tokenLogprobs(h, weight, t, sizes.temperature);
    const dHead = backend.zeros([sizes.vocabulary, 8]);
    const dHidden = backend.kernels.tokenLogprobsGrad(
      h,
      weight,
      t,
      lse,
      backend.upload(dLogprob, [rows]),
      sizes.temperature,
      dHead,
    );
    const want = expected.tokenLogprobs(hidden, head, targets, dLogprob, sizes);
    const read = await backend.read([logprob, entropy, dHidden, dHead]);
    [want.logprob, want.entropy, want.dHidden, want.dHead].forEach((values, i) => {
      const scale = Math.max(...values.map(Math.abs));
      values.forEach((value, j) => expect(Math.abs((read[i]?.[j] ?? NaN) - value)).toBeLessThan(1e-5 * scale));
    });
  },
);

it("fills and sums a buffer larger than one binding and one row of workgroups", { timeout: 120_000 }, async () => {
  const size = 33_600_000; // 134 MB; lavapipe binds 128 MiB, and one grid row covers 16.8 M elements
  const flat = backend.zeros([size]);
  backend.kernels.fill(flat, 0.5);
  backend.write(flat, Float32Array.of(3), size - 1);
  const squares = backend.kernels.sumSquares(flat);
  const [sum] = await backend.read([squares]);
  expect((sum?.[0] ?? 0) / ((size - 1) / 4 + 9)).toBeCloseTo(1, 6);
  tf.dispose([flat, squares]);
});

it("cuts one long dispatch into several with the same result", async () => {
  const [rows, width] = [700, 512];
  const [x, w] = [
    backend.upload(numbers(rows * width, 4), [rows, width]),
    backend.upload(numbers(width * width, 5), [width, width]),
  ];
  const weight = { format: "f32", out: width, in: width, values: w } as const;
  const y = backend.kernels.linear(x, weight, null, null);
  const fourTimes = tf.concat2d(
    [x, x, x, x].map((part) => tf.reshape(part, [rows, width])),
    0,
  );
  const start = backend.counters.dispatches;
  const pieces = Math.ceil((2 * rows * width * width * 4) / backend.dispatcher.traits.workPerDispatch);
  const again = backend.kernels.linear(fourTimes, weight, null, null);
  expect(backend.counters.dispatches - start).toBe(pieces);
  const [one, four] = await backend.read([y, again]);
  expect(four?.subarray(3 * rows * width)).toEqual(one);
});

it("passes the self-test with the kernels that real GPUs get", { timeout: 120_000 }, async () => {
  const gpu = await openNodeWebGpuBackend({ kernelsFor: "gpu" });
  await selfTest(gpu);
  await gpu.dispose();
});
