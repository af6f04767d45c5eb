/**
 * Training steps recorded on the WebGPU backend: padded to few shapes and replayed, they give the weights that
 * unrecorded, unpadded steps give; a step is one submit for each micro-batch, of replays alone, and reads back once;
 * the device's memory does not grow; and the counts that the design asks for.
 */

import { afterEach, expect, test, vi } from "vitest";
import { nanoFiles } from "../policy/create";
import { Policy } from "../policy/policy";
import { corpusExample } from "../tasks/corpus";
import { problemAt } from "../tasks/problems";
import { VOCABULARY } from "../tasks/vocabulary";
import type { WebGpuBackend } from "../tensor/webgpu/backend";
import { openNodeWebGpuBackend } from "../tensor/webgpu/node";
import { configure } from "./configure";
import { bankOf } from "./featureCache";
import { LargestBatch } from "./largestBatch";
import type { TrainingRow } from "./microBatch";
import { settingsObjective } from "./objective";
import { encodeProblem } from "./rollout";
import { defaultSettings } from "./settings";
import { tinyPolicy } from "./testing/tinyPolicy";
import { responseTokens } from "./transcript";
import { type PolicyUpdateOptions, policyUpdate, sftUpdate } from "./update";

let backend: WebGpuBackend | null = null;
afterEach(() => backend?.dispose());

async function open(record: boolean): Promise<WebGpuBackend> {
  await backend?.dispose();
  backend = await openNodeWebGpuBackend({ record });
  return backend;
}

const OBJECTIVE = settingsObjective(configure(defaultSettings, { grpo: { clipHigh: 0.28 } }));
const OPTIONS = {
  temperature: 1,
  trainVision: false,
  features: null,
  learningRate: 1e-3,
  weightDecay: 0.01,
  maxGradNorm: 1,
  microBatchRows: 6,
  updates: 0,
};

/** Groups of `size` made-up responses, whose lengths and prompts differ from step to step. */
function rows(policy: Policy, step: number, prompts: number, size: number): TrainingRow[] {
  return Array.from({ length: prompts }, (_, p) => encodeProblem(policy, problemAt("train", 3 * step + p))).flatMap(
    (prompt, p) =>
      Array.from({ length: size }, (_, g) => {
        const tokens = Int32Array.from(
          { length: 9 + ((step + 3 * p + 5 * g) % 7) },
          (_, i) => 20 + ((7 * i + 3 * g + step) % 80),
        );
        return { prompt, tokens, weight: 1 / (prompts * size * tokens.length), advantage: g - (size - 1) / 2 };
      }),
  );
}

/**
 * Weights after some steps of every kind: SFT with the tower, GRPO of two epochs with a reference and a feature bank.
 */
async function train(record: boolean): Promise<{ theta: Float32Array; losses: number[] }> {
  const policy = await tinyPolicy(await open(record), "all");
  const reference = await tinyPolicy(policy.backend, "all", 5);
  const losses: number[] = [];
  for (let step = 0; step < 3; step++) {
    const batch = rows(policy, step, 4, 3);
    losses.push((await sftUpdate(policy, batch, { ...OPTIONS, trainVision: true, updates: step })).loss);
    const features = bankOf(
      policy,
      batch.map((row) => row.prompt),
    );
    const options: PolicyUpdateOptions = {
      ...OPTIONS,
      features,
      objective: { ...OBJECTIVE, beta: 0.1 },
      epochs: 2,
      reference: { policy: reference, adapter: "on", theta: null },
      updates: 3 + 2 * step,
    };
    losses.push((await policyUpdate(policy, [batch], options)).loss);
    features?.dispose();
  }
  const { theta } = await policy.parameters.state();
  reference.dispose();
  policy.dispose();
  return { theta, losses };
}

test("recorded and padded steps give the weights of plain ones", { timeout: 240_000 }, async () => {
  const [plain, recorded] = [await train(false), await train(true)];
  recorded.losses.forEach((loss, i) => expect(loss).toBeCloseTo(plain.losses[i] ?? NaN, 5));
  // Adding exact zeros changes no sum: even the bits are the same.
  expect(Buffer.compare(Buffer.from(recorded.theta.buffer), Buffer.from(plain.theta.buffer))).toBe(0);
});

test("a step reads back once, and what it holds on the device stays the same", { timeout: 240_000 }, async () => {
  const policy = await tinyPolicy(await open(true));
  const prompts = [0, 1, 2].map((i) => encodeProblem(policy, problemAt("train", i)));
  const bytes: number[] = [];
  for (let step = 0; step < 14; step++) {
    const features = bankOf(policy, prompts);
    const start = policy.backend.counters.readbacks;
    const rollout = await policy.generate(
      prompts,
      { groupSize: 4, temperature: 1, maxNewTokens: 24, seed: 1, step },
      features,
    );
    expect(policy.backend.counters.readbacks - start).toBe(rollout.readbacks);
    expect(rollout.readbacks).toBeLessThanOrEqual(1 + Math.floor(23 / 8)); // the end, and a look every eight tokens
    const batch = rollout.rows.map(
      ({ prompt, tokens }, i): TrainingRow => ({
        prompt: prompts[prompt]!,
        tokens,
        weight: 0.01,
        advantage: (i % 4) - 1.5,
      }),
    );
    const beforeUpdate = policy.backend.counters.readbacks;
    await policyUpdate(policy, [batch], {
      ...OPTIONS,
      microBatchRows: 12,
      features,
      objective: OBJECTIVE,
      epochs: 1,
      reference: null,
      updates: step,
    });
    expect(policy.backend.counters.readbacks - beforeUpdate).toBe(1);
    features?.dispose();
    bytes.push(policy.backend.memoryBytes());
  }
  expect(new Set(bytes.slice(7)).size).toBe(1);
  policy.dispose();
});

