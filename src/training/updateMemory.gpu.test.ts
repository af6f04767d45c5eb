/**
 * The update never holds logits of all its tokens: no tensor that any backend makes in it is as large as tokens ×
 * vocabulary. The policy here has a vocabulary beside which everything else is small.
 */

import { engine } from "@tensorflow/tfjs-core";
import { afterEach, expect, it, vi } from "vitest";
import { InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { Policy } from "../policy/policy";
import { BACKENDS } from "../policy/testing/testBackends";
import { problemAt } from "../tasks/problems";
import type { Backend } from "../tensor/backend";
import type { TrainingRow } from "./microBatch";
import { settingsObjective } from "./objective";
import { encodeProblem } from "./rollout";
import { defaultSettings } from "./settings";
import { tinyFolder } from "./testing/tinyPolicy";
import { type PolicyUpdateOptions, policyUpdate } from "./update";

const RESPONSES = 3;
/**
 * [tokens of a response, vocabulary]: fixed scratch must be small beside their product, and plain TensorFlow.js is
 * slow.
 */
const SIZES: Readonly<Record<string, readonly [number, number]>> = {
  reference: [40, 1500],
  wasm: [100, 3000],
  webgpu: [100, 3000],
};

const OPTIONS: PolicyUpdateOptions = {
  temperature: 1,
  trainVision: false,
  features: null,
  learningRate: 1e-3,
  weightDecay: 0,
  maxGradNorm: 1,
  microBatchRows: RESPONSES,
  updates: 0,
  objective: { ...settingsObjective(defaultSettings), beta: 0.1 },
  epochs: 1,
  reference: null,
};

/** The tiny policy's folder with a vocabulary as large as a checkpoint pads its own to be. */
async function wideFolder(vocabulary: number): Promise<InMemoryFiles> {
  const files = tinyFolder();
  const config: { text_config: object } = JSON.parse(new TextDecoder().decode(await files.read("config.json")));
  const wide = { ...config, text_config: { ...config.text_config, vocab_size: vocabulary } };
  const others = await Promise.all(
    files
      .list()
      .filter((path) => path !== "config.json")
      .map(async (path) => [path, await files.read(path)] as const),
  );
  return new InMemoryFiles(new Map([...others, ["config.json", new TextEncoder().encode(JSON.stringify(wide))]]));
}

let backend: Backend | null = null;
afterEach(async () => {
  vi.restoreAllMocks();
  await backend?.dispose();
});

it.each(BACKENDS)("on the $name backend", { timeout: 120_000 }, async ({ name, open }) => {
  const [length, vocabulary] = SIZES[name] ?? [0, 0];
  backend = await open();
  const policy = await Policy.create(backend, await wideFolder(vocabulary), { seed: 0, trainable: "language" });
  const reference = await Policy.create(backend, await wideFolder(vocabulary), { seed: 1, trainable: "language" });
  const prompt = encodeProblem(policy, problemAt("train", 0));
  const rows = Array.from({ length: RESPONSES }, (_, g): TrainingRow => {
    const tokens = Int32Array.from({ length }, (_, i) => (7 + 131 * i + 977 * g) % vocabulary);
    return { prompt, tokens, weight: 1 / (RESPONSES * length), advantage: g - (RESPONSES - 1) / 2 };
  });
  const made = vi.spyOn(engine(), "makeTensorFromTensorInfo");
  const wrapped = vi.spyOn(engine(), "makeTensorFromDataId");
  const values = vi.spyOn(engine(), "makeTensor");
  await policyUpdate(policy, [rows], { ...OPTIONS, reference: { policy: reference, adapter: "on", theta: null } });
  const sizes = [...made.mock.results, ...wrapped.mock.results, ...values.mock.results].flatMap(({ value }) => [
    Number(value.size),
  ]);
  expect(sizes.length).toBeGreaterThan(100);
  expect(Math.max(...sizes)).toBeLessThan(0.8 * RESPONSES * length * vocabulary);
  reference.dispose();
  policy.dispose();
});
