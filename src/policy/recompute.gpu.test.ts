/**
 * Layers recomputed in the backward pass: bit-identical gradients, recorded or not, in the memory of one layer; and an
 * adapter switched off leaves the base.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../tensor/backend";
import { Tape } from "../tensor/tape";
import { LORA_TARGETS, type LoraOptions } from "./layers/lora";
import type { PackedItem } from "./layers/packing";
import { planMemory } from "./memoryPlan";
import type { ModelOptions, VisionLanguageModel } from "./model";
import { trackPeakMemory } from "./testing/memoryProbe";
import { END, prompt, smallConfig, smallModel } from "./testing/syntheticPrompts";
import { BACKENDS } from "./testing/testBackends";

const LAYERS = 8;
const lora: LoraOptions = { rank: 4, alpha: 8, rankStabilised: false, targets: LORA_TARGETS, baseModel: null };

/** With an adapter that has an effect: a new one's B is zero. */
function model(backend: Backend, options: ModelOptions, layers = 2): VisionLanguageModel {
  const made = smallModel(backend, options, 0, 0.2, smallConfig(layers));
  for (const name of made.parameters.names().filter((each) => each.includes("lora_B"))) {
    const size = made.parameters.shapeOf(name).reduce((product, n) => product * n, 1);
    made.parameters.write(
      name,
      Float32Array.from({ length: size }, (_, i) => 0.1 * Math.sin(1 + 1.3 * i)),
    );
  }
  return made;
}

const response = (first: number, length: number): Int32Array =>
  Int32Array.from({ length }, (_, i) => (i === length - 1 ? END : 6 + ((first + 5 * i) % 40)));
const items = (m: VisionLanguageModel, length: number): PackedItem[] => [
  { prompt: prompt(m, 1, [10, 11, 12]), responses: [response(1, length - 3), response(2, length)] },
];

/**
 * Gradient of Σ logprob over all response tokens. @param times number of runs by the model's recorder; 0: run without
 * it
 */
async function gradient(
  m: VisionLanguageModel,
  trainVision: boolean,
  times: number,
  length = 6,
): Promise<Float32Array> {
  const { backend } = m;
  const batch = m.packBatch(items(m, length));
  const ones = backend.upload(new Float32Array(batch.tokenCount).fill(1), [batch.tokenCount]);
  const body = () => {
    const tape = new Tape(backend, true);
    tape.backward(m.responseLogprobs(tape, batch, { temperature: 1, trainVision }).logprob, ones);
    tape.dispose();
    return [];
  };
  m.parameters.zeroGrad();
  if (times === 0) body();
  for (let i = 0; i < times; i++) {
    m.parameters.zeroGrad();
    m.trainingSteps.run("gradient", [...batch.tensors, ones], {}, body);
  }
  const values = await m.parameters.readFlat("grad");
  ones.dispose();
  batch.dispose();
  return values;
}

const sameBits = (a: Float32Array, b: Float32Array): boolean =>
  Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.buffer)) === 0;

describe.each(BACKENDS)("on the $name backend", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  it.each([
    ["an adapter", { trainable: "none", lora }, false],
    ["an adapter on a packed base", { trainable: "none", lora, frozenFormat: "f16" }, false],
    ["decoder and tower in full", { trainable: "all" }, true],
  ] as const)("gives the same gradients: %s", async (_what, options, trainVision) => {
    const [kept, again] = [model(backend, options), model(backend, { ...options, recompute: true })];
    const expected = await gradient(kept, trainVision, 0);
    expect(expected.some((value) => value !== 0)).toBe(true);
    expect(sameBits(await gradient(again, trainVision, 0), expected)).toBe(true);
    if (backend.records) expect(sameBits(await gradient(again, trainVision, 3), expected)).toBe(true);
    kept.dispose();
    again.dispose();
  });

  it("switches the adapter off: the base's log-probabilities to the bit", async () => {
    const adapted = model(backend, { trainable: "none", lora, frozenFormat: "f16" });
    const base = model(backend, { trainable: "none", frozenFormat: "f16" });
    for (const each of base.parameters.names()) base.parameters.write(each, await adapted.parameters.read(each));
    const logprobs = async (m: VisionLanguageModel, adapter: "on" | "off"): Promise<Float32Array> => {
      const batch = m.packBatch(items(m, 6));
      const tape = new Tape(backend, false);
      const [values] = await backend.read([
        m.responseLogprobs(tape, batch, { temperature: 1, trainVision: false, adapter }).logprob,
      ]);
      tape.dispose();
      batch.dispose();
      return Float32Array.from(values ?? []);
    };
    const expected = await logprobs(base, "on");
    expect(sameBits(await logprobs(adapted, "off"), expected)).toBe(true);
    expect(sameBits(await logprobs(adapted, "on"), expected)).toBe(false);
    adapted.dispose();
    base.dispose();
  });
});

describe.each(BACKENDS.filter(({ name }) => name !== "reference"))("memory on the $name backend", ({ open }) => {
  it("holds one layer's activations instead of all layers', as the plan says", async () => {
    /**
     * Bytes beyond those there are before the step. On a backend that records, what its recording keeps: its
     * temporaries.
     */
    const most = async (recompute: boolean): Promise<number> => {
      const backend = await open();
      const { backend: seen, most: found } = trackPeakMemory(backend);
      const warm = model(backend, { trainable: "none", lora });
      if (!backend.records) await gradient(warm, false, 0, 33); // the kernels' scratch grows on first use and stays
      const m = model(backend.records ? backend : seen, { trainable: "none", lora, recompute }, LAYERS);
      const before = backend.memoryBytes();
      await gradient(m, false, backend.records ? 1 : 0, 33);
      const bytes = (backend.records ? backend.memoryBytes() : found()) - before;
      await backend.dispose();
      return bytes;
    };
    const config = smallConfig(LAYERS);
    const plan = planMemory(config, {
      trainable: "none",
      lora,
      groupSize: 1,
      promptTokens: 20,
      imageTokens: 16,
      completionTokens: 32,
      microBatch: 2,
    });
    const [recomputed, kept] = [await most(true), await most(false)];
    // What is no layer (scratch of fixed size) is in both; buffers have headroom on a backend that records.
    expect((kept - recomputed) / (plan.activations - plan.activationsRecomputed)).toBeGreaterThan(0.9);
    expect(recomputed / kept).toBeLessThan(0.4);
  });
});
