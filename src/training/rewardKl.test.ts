/** KL in the reward: no term in the loss, a penalty on every response, and the same after a snapshot. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { scoreOf } from "./records";
import { decodeSnapshot, encodeSnapshot } from "./snapshot";
import { taughtPolicy, tinySession } from "./testing/tinySession";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

test("the penalty is 0 while the policy is its reference, then lowers rewards", { timeout: 60_000 }, async () => {
  const policy = await taughtPolicy(backend);
  const grpo = { beta: 0.5, klPlacement: "reward", klEstimator: "k2", learningRate: 5e-3 } as const;
  const session = tinySession(policy, { grpo });
  const first = await session.stepThrough();
  expect(Math.abs(first?.["rewards/kl"] ?? 1)).toBeLessThan(1e-6);
  for (const _ of ["rollout", "score", "normalise"]) await session.phase();
  const snapshot = decodeSnapshot(encodeSnapshot(await session.snapshot()));
  const [group] = session.groups;
  const penalties = group?.samples.map(({ klPenalty = 0 }) => klPenalty) ?? [];
  for (const penalty of penalties) expect(penalty).toBeGreaterThan(0);
  const rewards = group?.samples.map((sample, i) => (scoreOf(sample)?.terms.total ?? 0) - (penalties[i] ?? 0)) ?? [];
  const mean = rewards.reduce((sum, r) => sum + r, 0) / rewards.length;
  expect(group?.normalised?.mean).toBeCloseTo(mean, 12);
  const stepped = await session.phase();
  if (stepped.kind !== "stepped") throw new Error("expected the update");
  expect(stepped.metrics["rewards/kl"]).toBeLessThan(0);
  expect(stepped.metrics.kl).toBeGreaterThan(0);
  const end = await session.snapshot();
  session.dispose();

  const resumed = tinySession(policy, { seed: 9 });
  await resumed.restore(snapshot);
  expect(await resumed.phase()).toEqual(stepped);
  expect((await resumed.snapshot()).parameters).toEqual(end.parameters);
  resumed.dispose();
  policy.dispose();
});
