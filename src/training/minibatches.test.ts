/** Several updates a rollout: what each minibatch is made of, and whose log-probabilities are the old ones. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Policy } from "../policy/policy";
import { problemAt } from "../tasks/problems";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { configure } from "./configure";
import { DisposalScope } from "./disposalScope";
import { microBatches, type TrainingRow, tokenCount } from "./microBatch";
import { settingsObjective } from "./objective";
import { responseLogprobs } from "./optimiserStep";
import { encodeProblem } from "./rollout";
import { defaultSettings, type SettingsPatch } from "./settings";
import { tinyPolicy } from "./testing/tinyPolicy";
import { taughtPolicy, tinySession } from "./testing/tinySession";
import { type PolicyUpdateOptions, policyUpdate } from "./update";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

const options = (patch: SettingsPatch = {}): PolicyUpdateOptions => ({
  objective: settingsObjective(configure(defaultSettings, patch)),
  epochs: 1,
  reference: null,
  temperature: 1,
  trainVision: false,
  features: null,
  learningRate: 5e-3,
  weightDecay: 0,
  maxGradNorm: 1,
  microBatchRows: 3,
  updates: 0,
});

/** Made-up responses, two a problem. */
function rows(policy: Policy, problems: readonly number[]): TrainingRow[] {
  return problems.flatMap((index) => {
    const prompt = encodeProblem(policy, problemAt("train", index));
    return [0, 1].map((i) => ({
      prompt,
      tokens: Int32Array.of(9 + index, 8 + i, 2),
      weight: 1 / 12,
      advantage: i === 0 ? 1 : -1,
    }));
  });
}

async function logprobs(policy: Policy, all: readonly TrainingRow[]): Promise<Float32Array> {
  const scope = new DisposalScope();
  try {
    const batches = microBatches(all, 100);
    const read = await backend.read(responseLogprobs(policy, batches, { temperature: 1, features: null }, scope));
    return Float32Array.from(read.flatMap((values, i) => [...values.subarray(0, tokenCount(batches[i] ?? []))]));
  } finally {
    scope.dispose();
  }
}

/** Weights after one training step. */
async function trained(
  minibatches: (policy: Policy) => Promise<readonly (readonly TrainingRow[])[]>,
  chosen: PolicyUpdateOptions,
) {
  const policy = await tinyPolicy(backend);
  const result = await policyUpdate(policy, await minibatches(policy), chosen);
  const { theta } = await policy.parameters.state();
  policy.dispose();
  return { result, theta };
}

test("old log-probabilities are those before the first update", async () => {
  const split = (policy: Policy) => [rows(policy, [0, 1]), rows(policy, [2, 3])];
  const forward = await trained((policy) => Promise.resolve(split(policy)), options());
  // The same, with those log-probabilities given as if the rollout had recorded them.
  const given = await trained(
    async (policy) => {
      const all = split(policy);
      const found = await logprobs(policy, all.flat());
      return all.map((minibatch, m) =>
        minibatch.map((row, i) => ({ ...row, rollout: found.subarray(3 * (4 * m + i), 3 * (4 * m + i) + 3) })),
      );
    },
    { ...options(), old: "rollout" },
  );
  expect(forward.result.updates).toBe(2);
  expect(forward.theta).toEqual(given.theta);
  expect(forward.result.ppoKl).toBeCloseTo(given.result.ppoKl ?? NaN, 6);
  expect(forward.result.ratios?.tokens).toBe(12);
  expect(forward.result.ratios?.max).toBeGreaterThan(1);
});

test("one update: no ratio differs from 1, so none is reported", async () => {
  const { result } = await trained((policy) => Promise.resolve([rows(policy, [0, 1, 2, 3])]), options());
  expect(result).toMatchObject({ updates: 1, ratios: null, ppoKl: null, clippedLow: 0, clippedHigh: 0 });
});

test("a minibatch without rows makes no update, and neither does a step without any", async () => {
  const policy = await tinyPolicy(backend);
  const before = await policy.parameters.state();
  const moved = await policyUpdate(policy, [rows(policy, [0])], options());
  expect(moved.updates).toBe(1);
  const between = await policy.parameters.state();
  expect(between.theta).not.toEqual(before.theta);
  const still = await policyUpdate(policy, [[], []], { ...options(), updates: 1 });
  expect(still).toMatchObject({ updates: 0, loss: 0, gradNorm: 0, ratios: null });
  expect(await policy.parameters.state()).toEqual(between);
  const one = await policyUpdate(policy, [[], rows(policy, [1]), []], { ...options(), updates: 1 });
  expect(one.updates).toBe(1);
  policy.dispose();
});

describe("with several updates the surrogates differ, with one they do not", () => {
  const variants: readonly (readonly [string, SettingsPatch])[] = [
    ["gspo", { grpo: { ratioLevel: "sequence", clipLow: 1e-3, clipHigh: 1e-3, preset: "trl" } }],
    ["cispo", { grpo: { surrogate: "cispo", cispoHigh: 5, preset: "trl" } }],
    ["sapo", { grpo: { surrogate: "sapo", preset: "trl" } }],
  ];
  const clip = options({ grpo: { preset: "trl" } });
  test.each(variants)("%s", async (_name, patch) => {
    const whole = (policy: Policy) => Promise.resolve([rows(policy, [0, 1, 2, 3])]);
    const halves = (policy: Policy) => Promise.resolve([rows(policy, [0, 1]), rows(policy, [0, 1])]);
    const distance = (a: Float32Array, b: Float32Array): number =>
      Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? 0))));
    const [one, other] = [await trained(whole, clip), await trained(whole, options(patch))];
    expect(distance(one.theta, other.theta)).toBeLessThan(1e-5);
    const [two, another] = [await trained(halves, clip), await trained(halves, options(patch))];
    expect(distance(two.theta, another.theta)).toBeGreaterThan(1e-4);
  });
});

test("a session's groups are dealt to the updates whole, and its metrics show the ratios", {
  timeout: 30_000,
}, async () => {
  const policy = await taughtPolicy(backend);
  const session = tinySession(policy, { grpo: { prompts: 4, updatesPerRollout: 2, learningRate: 5e-3 } });
  const first = await session.stepThrough();
  const second = await session.stepThrough();
  expect([first?.updates, second?.updates]).toEqual([2, 2]);
  expect(first?.["ratio/max"]).toBeGreaterThan(1);
  const bins = Object.entries(second ?? {}).filter(([key]) => key.startsWith("ratio_histogram/"));
  expect(bins).toHaveLength(13);
  expect(bins.reduce((sum, [, share]) => sum + Number(share), 0)).toBeCloseTo(1, 9);
  expect(first?.kl).toBeUndefined();
  session.dispose();
  policy.dispose();
});
