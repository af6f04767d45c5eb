/** What a model computes from a golden file's inputs: the tensors that verification compares. */
import { Tape } from "../../tensor/tape";
import type { EncodedPrompt } from "../layers/packing";
import type { VisionLanguageModel } from "../model";
import type { GoldenInputs } from "./goldenFile";

/** Image features in the order of the pictures' merged cells [cells, hidden]; null without pictures. */
export async function featuresOf(
  model: VisionLanguageModel,
  prompts: readonly EncodedPrompt[],
): Promise<Float32Array | null> {
  const features = model.features(prompts);
  if (features === null) return null;
  const [values = new Float32Array(0)] = await model.backend.read([features]);
  features.dispose();
  const width = model.config.vision.outHiddenSize;
  const ordered = new Float32Array(values.length);
  let first = 0;
  for (const prompt of prompts) {
    const indices = model.featureIndices.ofCells(prompt);
    indices.forEach((index, cell) => {
      const from = (first + index) * width;
      ordered.set(values.subarray(from, from + width), (first + cell) * width);
    });
    first += indices.length;
  }
  return ordered;
}

/** Logits of every token of the prompts, one prompt after another [tokens, V]. */
export async function logitsOf(model: VisionLanguageModel, prompts: readonly EncodedPrompt[]): Promise<Float32Array> {
  // A one-token response makes packed rows of exactly the prompt's tokens.
  const batch = model.packBatch(prompts.map((prompt) => ({ prompt, responses: [Int32Array.of(0)] })));
  const logits = model.logits(batch);
  const [values] = await model.backend.read([logits]);
  logits.dispose();
  batch.dispose();
  return Float32Array.from(values ?? []);
}

/** The mean cross-entropy over labels, and its gradient in every trainable parameter. */
export async function lossAndGradients(
  model: VisionLanguageModel,
  { sequences }: GoldenInputs,
): Promise<{ loss: number; gradients: Map<string, Float32Array> }> {
  const { backend, parameters } = model;
  const items = sequences.map(({ ids, labels, images }, row) => {
    const first = labels.findIndex((label) => label >= 0);
    if (first < 2)
      throw new Error(
        `Golden file: the first label of sequence ${row} must be at token 2 or later, found ` +
          `${first < 0 ? "none" : first}.`,
      );
    return { prompt: model.encode(ids.slice(0, first), images), responses: [ids.slice(first)] };
  });
  const labels = sequences.flatMap((sequence) => [
    ...sequence.labels.slice(sequence.labels.findIndex((label) => label >= 0)),
  ]);
  const count = labels.filter((label) => label >= 0).length;
  const weights = Float32Array.from(labels, (label) => (label >= 0 ? 1 / count : 0));
  const batch = model.packBatch(items);
  const tape = new Tape(backend, true);
  const { logprob } = model.responseLogprobs(tape, batch, { temperature: 1, trainVision: true });
  const [logprobs] = await backend.read([logprob]);
  const loss = -weights.reduce((sum, weight, i) => sum + weight * (logprobs?.[i] ?? NaN), 0);
  const dLogprob = backend.upload(
    weights.map((w) => -w),
    [weights.length],
  );
  parameters.zeroGrad();
  tape.backward(logprob, dLogprob);
  tape.dispose();
  dLogprob.dispose();
  batch.dispose();
  return { loss, gradients: await parameters.readAllGrads() };
}

/** The most likely tokens of all (none suppressed) after each prompt, `count` of them, one prompt after another. */
export async function greedyOf(
  model: VisionLanguageModel,
  prompts: readonly EncodedPrompt[],
  count: number,
): Promise<number[]> {
  const rollout = await model.generate(
    prompts,
    {
      groupSize: 1,
      temperature: 1,
      greedy: true,
      maxNewTokens: count,
      seed: 0,
      step: 0,
      stopTokens: [],
      suppressTokens: [],
    },
    0,
  );
  return rollout.rows.flatMap((row) => [...row.tokens]);
}
