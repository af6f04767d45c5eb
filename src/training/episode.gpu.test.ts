/** Replay, refill, forced rethinking and the failure buffer together continue bit for bit on WebGPU too. */
import { expect, test } from "vitest";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import { expectSameContinuation } from "./testing/sameContinuation";
import { byLength, taughtPolicy, tinySession } from "./testing/tinySession";

test("from the middle of an episode, on the WebGPU backend", { timeout: 240_000 }, async () => {
  const backend = await openNodeWebGpuBackend();
  const policy = await taughtPolicy(backend);
  const grpo = {
    prompts: 2,
    groupSize: 4,
    updatesPerRollout: 2,
    onlineFilter: "mixed",
    refills: 1,
    replay: { episode: 3, alpha: 1 },
    rethinking: { fraction: 0.5, trigger: null, perGroup: 1, maxTokens: 6, weight: 0.05 },
    failures: { share: 0.5, capacity: 20, maxAge: 5, minimum: 2, wrongShare: 0.9, perGroup: 2 },
  } as const;
  const rightByText: typeof byLength = (text, ...rest) => ({
    ...byLength(text, ...rest),
    refinedRight: text.length % 3 !== 0,
  });
  const results = await expectSameContinuation(
    () => Promise.resolve(tinySession(policy, { grpo }, { scorer: rightByText })),
    11,
    [5, 8],
  );
  expect(results.filter(({ kind }) => kind === "stepped").length).toBeGreaterThan(1);
  policy.dispose();
  await backend.dispose();
});
