/**
 * A step never holds a tensor of response tokens × vocabulary, in any weight format; and a packed head gives the
 * gradients of its values.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../tensor/backend";
import { Tape } from "../tensor/tape";
import { LORA_TARGETS, type LoraOptions } from "./layers/lora";
import type { ModelOptions, VisionLanguageModel } from "./model";
import { trackPeakMemory } from "./testing/memoryProbe";
import { prompt, smallConfig, smallModel } from "./testing/syntheticPrompts";
import { BACKENDS } from "./testing/testBackends";

const VOCABULARY = 30_000;
const TOKENS = 96;
const lora: LoraOptions = { rank: 4, alpha: 8, rankStabilised: false, targets: LORA_TARGETS, baseModel: null };

/** One backward pass over a group of two responses. → the adapter's gradient */
async function gradient(model: VisionLanguageModel): Promise<Float32Array> {
  const { backend } = model;
  const response = (first: number) => Int32Array.from({ length: TOKENS / 2 }, (_, i) => (first + 997 * i) % VOCABULARY);
  const batch = model.packBatch([{ prompt: prompt(model, 1, [10, 11]), responses: [response(7), response(15_011)] }]);
  const ones = backend.upload(new Float32Array(TOKENS).fill(1 / TOKENS), [TOKENS]);
  model.parameters.zeroGrad();
  model.trainingSteps.run("gradient", [...batch.tensors, ones], {}, () => {
    const tape = new Tape(backend, true);
    tape.backward(model.responseLogprobs(tape, batch, { temperature: 0.9, trainVision: false }).logprob, ones);
    tape.dispose();
    return [];
  });
  const values = await model.parameters.readFlat("grad");
  ones.dispose();
  batch.dispose();
  return values;
}

describe.each(BACKENDS.filter(({ name }) => name !== "reference"))("on the $name backend", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());
  const model = (on: Backend, options: ModelOptions): VisionLanguageModel =>
    smallModel(on, options, 0, 0.2, smallConfig(1, VOCABULARY));

  it("takes far less than the logits would", { timeout: 30_000 }, async () => {
    const { backend: seen, most } = trackPeakMemory(backend);
    const packed = model(seen, { trainable: "none", lora, frozenFormat: "f16" });
    const before = backend.memoryBytes();
    const found = await gradient(packed);
    expect(most() - before).toBeLessThan(0.25 * 4 * TOKENS * VOCABULARY);

    // The same values in f32: the head is tied to the embedding table, and packed in the backward pass too.
    const plain = model(backend, { trainable: "none", lora });
    for (const name of plain.parameters.names()) plain.parameters.write(name, await packed.parameters.read(name));
    const expected = await gradient(plain);
    const norm = Math.hypot(...expected);
    expect(norm).toBeGreaterThan(0);
    expect(Math.hypot(...found.map((value, i) => value - (expected[i] ?? NaN))) / norm).toBeLessThan(1e-5);
    packed.dispose();
    plain.dispose();
  });
});
