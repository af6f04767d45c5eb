/** The plan's arithmetic against the family's published sizes, and against what a backend actually holds. */
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import type { Backend } from "../tensor/backend";
import { Tape } from "../tensor/tape";
import { openWasmBackend } from "../tensor/wasm/backend";
import { openDirectory } from "./checkpoint/checkpointDirectory";
import { parseConfig } from "./checkpoint/config";
import { type ShapeName, shapeConfig } from "./checkpoint/shapes";
import { LORA_TARGETS, type LoraOptions } from "./layers/lora";
import { activationBytes, layerRowValues, planMemory } from "./memoryPlan";
import { Policy } from "./policy";

const lora = (rank: number): LoraOptions => ({
  rank,
  alpha: 32,
  rankStabilised: false,
  targets: LORA_TARGETS,
  baseModel: null,
});
const usual = {
  trainable: "none",
  lora: lora(16),
  groupSize: 8,
  promptTokens: 700,
  imageTokens: 700,
  completionTokens: 1024,
  microBatch: 1,
} as const;

/**
 * Parameters; weights in GB as f16, and as int4 layers + f16 head and tower; f16 KV bytes a token; LoRA r16; MB of one
 * layer at 1.7k rows in half precision.
 */
const PUBLISHED: [ShapeName, number, number, number, number, number, number][] = [
  ["3b", 3_754_622_976, 7.5, 3.5, 36_864, 29.9, 170],
  ["7b", 8_292_166_656, 16.6, 7.2, 57_344, 40.4, 295],
  ["32b", 33_452_718_336, 66.9, 22.1, 262_144, 134, 427],
];

test.each(PUBLISHED)("%s: the published sizes", (shape, parameters, half, four, kv, adapter, layer) => {
  const config = parseConfig(shapeConfig(shape, "bfloat16"));
  const plan = (frozenFormat: "f16" | "int4") => planMemory(config, { ...usual, frozenFormat });
  const { text } = config;
  expect(planMemory(config, { ...usual, lora: null }).parameters).toBe(parameters);
  expect(Math.abs(plan("f16").frozenWeights / 1e9 - half)).toBeLessThan(0.06);
  expect(Math.abs(plan("int4").frozenWeights / 1e9 - four)).toBeLessThan(0.06);
  expect(plan("f16").kvCacheOfToken).toBe(kv);
  expect(planMemory(config, { ...usual, frozenFormat: "f16", slots: 8 }).kvCache).toBe(kv * (699 + 8 * 1024));
  expect(planMemory(config, usual).kvCacheOfToken).toBe(2 * kv);
  // 16 prompts in 12 slots: two groups' prompts are in flight, and one more.
  const many = planMemory(config, { ...usual, frozenFormat: "f16", prompts: 16, slots: 12 });
  expect([many.slots, many.prefixRows, many.kvCache]).toEqual([12, 3 * 699, kv * (3 * 699 + 12 * 1024)]);
  expect(planMemory(config, { ...usual, frozenFormat: "f16", prompts: 16 }).slots).toBe(
    Math.min(128, Math.floor(2 ** 31 / (kv * (1024 + 699 / 8)))),
  );
  expect(Math.abs(plan("f16").trained / 1e6 - adapter)).toBeLessThan(0.5);
  // The table counts f16, the incoming stream and its gradient too, and no log-sum-exp.
  const values = layerRowValues(text, 0) - text.heads + 2 * text.hiddenSize;
  expect(Math.abs((2 * 1700 * values) / 1e6 / layer - 1)).toBeLessThan(0.01);
});

