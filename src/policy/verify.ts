/**
 * Does a policy compute what another implementation computed? Compares positions, image features, logits, loss,
 * every gradient and greedy tokens with a reference file (reference.ts); with an adapter, the logits, loss and LoRA
 * gradients of the adapter's own reference file on the same inputs.
 *
 * Error of a tensor: largest |ours − theirs| over its largest |theirs|. Integers must be equal.
 */
import { Tape } from "../tensor/tape";
import { canonicalName } from "./checkpointNames";
import type { VisionLanguageModel } from "./model";
import type { EncodedPrompt } from "./packing";
import { referenceInputs, type ReferenceInputs } from "./reference";
import type { Safetensors } from "./safetensors";
import { readFloat32, readInt32 } from "./safetensorsValues";

export const FORWARD_TOLERANCE = 1e-4;
export const GRADIENT_TOLERANCE = 1e-3;

export interface TensorReport {
  readonly name: string;
  /** Relative error; for integers the number of differing elements. */
  readonly error: number;
  readonly tolerance: number;
  readonly ok: boolean;
}

function report(name: string, error: number, tolerance: number): TensorReport {
  return { name, error, tolerance, ok: error <= tolerance };
}

/** max |a − b| / max |b|; Infinity where a value is not finite or the lengths differ. */
export function relativeError(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length) return Infinity;
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < theirs.length; i++) {
    const d = Math.abs((ours[i] ?? NaN) - (theirs[i] ?? NaN));
    if (!Number.isFinite(d)) return Infinity;
    difference = Math.max(difference, d);
    largest = Math.max(largest, Math.abs(theirs[i] ?? 0));
  }
  return difference === 0 ? 0 : difference / largest;
}

function differing(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let count = Math.abs(ours.length - theirs.length);
  for (let i = 0; i < Math.min(ours.length, theirs.length); i++) if (ours[i] !== theirs[i]) count++;
  return count;
}

/**
 * Compare `model` (loaded with trainable "all", or with an adapter) with `reference`.
 * @param adapterReference logits, loss and gradients with the adapter, on the inputs of `reference`
 * @returns one report a tensor; gradients of parameters the model has but the file lacks are reported with error Infinity
 */
export async function verifyModel(model: VisionLanguageModel, reference: Safetensors, adapterReference: Safetensors | null = null): Promise<TensorReport[]> {
  const inputs = referenceInputs(reference, model.config);
  const prompts = inputs.sequences.map((sequence) => model.encode(sequence.ids, sequence.images));
  const outputs = adapterReference ?? reference;
  const reports: TensorReport[] = [];
  if (adapterReference === null) {
    reports.push(...positionReports(prompts, inputs, reference));
    reports.push(...(await featureReports(model, prompts, reference)));
  }
  reports.push(await logitsReport(model, prompts, inputs, outputs));
  reports.push(...(await gradientReports(model, inputs, outputs)));
  if (outputs.has("greedy")) reports.push(await greedyReport(model, prompts, outputs));
  return reports;
}

function positionReports(prompts: readonly EncodedPrompt[], { sequences, length, batch }: ReferenceInputs, file: Safetensors): TensorReport[] {
  const theirs = readInt32(file, "position_ids");
  let wrong = 0;
  prompts.forEach((prompt, row) => {
    const { offset = 0, ids } = sequences[row] ?? { ids: new Int32Array(0) };
    for (let axis = 0; axis < 3; axis++) {
      const start = (axis * batch + row) * length + offset;
      wrong += differing(prompt.positions.positions.subarray(axis * ids.length, (axis + 1) * ids.length), theirs.subarray(start, start + ids.length));
    }
  });
  const deltas = prompts.map((prompt) => prompt.positions.delta);
  return [report("position_ids", wrong, 0), report("rope_deltas", differing(deltas, readInt32(file, "rope_deltas")), 0)];
}

