/**
 * A step in which something is not finite leaves weights and moments as they were before it, to the bit: on every
 * backend, whatever the gradient, and in the middle of several updates.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Policy } from "../policy/policy";
import type { Backend } from "../tensor/backend";
import { openReferenceBackend } from "../tensor/reference/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import { StepRefused } from "./optimiserStep";
import { DataParallel } from "./parallel/parallel";
import type { Scorer } from "./score";
import type { SettingsPatch } from "./settings";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./snapshot";
import { expectSameBits } from "./testing/smallSession";
import { byLength, taughtPolicy, tinySession } from "./testing/tinySession";

/** Every response earns the same. */
const flat: Scorer = (...response) => {
  const score = byLength(...response);
  return { ...score, terms: { ...score.terms, total: 1 } };
};

/** For SFT, with the data set built. */
async function train(policy: Policy, patch: SettingsPatch, scorer: Scorer = byLength, stage: "sft" | "grpo" = "grpo") {
  const session = tinySession(policy, patch, { scorer, stage });
  if (stage === "sft") while (session.nextPhase !== "update") await session.phase();
  return session;
}

const few: SettingsPatch = { maxNewTokens: 12, grpo: { prompts: 2, groupSize: 2, updatesPerRollout: 2, epochs: 2 } };

describe.each([
  ["wasm", openWasmBackend],
  ["reference", openReferenceBackend],
  ["webgpu", openNodeWebGpuBackend],
] as const)("on the %s backend", (_name, open) => {
  let backend: Backend;
  let policy: Policy;
  beforeAll(async () => {
    backend = await open();
    policy = await taughtPolicy(backend);
  });
  afterAll(() => backend.dispose());

  test("the learning rate overflows f32: refused at the first update", { timeout: 120_000 }, async () => {
    const session = await train(policy, { ...few, grpo: { ...few.grpo, learningRate: 1e39 } });
    const before = await session.snapshot();
    await expect(session.stepThrough()).rejects.toThrow(/learning rate 1e\+39.*a weight or an AdamW moment would not/);
    const after = await session.snapshot();
    expectSameBits(after.parameters, before.parameters);
    expect(after.state).toMatchObject({ step: 0, updates: 0, refusals: 1, pending: null });
    session.dispose();
  });

  test("a gradient of 0 in flat groups, beside a KL term: refused all the same", { timeout: 120_000 }, async () => {
    const grpo = { prompts: 2, groupSize: 2, learningRate: 3e38, beta: 0.1 };
    const session = await train(policy, { maxNewTokens: 8, grpo }, flat);
    const before = await session.snapshot();
    await expect(session.stepThrough()).rejects.toThrow(StepRefused);
    expectSameBits((await session.snapshot()).parameters, before.parameters);
    session.dispose();
  });

  test("a later update of a step is refused: the earlier ones are taken back", { timeout: 120_000 }, async () => {
    // The first update moves the weights so far that the second forward pass overflows.
    const session = await train(policy, { ...few, grpo: { ...few.grpo, learningRate: 1e30 } });
    const before = await session.snapshot();
    await expect(session.stepThrough()).rejects.toThrow(/The update of this step before it was taken back/);
    const after = await session.snapshot();
    expectSameBits(after.parameters, before.parameters);
    expect(after.state).toMatchObject({ step: 0, updates: 0, refusals: 1, pending: null });
    session.dispose();
  });
});

describe("on the wasm backend", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openWasmBackend();
  });
  afterAll(() => backend.dispose());

  test("an SFT step is refused in the same way", { timeout: 60_000 }, async () => {
    const policy = await taughtPolicy(backend);
    const session = await train(policy, { sft: { learningRate: 1e39, warmup: 0 } }, byLength, "sft");
    const before = await session.snapshot();
    await expect(session.phase()).rejects.toThrow(/learning rate 1e\+39/);
    expectSameBits((await session.snapshot()).parameters, before.parameters);
    session.dispose();
    policy.dispose();
  });

  test("with the micro-batches dealt to workers too", { timeout: 60_000 }, async () => {
    const policy = await taughtPolicy(backend);
    const parallel = new DataParallel(policy, [], {});
    const grpo = { updatesPerRollout: 2, learningRate: 1e30 };
    const session = tinySession(policy, { grpo }, { scorer: byLength, parallel });
    const before = await session.snapshot();
    await expect(session.stepThrough()).rejects.toThrow(/taken back/);
    expectSameBits((await session.snapshot()).parameters, before.parameters);
    session.dispose();
    policy.dispose();
  });

  test("a policy that has diverged: every step is refused, also without an update, and its run can be resumed", {
    timeout: 60_000,
  }, async () => {
    const policy = await taughtPolicy(backend);
    const { theta, m, v } = await policy.parameters.state();
    policy.parameters.restore({ theta: theta.map((w) => 1e30 * w), m, v });
    const session = await train(policy, {}, flat);
    await session.phase();
    const snapshot: Snapshot = await session.snapshot();
    expect(snapshot.state.pending?.groups[0]?.rows[0]?.logprobs.some((logprob) => !Number.isFinite(logprob))).toBe(
      true,
    );
    expect(decodeSnapshot(encodeSnapshot(snapshot)).state).toEqual(snapshot.state);
    await expect(session.stepThrough()).rejects.toThrow(/response 1: the log-probability of token 1 of \d+ is NaN/);
    await expect(session.stepThrough()).rejects.toThrow(StepRefused);
    session.dispose();
    policy.dispose();
  });

  test("a reward or an advantage that is not finite is named", async () => {
    const policy = await taughtPolicy(backend);
    const grpo = { beta: 1e308, klPlacement: "reward", klEstimator: "k3" } as const;
    const session = await train(policy, { grpo });
    for (let phase = 0; phase < 2; phase++) await session.phase();
    // The reference is another policy, so that its KL times β overflows.
    const { theta, m, v } = await policy.parameters.state();
    const elsewhere = theta.map((w) => 1.5 * w);
    const taken = await session.snapshot();
    await session.restore({ ...taken, reference: elsewhere });
    await expect(session.phase()).rejects.toThrow(/response \d: its (reward|advantage) is (-Infinity|NaN)/);
    expect((await policy.parameters.state()).m).toEqual(m);
    expect((await policy.parameters.state()).v).toEqual(v);
    session.dispose();
    policy.dispose();
  });
});
