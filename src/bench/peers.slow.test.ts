/** The premise of the benchmarks: all libraries do the same work, on shapes small enough for a test. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openNodeBackend } from "../runner/backend/nodeBackends";
import { requireSame } from "./comparison";
import type { Library } from "./contender";
import type { Job, JobOf } from "./job";
import { KERNEL_NAMES, KERNEL_WORK } from "./kernelWork";
import { openLibrary } from "./openLibrary";

const SHAPE = { vocabulary: 40, hidden: 32, intermediate: 48, layers: 2, heads: 2 };
const TRAIN: JobOf<"train"> = { kind: "train", shape: SHAPE, rows: 3, length: 9, microBatchRows: 3, workers: 1 };
const ROLLOUT: Job = { kind: "rollout", shape: SHAPE, prompts: 2, groupSize: 3, promptLength: 6, newTokens: 5 };
const MATMULS: readonly Job[] = (["forward", "inputGradient", "weightGradient"] as const).map((form) => ({
  kind: "matmul",
  form,
  rows: 7,
  inner: 12,
  outer: 9,
}));
const TOLERANCE = 1e-3;

let ours: Library;
let tfjs: Library;
let jax: Library;
beforeAll(async () => {
  ours = await openLibrary("ours", "wasm");
  tfjs = await openLibrary("tfjs", "wasm");
  jax = await openLibrary("jax-js", "wasm");
});
afterAll(async () => {
  for (const library of [jax, tfjs, ours]) await library.close();
});

async function checked(library: Library, job: Job): Promise<readonly number[]> {
  const contender = await library.open(job);
  try {
    return await contender.check();
  } finally {
    await contender.close();
  }
}

test("three training steps: loss and gradient norm of stock TensorFlow.js and jax-js are ours", async () => {
  const expected = await checked(ours, TRAIN);
  expect(expected).toHaveLength(6);
  expect(expected[4], "the third loss").toBeLessThan((expected[0] ?? 0) - 0.2);
  requireSame(await checked(tfjs, TRAIN), expected, TOLERANCE);
  requireSame(await checked(jax, TRAIN), expected, TOLERANCE);
});

test("a greedy rollout: tokens and log-probabilities of the tfjs decode loop are ours", async () => {
  requireSame(await checked(tfjs, ROLLOUT), await checked(ours, ROLLOUT), TOLERANCE);
});

test("each form of the product", async () => {
  for (const job of MATMULS) {
    const expected = await checked(ours, job);
    requireSame(await checked(tfjs, job), expected, TOLERANCE);
    requireSame(await checked(jax, job), expected, TOLERANCE);
  }
});

test("a run says how long it took and what was asked of the backend", async () => {
  const contender = await ours.open(TRAIN);
  const { milliseconds, counts } = await contender.run(2);
  await contender.close();
  expect(milliseconds).toBeGreaterThan(0);
  expect(counts.readbacks, "read-backs of two steps").toBe(2);
});

test("two workers take the step that one takes", async () => {
  const split: Job = { ...TRAIN, rows: 4, microBatchRows: 2 };
  requireSame(await checked(ours, { ...split, workers: 2 }), await checked(ours, split), TOLERANCE);
});

test("every kernel has a row, and can be run on its own", async () => {
  const backend = await openNodeBackend("wasm");
  expect([...KERNEL_NAMES].sort()).toEqual(Object.keys(backend.kernels).sort());
  await backend.dispose();
  for (const name of KERNEL_NAMES) {
    expect(KERNEL_WORK[name].bytes, name).toBeGreaterThan(0);
    const contender = await ours.open({ kind: "kernel", name });
    const { milliseconds } = await contender.run(1);
    await contender.close();
    expect(milliseconds, name).toBeGreaterThan(0);
  }
});

test("other numbers are refused, and so is another count of them", () => {
  expect(() => requireSame([1, 2.01], [1, 2], TOLERANCE)).toThrow(/checked number 1 is 2.01, expected 2 within 0.001/);
  expect(() => requireSame([1, Number.NaN], [1, 2], TOLERANCE)).toThrow(/checked number 1 is NaN/);
  expect(() => requireSame([1], [1, 2], TOLERANCE)).toThrow(/1 checked numbers, expected 2/);
});
