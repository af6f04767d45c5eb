/** A snapshot taken at any phase of a step continues bit for bit. */
import { describe, expect, test } from "vitest";
import type { Backend } from "../tensor/backend";
import { openReferenceBackend } from "../tensor/reference/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import type { PhaseResult } from "./phaseResult";
import type { Stage } from "./records";
import type { SettingsPatch } from "./settings";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./snapshot";
import { expectSameBits, smallSession, taughtPolicy } from "./testing/smallSession";

/** Run `phases` phases, then resume from the snapshots taken before phases `at` and compare every result. */
async function expectSameContinuation(
  backend: Backend,
  stage: Stage,
  patch: SettingsPatch,
  phases: number,
  at: readonly number[],
): Promise<void> {
  const policy = await taughtPolicy(backend);
  const uninterrupted = smallSession(policy, stage, patch);
  const results: PhaseResult[] = [];
  const snapshots: Snapshot[] = [];
  for (let i = 0; i < phases; i++) {
    snapshots.push(decodeSnapshot(encodeSnapshot(await uninterrupted.snapshot())));
    results.push(await uninterrupted.phase());
  }
  const end = await uninterrupted.snapshot();
  uninterrupted.dispose();
  policy.dispose();

  const other = await taughtPolicy(backend);
  for (const begin of at) {
    const resumed = smallSession(other, "base", { seed: 99 });
    const snapshot = snapshots[begin];
    if (snapshot === undefined) throw new Error(`there is no phase ${begin}`);
    await resumed.restore(snapshot);
    for (let i = begin; i < phases; i++) expect(await resumed.phase()).toEqual(results[i]);
    const arrived = await resumed.snapshot();
    expect(arrived.state).toEqual(end.state);
    expectSameBits(arrived.parameters, end.parameters);
    resumed.dispose();
  }
  other.dispose();
}

describe("a snapshot at any phase restores to a bit-identical continuation", () => {
  test.each<[Stage, SettingsPatch]>([
    ["grpo", {}],
    ["grpo", { grpo: { beta: 0.1, epochs: 2 } }],
    ["grpo", { freezeVision: false }],
    ["sft", {}],
    ["sft", { reflectionForm: { kind: "trigger", rounds: 2 } }],
    ["grpo", { reflectionForm: { rounds: 3 } }],
    ["base", {}],
  ])("on the wasm backend: %s %o", async (stage, patch) => {
    const backend = await openWasmBackend();
    await expectSameContinuation(backend, stage, patch, stage === "sft" ? 4 : 8, [0, 1, 2, 3]);
    await backend.dispose();
  });

  test("on the WebGPU backend", async () => {
    const backend = await openNodeWebGpuBackend();
    await expectSameContinuation(backend, "grpo", { maxNewTokens: 12, grpo: { beta: 0.1 } }, 6, [1, 4]);
    await backend.dispose();
  });

  test("a snapshot taken on one backend continues on another: a lost WebGPU device may leave only wasm", async () => {
    const [gpu, wasm] = [await openNodeWebGpuBackend(), await openWasmBackend()];
    const session = smallSession(await taughtPolicy(gpu), "grpo");
    for (let i = 0; i < 5; i++) await session.phase();
    const snapshot = await session.snapshot();
    const elsewhere = smallSession(await taughtPolicy(wasm), "base");
    await elsewhere.restore(snapshot);
    expectSameBits((await elsewhere.snapshot()).parameters, snapshot.parameters);
    const [here, there] = [await session.stepThrough(), await elsewhere.stepThrough()];
    expect(there?.grad_norm).toBeCloseTo(here?.grad_norm ?? NaN, 4);
    await gpu.dispose();
    await wasm.dispose();
  });

  test("on the reference backend", async () => {
    const backend = await openReferenceBackend();
    const few: SettingsPatch = { maxNewTokens: 3, grpo: { prompts: 1, groupSize: 2 } };
    await expectSameContinuation(backend, "grpo", few, 5, [1, 3]);
    await backend.dispose();
  });
});
