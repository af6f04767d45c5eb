/**
 * The loss is watched as well as the gradient: an infinite loss with a finite gradient refuses the step on every
 * backend.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Policy } from "../policy/policy";
import { problemAt } from "../tasks/problems";
import type { Backend } from "../tensor/backend";
import { openReferenceBackend } from "../tensor/reference/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import { microBatches, packItems, type TrainingRow } from "./microBatch";
import { optimiserStep, StepRefused } from "./optimiserStep";
import { encodeProblem } from "./rollout";
import { tinyPolicy } from "./testing/tinyPolicy";

const OPTIONS = {
  temperature: 1,
  trainVision: false,
  features: null,
  learningRate: 1e-3,
  weightDecay: 0,
  maxGradNorm: 1,
  updates: 0,
};

describe.each([
  ["wasm", openWasmBackend],
  ["reference", openReferenceBackend],
  ["webgpu", openNodeWebGpuBackend],
] as const)("on the %s backend", (_name, open) => {
  let backend: Backend;
  let policy: Policy;
  beforeAll(async () => {
    backend = await open();
    policy = await tinyPolicy(backend);
  });
  afterAll(() => backend.dispose());

  test.each([
    [2.5, false],
    [Infinity, true],
    [NaN, true],
  ])("loss %d: refused %s", async (loss, refused) => {
    const rows: TrainingRow[] = [
      { prompt: encodeProblem(policy, problemAt("train", 0)), tokens: Int32Array.of(9, 8, 2), weight: 1, advantage: 1 },
    ];
    const before = await policy.parameters.state();
    const step = optimiserStep(policy, microBatches(rows, 4), OPTIONS, () => ({
      key: "given",
      inputs: (_rows, _index, tokens, scope) => [
        scope.own(backend.upload(new Float32Array(tokens).fill(-1), [tokens])),
        scope.own(backend.upload(Float32Array.of(loss, 7), [1, 2])),
        scope.own(backend.upload(Int32Array.of(0), [1])),
      ],
      of: (logprob, [minus = logprob, given = logprob, firstRow = logprob]) => {
        const stats = backend.zeros([1, 2]);
        backend.kernels.copyRows(given, { offset: 0, count: 2 }, firstRow, 0, stats);
        return { dLogprob: minus, stats };
      },
    }));
    if (refused) await expect(step).rejects.toThrow(StepRefused);
    else expect(await step).toMatchObject({ stats: [Float32Array.of(2.5, 7)] });
    const moved =
      Buffer.compare(Buffer.from(before.theta.buffer), Buffer.from((await policy.parameters.state()).theta.buffer)) !==
      0;
    expect(moved).toBe(!refused);
  });
});

test("neighbours with the same prompt share one copy of it in a batch", async () => {
  const backend = await openWasmBackend();
  const policy = await tinyPolicy(backend);
  const [a, b] = [encodeProblem(policy, problemAt("train", 0)), encodeProblem(policy, problemAt("train", 1))];
  const row = (prompt: typeof a): TrainingRow => ({ prompt, tokens: Int32Array.of(1), weight: 1, advantage: 1 });
  expect(packItems([row(a), row(a), row(b), row(a)]).map(({ responses }) => responses.length)).toEqual([2, 1, 1]);
  await backend.dispose();
});