async function featureReports(model: VisionLanguageModel, prompts: readonly EncodedPrompt[], file: Safetensors): Promise<TensorReport[]> {
  const features = model.features(prompts);
  if (features === null) return [];
  const [values] = await model.home.read([features]);
  features.dispose();
  const width = model.config.vision.outHiddenSize;
  const ordered = new Float32Array(values?.length ?? 0);
  let first = 0;
  for (const prompt of prompts) {
    const places = model.placeOf(prompt);
    places.forEach((place, cell) => {
      const from = (first + place) * width;
      ordered.set((values ?? new Float32Array(0)).subarray(from, from + width), (first + cell) * width);
    });
    first += places.length;
  }
  return [report("image_features", relativeError(ordered, readFloat32(file, "image_features")), FORWARD_TOLERANCE)];
}

/** Logits of every real token; padded rows are not compared. */
async function logitsReport(model: VisionLanguageModel, prompts: readonly EncodedPrompt[], { sequences, length }: ReferenceInputs, file: Safetensors): Promise<TensorReport> {
  // A one-token response makes packed rows of exactly the prompt's tokens.
  const batch = model.packBatch(prompts.map((prompt) => ({ prompt, responses: [Int32Array.of(0)] })));
  const logits = model.logits(batch);
  const [ours] = await model.home.read([logits]);
  logits.dispose();
  batch.dispose();
  const vocab = model.config.text.vocabSize;
  const theirs = readFloat32(file, "logits");
  const real = sequences.map(({ offset, ids }, row) => theirs.subarray((row * length + offset) * vocab, (row * length + offset + ids.length) * vocab));
  const joined = new Float32Array(real.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of real) {
    joined.set(part, at);
    at += part.length;
  }
  return report("logits", relativeError(ours ?? [], joined), FORWARD_TOLERANCE);
}

/** The mean cross-entropy over labels, and its gradient in every trainable parameter. */
async function gradientReports(model: VisionLanguageModel, { sequences }: ReferenceInputs, file: Safetensors): Promise<TensorReport[]> {
  const { home, parameters } = model;
  const items = sequences.map(({ ids, labels, images }, row) => {
    const first = labels.findIndex((label) => label >= 0);
    if (first < 2) throw new Error(`Reference file: the first label of sequence ${row} must stand at token 2 or later, found ${first < 0 ? "none" : first}.`);
    return { prompt: model.encode(ids.slice(0, first), images), responses: [ids.slice(first)] };
  });
  const labels = sequences.flatMap((sequence) => [...sequence.labels.slice(sequence.labels.findIndex((label) => label >= 0))]);
  const count = labels.filter((label) => label >= 0).length;
  const weights = Float32Array.from(labels, (label) => (label >= 0 ? 1 / count : 0));
  const batch = model.packBatch(items);
  const tape = new Tape(home, true);
  const { logprob } = model.responseLogprobs(tape, batch, { temperature: 1, trainVision: true });
  const [logprobs] = await home.read([logprob]);
  const loss = -weights.reduce((sum, weight, i) => sum + weight * (logprobs?.[i] ?? NaN), 0);
  const dLogprob = home.upload(weights.map((w) => -w), [weights.length]);
  parameters.zeroGrad();
  tape.backward(logprob, dLogprob);
  tape.dispose();
  dLogprob.dispose();
  batch.dispose();
  const ours = await parameters.readAllGrads();
  const theirs = new Map(file.names().filter((name) => name.startsWith("grad.")).map((name) => [canonicalName(name.slice(5)), name]));
  return [
    report("loss", relativeError([loss], readFloat32(file, "loss")), FORWARD_TOLERANCE),
    ...[...ours].map(([name, grad]) => {
      const reference = theirs.get(name);
      return report(`grad.${name}`, reference === undefined ? Infinity : relativeError(grad, readFloat32(file, reference)), GRADIENT_TOLERANCE);
    }),
    ...[...theirs.keys()].filter((name) => !ours.has(name)).map((name) => report(`grad.${name}`, Infinity, GRADIENT_TOLERANCE)),
  ];
}

async function greedyReport(model: VisionLanguageModel, prompts: readonly EncodedPrompt[], file: Safetensors): Promise<TensorReport> {
  const maxNewTokens = file.entry("greedy").shape[1] ?? 0;
  const rollout = await model.generate(prompts, { groupSize: 1, temperature: 1, greedy: true, maxNewTokens, seed: 0, step: 0, stopTokens: [] }, 0);
  return report("greedy", differing(rollout.rows.flatMap((row) => [...row.tokens]), readInt32(file, "greedy")), 0);
}