/** Groups of made-up responses of up to `longest` tokens; prompts differ from step to step. */
function growing(policy: Policy, step: number, longest: number): TrainingRow[] {
  return [0, 1, 2].flatMap((p) => {
    const prompt = encodeProblem(policy, problemAt("train", 4 * step + p));
    return Array.from({ length: 4 }, (_, g): TrainingRow => {
      const tokens = Int32Array.from(
        { length: Math.max(1, longest - 2 * g - p) },
        (_, i) => 20 + ((7 * i + 3 * g + step) % 80),
      );
      return { prompt, tokens, weight: 0.01, advantage: g - 1.5 };
    });
  });
}

/**
 * Bytes held after steps with a KL term and two epochs, whose responses differ in length, up to the 60 tokens that they
 * may have.
 */
async function bytesHeld(foreseen: boolean, batchBytes: number | null = null): Promise<number[]> {
  const policy = await tinyPolicy(await open(true));
  const reference = await tinyPolicy(policy.backend, "all", 5);
  if (batchBytes !== null)
    for (const { model } of [policy, reference]) vi.spyOn(model, "activationBytes").mockReturnValue(batchBytes);
  const largest = { batch: new LargestBatch(), limits: { responses: 6, tokens: 60 } };
  const bytes: number[] = [];
  for (const [step, longest] of [12, 4, 20, 31, 16, 43, 2, 52, 60, 38].entries()) {
    const batch = growing(policy, step, longest);
    const features = bankOf(
      policy,
      batch.map((row) => row.prompt),
    );
    const options: PolicyUpdateOptions = {
      ...OPTIONS,
      features,
      objective: { ...OBJECTIVE, beta: 0.1 },
      epochs: 2,
      reference: { policy: reference, adapter: "on", theta: null },
      updates: 2 * step,
    };
    await policyUpdate(policy, [batch], foreseen ? { ...options, largest } : options);
    features?.dispose();
    bytes.push(policy.backend.memoryBytes());
  }
  reference.dispose();
  policy.dispose();
  return bytes;
}

test("memory does not depend on how long responses turn out, where the largest batch is foreseen", {
  timeout: 240_000,
}, async () => {
  expect(new Set((await bytesHeld(true)).slice(1)).size).toBe(1);
  expect(new Set((await bytesHeld(false)).slice(1)).size).toBeGreaterThan(1);
});

test("memory that only the largest batch would need is left alone where that is much", {
  timeout: 240_000,
}, async () => {
  expect(await bytesHeld(true, 2 ** 31)).toEqual(await bytesHeld(false));
});

test("a replayed step is one submit, of recorded dispatches only", { timeout: 120_000 }, async () => {
  const policy = await tinyPolicy(await open(true));
  const batch = rows(policy, 0, 2, 3);
  const { counters, dispatcher } = backend!;
  const replay = vi.spyOn(dispatcher, "replay");
  const run = vi.spyOn(dispatcher, "run");
  const submits: number[] = [];
  for (let step = 0; step < 3; step++) {
    run.mockClear();
    replay.mockClear();
    const before = { ...counters };
    await policyUpdate(policy, [batch], {
      ...OPTIONS,
      microBatchRows: 6,
      objective: OBJECTIVE,
      epochs: 1,
      reference: null,
      updates: step,
    });
    submits.push(counters.submits - before.submits);
    expect(counters.readbacks - before.readbacks).toBe(1);
  }
  expect(run).not.toHaveBeenCalled();
  expect(replay).toHaveBeenCalledTimes(3); // zeroed gradient; forward and backward; clip and AdamW
  expect(submits.slice(1)).toEqual([1, 1]);
  policy.dispose();
});

test("nano: at most 45 dispatches a token and 300 a training step of 32 rows, tower included", {
  timeout: 120_000,
}, async () => {
  const opened = await open(true);
  const words = ["<think>", "</think>", "<answer>", "</answer>", "<reflection>", "</reflection>", ...VOCABULARY];
  const policy = await Policy.create(opened, nanoFiles(words), { seed: 0 });
  const examples = Array.from({ length: 32 }, (_, i) => corpusExample("clean", 0, i));
  const batch = examples.map(
    ({ problem, response }): TrainingRow => ({
      prompt: encodeProblem(policy, problem),
      tokens: responseTokens(policy, response),
      weight: 0.01,
      advantage: 1,
    }),
  );
  const before = opened.counters.dispatches;
  await sftUpdate(policy, batch, { ...OPTIONS, trainVision: true, microBatchRows: 32 });
  expect(opened.counters.dispatches - before).toBeLessThanOrEqual(300);
  const prompt = batch[0]!.prompt;
  const dispatchesOf = async (cache: "f32" | "f16"): Promise<number[]> => {
    const made: number[] = [];
    for (const maxNewTokens of [2, 7]) {
      const start = opened.counters.dispatches;
      await policy.generate([prompt], {
        groupSize: 2,
        temperature: 1,
        maxNewTokens,
        seed: 0,
        step: 0,
        stopTokens: [],
        cache,
      });
      made.push(opened.counters.dispatches - start);
    }
    return made;
  };
  const dispatches = await dispatchesOf("f32");
  expect(await dispatchesOf("f16")).toEqual(dispatches);
  expect((dispatches[1]! - dispatches[0]!) / 5).toBeLessThanOrEqual(45);
  expect((dispatches[1]! - dispatches[0]!) / 5 - 4).toBeLessThanOrEqual(9 * policy.config.text.layers);
  policy.dispose();
});