test("a micro-batch that starts mid-group has one more prompt; recording holds cache and activations at once", () => {
  const config = parseConfig(shapeConfig("3b", "bfloat16"));
  const plan = (change: object) => planMemory(config, { ...usual, frozenFormat: "f16", ...change });
  const { text } = config;
  // Group size 8: one response has one prompt; two to nine may have two; ten, three, as long as there are so many.
  for (const [microBatch, prompts, together] of [
    [1, 4, 1],
    [2, 4, 2],
    [8, 4, 2],
    [9, 4, 2],
    [10, 4, 3],
    [10, 2, 2],
    [8, 1, 1],
  ] as const) {
    expect(plan({ microBatch, prompts }).activations).toBe(
      activationBytes(text, 16, { rows: together * 700 + microBatch * 1024, tokens: microBatch * 1024 }, false),
    );
  }
  const [apart, together] = [plan({ records: false }), plan({ records: true })];
  const still = apart.frozenWeights + apart.trainedState;
  expect(apart.peak).toBe(still + apart.activations);
  expect(together.peak).toBe(still + together.activations + together.kvCache);
});

describe("what the wasm backend holds", () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await openWasmBackend();
  });
  afterAll(() => backend.dispose());
  const folder = new URL("./golden/tiny_tied/", import.meta.url).pathname;

  it.each(["f32", "f16", "int4"] as const)(
    "weights in %s and the adapter's state, to the byte",
    async (frozenFormat) => {
      const before = backend.memoryBytes();
      const policy = await Policy.load(backend, await openDirectory(folder), {
        trainable: "none",
        frozenFormat,
        lora: lora(4),
      });
      const plan = planMemory(policy.config, { ...usual, lora: lora(4), frozenFormat });
      expect(backend.memoryBytes() - before).toBe(plan.frozenWeights + plan.trainedState);
      expect(plan.trained).toBe(policy.parameters.trainableCount);
      policy.dispose();
      expect(backend.memoryBytes()).toBe(before);
    },
  );

  it("the KV cache of a group, and the activations that a tape keeps", { timeout: 60_000 }, async () => {
    const policy = await Policy.load(backend, await openDirectory(folder), { trainable: "none", lora: lora(4) });
    const { text } = policy.config;
    const prompt = policy.model.encode(
      Int32Array.from({ length: 30 }, (_, i) => 10 + i),
      [],
    );
    const plan = (cache: "f32" | "f16", slots: number) =>
      planMemory(policy.config, {
        ...usual,
        lora: lora(4),
        groupSize: 4,
        prompts: 3,
        slots,
        cache,
        promptTokens: 30,
        imageTokens: 0,
        completionTokens: 40,
      });
    const generating = async (cache: "f32" | "f16", slots: number): Promise<number> => {
      const before = backend.memoryBytes();
      let most = 0;
      const onToken = (): void => {
        most = Math.max(most, backend.memoryBytes() - before);
      };
      await policy.generate([prompt, prompt, prompt], {
        groupSize: 4,
        temperature: 1,
        maxNewTokens: 40,
        seed: 0,
        step: 0,
        stopTokens: [],
        cache,
        slots,
        onToken,
      });
      return most;
    };
    const training = (): number => {
      const batch = policy.packBatch([{ prompt, responses: [Int32Array.from({ length: 40 }, (_, i) => 50 + i)] }]);
      const before = backend.memoryBytes();
      const tape = new Tape(backend, true);
      policy.responseLogprobs(tape, batch, { temperature: 1, trainVision: false });
      const kept = backend.memoryBytes() - before;
      tape.dispose();
      batch.dispose();
      return kept;
    };
    await generating("f16", 12); // the kernels' scratch grows on first use and stays
    training();
    // Of a slot: what is sampled, its angles, and where it stands
    const tables = 40 * (4 + (2 * policy.config.text.headDim) / 2) + 9;
    for (const [cache, slots] of [
      ["f32", 12],
      ["f16", 12],
      ["f32", 3],
      ["f16", 1],
    ] as const) {
      expect((await generating(cache, slots)) - plan(cache, slots).kvCache).toBe(4 * slots * tables);
    }
    const forward = 4 * (text.layers * 70 * layerRowValues(text, 4) + 70 * text.hiddenSize + 2 * 40 * text.hiddenSize);
    expect(training() / forward).toBeCloseTo(1, 1);
    const { activations, activationsRecomputed } = plan("f32", 4);
    expect(activations).toBeGreaterThan(forward);
    expect(activationsRecomputed).toBeLessThan(activations);
    policy.dispose();
  });
});
