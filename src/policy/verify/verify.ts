/**
 * Whether a policy computes what another implementation computed. Compares positions, image features, logits, loss,
 * every gradient and greedy tokens with a golden file (goldenFile.ts); with an adapter, the logits, loss and LoRA
 * gradients of the adapter's own golden file on the same inputs.
 *
 * Error of a tensor: largest |ours − theirs| over its largest |theirs|. Integers must be equal.
 */
import { canonicalName } from "../checkpoint/checkpointNames";
import type { Safetensors } from "../checkpoint/safetensors";
import { readFloat32, readInt32 } from "../checkpoint/safetensorsValues";
import type { EncodedPrompt } from "../layers/packing";
import type { VisionLanguageModel } from "../model";
import { type GoldenInputs, goldenInputs } from "./goldenFile";
import { featuresOf, greedyOf, logitsOf, lossAndGradients } from "./verifyOutputs";

export const FORWARD_TOLERANCE = 1e-4;
export const GRADIENT_TOLERANCE = 1e-3;
/** For packed weights, against a model that multiplies with the same values in f32. */
export const PACKED_TOLERANCE = 1e-3;

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
 * @returns one report per tensor; gradients of parameters the model has but the file lacks are reported with error
 *   Infinity
 */
export async function verifyModel(
  model: VisionLanguageModel,
  reference: Safetensors,
  adapterReference: Safetensors | null = null,
): Promise<TensorReport[]> {
  const inputs = goldenInputs(reference, model.config);
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

function positionReports(
  prompts: readonly EncodedPrompt[],
  { sequences, length, batch }: GoldenInputs,
  file: Safetensors,
): TensorReport[] {
  const theirs = readInt32(file, "position_ids");
  let wrong = 0;
  prompts.forEach((prompt, row) => {
    const { offset = 0, ids } = sequences[row] ?? { ids: new Int32Array(0) };
    for (let axis = 0; axis < 3; axis++) {
      const start = (axis * batch + row) * length + offset;
      wrong += differing(
        prompt.positions.positions.subarray(axis * ids.length, (axis + 1) * ids.length),
        theirs.subarray(start, start + ids.length),
      );
    }
  });
  const deltas = prompts.map((prompt) => prompt.positions.delta);
  return [
    report("position_ids", wrong, 0),
    report("rope_deltas", differing(deltas, readInt32(file, "rope_deltas")), 0),
  ];
}

async function featureReports(
  model: VisionLanguageModel,
  prompts: readonly EncodedPrompt[],
  file: Safetensors,
): Promise<TensorReport[]> {
  const ours = await featuresOf(model, prompts);
  return ours === null
    ? []
    : [report("image_features", relativeError(ours, readFloat32(file, "image_features")), FORWARD_TOLERANCE)];
}

/** Logits of every real token; padded rows are not compared. */
async function logitsReport(
  model: VisionLanguageModel,
  prompts: readonly EncodedPrompt[],
  { sequences, length }: GoldenInputs,
  file: Safetensors,
): Promise<TensorReport> {
  const ours = await logitsOf(model, prompts);
  const vocab = model.config.text.vocabSize;
  const theirs = readFloat32(file, "logits");
  const joined = new Float32Array(sequences.reduce((sum, { ids }) => sum + ids.length * vocab, 0));
  let at = 0;
  sequences.forEach(({ offset, ids }, row) => {
    joined.set(theirs.subarray((row * length + offset) * vocab, (row * length + offset + ids.length) * vocab), at);
    at += ids.length * vocab;
  });
  return report("logits", relativeError(ours, joined), FORWARD_TOLERANCE);
}

async function gradientReports(
  model: VisionLanguageModel,
  inputs: GoldenInputs,
  file: Safetensors,
): Promise<TensorReport[]> {
  const { loss, gradients } = await lossAndGradients(model, inputs);
  const theirs = new Map(
    file
      .names()
      .filter((name) => name.startsWith("grad."))
      .map((name) => [canonicalName(name.slice(5)), name]),
  );
  return [
    report("loss", relativeError([loss], readFloat32(file, "loss")), FORWARD_TOLERANCE),
    ...[...gradients].map(([name, grad]) => {
      const reference = theirs.get(name);
      return report(
        `grad.${name}`,
        reference === undefined ? Infinity : relativeError(grad, readFloat32(file, reference)),
        GRADIENT_TOLERANCE,
      );
    }),
    ...[...theirs.keys()]
      .filter((name) => !gradients.has(name))
      .map((name) => report(`grad.${name}`, Infinity, GRADIENT_TOLERANCE)),
  ];
}

async function greedyReport(
  model: VisionLanguageModel,
  prompts: readonly EncodedPrompt[],
  file: Safetensors,
): Promise<TensorReport> {
  const theirs = readInt32(file, "greedy");
  return report("greedy", differing(await greedyOf(model, prompts, theirs.length / prompts.length), theirs), 0);
}

/**
 * Compare a model of packed (f16, int4) weights with one that holds the same values in f32: what remains is the error
 * of the kernels that unpack, not of the packing. Gradients are compared where both have an adapter.
 * @param dequantised takes the packed model's values; its own are overwritten
 */
export async function verifyPacked(
  packed: VisionLanguageModel,
  dequantised: VisionLanguageModel,
  reference: Safetensors,
  greedyTokens = 16,
): Promise<TensorReport[]> {
  for (const name of packed.parameters.names()) dequantised.parameters.write(name, await packed.parameters.read(name));
  const inputs = goldenInputs(reference, packed.config);
  const prompts = (model: VisionLanguageModel): EncodedPrompt[] =>
    inputs.sequences.map((sequence) => model.encode(sequence.ids, sequence.images));
  const [ours, theirs] = [prompts(packed), prompts(dequantised)];
  const near = (name: string, a: ArrayLike<number>, b: ArrayLike<number>): TensorReport =>
    report(name, relativeError(a, b), PACKED_TOLERANCE);
  const reports: TensorReport[] = [];
  const [features, features32] = [await featuresOf(packed, ours), await featuresOf(dequantised, theirs)];
  if (features !== null && features32 !== null) reports.push(near("image_features", features, features32));
  reports.push(near("logits", await logitsOf(packed, ours), await logitsOf(dequantised, theirs)));
  if (packed.parameters.trainableCount > 0) {
    const [a, b] = [await lossAndGradients(packed, inputs), await lossAndGradients(dequantised, inputs)];
    reports.push(
      near("loss", [a.loss], [b.loss]),
      ...[...a.gradients].map(([name, grad]) => near(`grad.${name}`, grad, b.gradients.get(name) ?? [])),
    );
  }
  reports.push(
    report(
      "greedy",
      differing(await greedyOf(packed, ours, greedyTokens), await greedyOf(dequantised, theirs, greedyTokens)),
      0,
    ),
  );
  return reports;
}
