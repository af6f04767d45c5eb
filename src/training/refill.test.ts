/** Groups that the filter leaves out are replaced by further problems, counted, and reproduced by a snapshot. */
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { StepRefused } from "./optimiserStep";
import type { PhaseResult } from "./phaseResult";
import type { Scorer } from "./score";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./snapshot";
import { byLength, taughtPolicy, tinySession } from "./testing/tinySession";

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

/** The groups of some answers are mixed, those of the others all wrong. */
const mixedFor =
  (answers: RegExp): Scorer =>
  (text, answer, ...rest) => {
    const score = byLength(text, answer, ...rest);
    const gold = typeof answer === "string" ? answer : answer.answer;
    return { ...score, firstRight: answers.test(gold) && score.firstRight };
  };

test("a step draws until it has its groups, and continues bit for bit from between two draws", {
  timeout: 60_000,
}, async () => {
  const policy = await taughtPolicy(backend);
  const grpo = { prompts: 3, groupSize: 8, onlineFilter: "mixed", refills: 8 } as const;
  const scorer = mixedFor(/[13579]$/);
  const session = tinySession(policy, { grpo }, { scorer });
  const results: PhaseResult[] = [];
  const snapshots: Snapshot[] = [];
  do {
    snapshots.push(decodeSnapshot(encodeSnapshot(await session.snapshot())));
    results.push(await session.phase());
  } while (results.at(-1)?.kind !== "stepped");
  const [last] = results.slice(-1);
  if (last?.kind !== "stepped") throw new Error("the step has not ended");
  const { "filter/drawn": drawn = 0, "filter/kept": kept, "filter/refills": refills = 0 } = last.metrics;
  expect(kept).toBe(3);
  expect(refills).toBeGreaterThan(0);
  expect(drawn).toBeGreaterThan(3);
  expect(last.groups.filter(({ filtered }) => filtered !== true)).toHaveLength(3);
  expect(new Set(last.groups.map(({ problem }) => problem.id)).size).toBe(drawn);
  // No draw repeats the random numbers of another.
  expect(new Set(last.groups.map(({ samples }) => JSON.stringify(samples.map((s) => s.logprobs)))).size).toBe(drawn);
  const phases = results.map((result) => (result.kind === "groups" ? result.phase : result.kind));
  expect(phases.slice(0, 4)).toEqual(["rollout", "score", "rollout", "score"]);
  const end = await session.snapshot();
  session.dispose();
  // After the first draw, before the second, after it.
  for (const [i, snapshot] of snapshots.entries()) {
    if (i < 1 || i > 3) continue;
    const resumed = tinySession(policy, { seed: 9 }, { scorer });
    await resumed.restore(snapshot);
    for (const [j, expected] of results.slice(i).entries())
      expect(isDeepStrictEqual(await resumed.phase(), expected), `phase ${i + j} from ${i}`).toBe(true);
    const arrived = await resumed.snapshot();
    expect(isDeepStrictEqual(arrived.state, end.state), `the state at the end, from ${i}`).toBe(true);
    expect(Buffer.compare(Buffer.from(arrived.parameters.theta.buffer), Buffer.from(end.parameters.theta.buffer))).toBe(
      0,
    );
    resumed.dispose();
  }
  policy.dispose();
});

test("with too few draws it trains on what there is; with nothing it stops, with counts", {
  timeout: 60_000,
}, async () => {
  const policy = await taughtPolicy(backend);
  const grpo = { prompts: 2, groupSize: 4, onlineFilter: "mixed", refills: 2 } as const;
  const none = tinySession(policy, { grpo }, { scorer: mixedFor(/^never$/) });
  await expect(none.stepThrough()).rejects.toThrow(StepRefused);
  await expect(none.stepThrough()).rejects.toThrow(
    /none of 6 groups passed the filter \(mixed groups only\) in 1 \+ 2 draws/,
  );
  expect(none.refusals).toBe(2);
  none.dispose();
  policy.dispose();
});

test("at the base nothing is drawn again", { timeout: 30_000 }, async () => {
  const policy = await taughtPolicy(backend);
  const session = tinySession(
    policy,
    { grpo: { onlineFilter: "mixed", refills: 2 } },
    { stage: "base", scorer: mixedFor(/^never$/) },
  );
  expect((await session.stepThrough())?.["filter/refills"]).toBe(0);
  session.dispose();
  policy.dispose();
});
