/** Steps whose responses have no usable score: what they report, and that their snapshots can be read back. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Policy } from "../policy/policy";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import type { Scorer } from "./score";
import { decodeSnapshot, encodeSnapshot } from "./snapshot";
import { byLength, taughtPolicy, tinySession } from "./testing/tinySession";

let backend: Backend;
let policy: Policy;
beforeAll(async () => {
  backend = await openWasmBackend();
  policy = await taughtPolicy(backend);
});
afterAll(() => backend.dispose());

const withTotal =
  (total: number): Scorer =>
  (...response) => {
    const score = byLength(...response);
    return { ...score, terms: { ...score.terms, total } };
  };
const failing: Scorer = () => {
  throw new Error("no luck");
};

test("a total whose sum would not be finite is no score", { timeout: 30_000 }, async () => {
  const session = tinySession(policy, {}, { scorer: withTotal(1e308) });
  const metrics = await session.stepThrough();
  expect(metrics).toMatchObject({ "score/failed": 6, updates: 0 });
  expect(metrics).not.toHaveProperty("reward");
  const snapshot = await session.snapshot();
  expect(decodeSnapshot(encodeSnapshot(snapshot)).state.history).toEqual([metrics]);
  session.dispose();
});

test("without a token to measure it on, no KL is logged", { timeout: 30_000 }, async () => {
  const session = tinySession(policy, { grpo: { beta: 0.1 } }, { scorer: failing });
  const metrics = await session.stepThrough();
  expect(metrics?.updates).toBe(0);
  expect(metrics).not.toHaveProperty("kl");
  session.dispose();
});

test("a step that the filter empties because nothing was scored says so", { timeout: 30_000 }, async () => {
  const session = tinySession(policy, { grpo: { onlineFilter: "mixed", refills: 1 } }, { scorer: failing });
  await expect(session.stepThrough()).rejects.toThrow(
    /none of 4 groups .* 12 of 12 responses have no score.*The first: .*, response 1: the scorer failed: no luck/,
  );
  session.dispose();
});
