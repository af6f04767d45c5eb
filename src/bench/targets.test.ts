import { expect, test } from "vitest";
import type { Measurement } from "./results";
import { targetResults } from "./targets";
import { PREPARED } from "./visit";

const row = (part: Partial<Measurement>): Measurement => ({
  benchmark: "train-step",
  backend: "webgpu",
  workload: "nano, 32 × 64 tokens",
  contender: "ours",
  milliseconds: { median: 3000, q1: 3000, q3: 3000, repetitions: 5 },
  ...part,
});
const results = (
  measurements: Measurement[],
  adapter = "lavapipe (CPU)",
  quick = false,
): Record<string, [string, number, boolean]> =>
  Object.fromEntries(
    targetResults({ measurements, adapter, quick }).map(({ what, wanted, measured, met }) => [
      what,
      [wanted, measured, met],
    ]),
  );

test("ratios at least, counts and times at most; the adapter decides which bound holds", () => {
  const step = [row({ counts: { dispatches: 301, readbacks: 1 } }), row({ contender: "tfjs", ratio: 4 })];
  expect(results(step)).toEqual({
    "WebGPU training step against stock TensorFlow.js, lavapipe": ["≥ 3×", 4, true],
    "dispatches of a WebGPU training step": ["≤ 300", 301, false],
    "read-backs of a training step": ["≤ 1", 1, true],
  });
  expect(results(step, "SwiftShader (CPU)")).toMatchObject({
    "WebGPU training step against stock TensorFlow.js, SwiftShader": ["≥ 5×", 4, false],
  });
});

test("a rollout's dispatches are counted a token; two workers are compared with one", () => {
  const rollout = (member: string, tokens: number, dispatches: number): Measurement =>
    row({ benchmark: "rollout", workload: `growth: ${member}, 1 × 4 responses of ${tokens}`, counts: { dispatches } });
  // 30 for the prompt; 4 and 8 layers of 10, and 3 beside them.
  expect(
    results([
      rollout("nano", 64, 30 + 64 * 43),
      rollout("nano", 8, 30 + 8 * 43),
      rollout("twice nano's depth", 8, 50 + 8 * 83),
      rollout("twice nano's depth", 64, 50 + 64 * 83),
    ]),
  ).toMatchObject({
    "dispatches of a decoded token": ["≤ 45", 43, true],
    "dispatches of a decoded token and layer": ["≤ 9", 10, false],
  });
  expect(
    results([
      row({ backend: "wasm", contender: "ours, 2 workers", ratio: 0.5 }),
      row({ backend: "wasm", benchmark: "grpo-step", contender: "ours, 2 workers" }),
    ]),
  ).toEqual({
    "two workers against one, wasm training step": ["≥ 1.7×", 2, true],
    "GRPO step on the wasm backend with two workers": ["≤ 2.5 s", 3, false],
  });
});

test("the prepared group of a first visit, on whichever backend the page starts", () => {
  const visit = (contender: string, median: number): Measurement =>
    row({
      benchmark: "startup",
      backend: "wasm",
      workload: PREPARED,
      contender,
      milliseconds: { median, q1: median, q3: median, repetitions: 3 },
    });
  expect(results([visit("cold", 600), visit("warm", 2000)])).toEqual({
    "prepared group shown after a first page load": ["≤ 1.5 s", 0.6, true],
  });
});

test("a quick run tells about no target", () => {
  expect(results([row({ counts: { dispatches: 1 } })], "lavapipe (CPU)", true)).toEqual({});
});
