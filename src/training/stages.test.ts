/** Stages of a run: length, group size and KL weight change, the optimiser goes on. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { taughtPolicy, tinySession } from "./testing/tinySession";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

test("each step has its stage's settings", { timeout: 60_000 }, async () => {
  const policy = await taughtPolicy(backend);
  const stages = [
    { steps: 1, maxNewTokens: 6, groupSize: 4, beta: 0 },
    { steps: 1, maxNewTokens: 12, groupSize: 2, beta: 0.1 },
  ];
  const session = tinySession(policy, { grpo: { stages } });
  const seen: unknown[] = [];
  for (let step = 0; step < 3; step++) {
    const metrics = await session.stepThrough((result) => {
      if (result.kind !== "stepped") return;
      const samples = result.groups.flatMap((group) => group.samples);
      seen.push([samples.length, Math.max(...samples.map(({ tokens }) => tokens.length))]);
    });
    seen.push([metrics?.["stage/number"], metrics?.kl !== undefined]);
  }
  expect(seen).toEqual([
    [8, 6],
    [1, false],
    [4, 12],
    [2, true],
    [4, 12],
    [2, true],
  ]);
  expect((await session.snapshot()).state.updates).toBe(3);
  session.dispose();
  policy.dispose();
});
