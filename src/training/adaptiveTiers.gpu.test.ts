/** Adaptive tiers in a run: each step pays by the steps before it, and a resumed run pays the same. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { tierFactors } from "../srpo/adaptiveTiers";
import { tierOf } from "../srpo/reward";
import { scoreResponse } from "../srpo/score";
import { TRANSITIONS } from "../srpo/types";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { configure } from "./configure";
import type { Scorer } from "./score";
import { Session } from "./session";
import { defaultSettings } from "./settings";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./snapshot";
import { tinyPolicy } from "./testing/tinyPolicy";

const rule = { window: 2, strength: 1, bound: 3 };
const settings = configure(defaultSettings, {
  maxNewTokens: 12,
  microBatchRows: 6,
  reward: { adaptiveTiers: rule },
  grpo: { prompts: 2, groupSize: 4 },
});

/** A policy that knows nothing does not reflect: the length of its text stands for the transition. */
const byLength: Scorer = (text, answer, config, ...rest) => {
  const score = scoreResponse(text, answer, config, ...rest);
  const transition = TRANSITIONS[text.length % 3] ?? "spoilt";
  return { ...score, transition, terms: { ...score.terms, total: tierOf(config, transition) + text.length / 1000 } };
};

let backend: Backend;
beforeAll(async () => {
  backend = await openWasmBackend();
});
afterAll(() => backend.dispose());

async function sessionOn(stage: "base" | "grpo"): Promise<Session> {
  const policy = await tinyPolicy(backend);
  return new Session(policy, settings, { stage, scorer: byLength, now: () => 0 });
}

test("a step pays the tiers that follow from the steps before it, and logs them", async () => {
  const session = await sessionOn("grpo");
  const steps = [];
  for (let i = 0; i < 4; i++) steps.push(await session.stepThrough());
  const shares = steps.map((step) => ({
    kept: step?.["transitions/kept"] ?? Number.NaN,
    fixed: step?.["transitions/fixed"] ?? Number.NaN,
    stillWrong: step?.["transitions/stillWrong"] ?? Number.NaN,
    spoilt: step?.["transitions/spoilt"] ?? Number.NaN,
  }));
  steps.forEach((step, i) => {
    const factors = tierFactors(shares.slice(0, i), rule);
    expect(step?.["tiers/kept"]).toBe(0.25 * factors.kept);
    expect(step?.["tiers/fixed"]).toBe(0.5 * factors.fixed);
  });
  expect(new Set(steps.map((step) => step?.["tiers/kept"])).size).toBeGreaterThan(1);
  // The run's own settings are not touched.
  expect(session.settings.reward).toEqual(settings.reward);
  session.dispose();
  session.policy.dispose();
});

test("a snapshot at any phase goes on with the same tiers, rewards and weights", { timeout: 120_000 }, async () => {
  const session = await sessionOn("grpo");
  const results = [];
  const snapshots: Snapshot[] = [];
  for (let i = 0; i < 12; i++) {
    snapshots.push(decodeSnapshot(encodeSnapshot(await session.snapshot())));
    results.push(await session.phase());
  }
  const end = await session.snapshot();
  // A pending step holds the factors that it began with.
  expect(snapshots[9]?.state.pending?.settings.reward.adaptiveTiers?.factors).toBeDefined();
  const other = await sessionOn("base");
  for (const begin of [4, 5, 6, 7, 8, 11]) {
    const snapshot = snapshots[begin];
    if (snapshot === undefined) throw new Error(`there is no phase ${begin}`);
    await other.restore(snapshot);
    for (let i = begin; i < 12; i++) expect(await other.phase()).toEqual(results[i]);
    const arrived = await other.snapshot();
    expect(arrived.state).toEqual(end.state);
    for (const key of ["theta", "m", "v"] as const)
      expect(Buffer.compare(Buffer.from(arrived.parameters[key].buffer), Buffer.from(end.parameters[key].buffer))).toBe(
        0,
      );
  }
  for (const each of [session, other]) {
    each.dispose();
    each.policy.dispose();
  }
});

test("a new stage forgets the steps before it, and without adaptive tiers nothing is logged", async () => {
  const session = await sessionOn("grpo");
  await session.stepThrough();
  await session.enter("grpo");
  expect((await session.stepThrough())?.["tiers/kept"]).toBe(0.25);
  session.configure({ reward: { adaptiveTiers: null } });
  const off = await session.stepThrough();
  expect(Object.keys(off ?? {}).filter((key) => key.startsWith("tiers/"))).toEqual([]);
  session.dispose();
  session.policy.dispose();
});
