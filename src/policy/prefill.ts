/** Computing prompts for generation: only their keys and values are wanted, each prompt's once for its whole group. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Home, Recorder } from "../tensor/home";
import { Tape } from "../tensor/tape";
import type { Decoder, KvCache } from "./decoder";
import type { MropeAngles } from "./mrope";
import { paddedSize, promptAngles, referFeatures, type EncodedPrompt, type FeaturePlaces } from "./packing";

/** Prompts go through the decoder together up to so many tokens: memory only, the result is the same. */
export const PREFILL_TOKENS = 2048;

export interface PrefillModel {
  readonly home: Home;
  readonly recorder: Recorder;
  readonly decoder: Decoder;
  readonly imageToken: number;
  readonly angles: MropeAngles;
}

export interface PrefillItem {
  readonly prompt: EncodedPrompt;
  readonly places: FeaturePlaces;
  /** Cache row of its first token. */
  readonly start: number;
}

/** Fill the cache with the prompts' keys and values (each prompt but its last token). */
export function prefill(model: PrefillModel, items: readonly PrefillItem[], features: Tensor | null, layers: readonly Tensor[]): void {
  let batch: PrefillItem[] = [];
  let tokens = 0;
  for (const item of items) {
    const length = item.prompt.ids.length - 1;
    if (batch.length > 0 && tokens + length > PREFILL_TOKENS) {
      prefillTogether(model, batch, features, layers);
      batch = [];
      tokens = 0;
    }
    batch.push(item);
    tokens += length;
  }
  if (batch.length > 0) prefillTogether(model, batch, features, layers);
}

/** Where the home records, padding rows (that see nothing and are not stored) make the shapes few. */
function prefillTogether(model: PrefillModel, items: readonly PrefillItem[], features: Tensor | null, layers: readonly Tensor[]): void {
  const { home, decoder, angles: { half } } = model;
  const tokens = items.reduce((sum, { prompt }) => sum + prompt.ids.length - 1, 0);
  const n = home.records ? paddedSize(tokens) : tokens;
  const ids = new Int32Array(n);
  const cos = new Float32Array(n * half);
  const sin = new Float32Array(n * half);
  const visible = new Int32Array(4 * n);
  const cacheRows = new Int32Array(n).fill(-1);
  let row = 0;
  for (const { prompt, places, start } of items) {
    const first = row;
    const length = prompt.ids.length;
    ids.set(referFeatures(prompt.ids.subarray(0, length - 1), model.imageToken, places), first);
    promptAngles(model.angles, prompt, cos, sin, first);
    for (let i = 0; i < length - 1; i++, row++) {
      visible[4 * row] = first;
      visible[4 * row + 1] = row + 1;
      cacheRows[row] = start + i;
    }
  }
  const inputs: Tensor[] = [];
  const upload = (values: Float32Array | Int32Array, shape: readonly number[]): Tensor => {
    const tensor = home.upload(values, shape);
    inputs.push(tensor);
    return tensor;
  };
  const idsTensor = upload(ids, [n]);
  const angles = { cos: upload(cos, [n, half]), sin: upload(sin, [n, half]) };
  const visibleTensor = upload(visible, [n, 4]);
  const cache: KvCache = { layers, rows: upload(cacheRows, [n]), prefill: true, extend: 0, angleRow: 0 };
  model.recorder.run("prefill", [...inputs, ...layers, ...(features === null ? [] : [features])], {}, () => {
    const tape = new Tape(home, false);
    decoder.generateForward(tape, decoder.embed(tape, idsTensor, features), angles, visibleTensor, cache);
    tape.dispose();
    return [];
  });
  home.flush();
  // Latest first: the next batch finds the same memory in the same order, and its recording what it binds.
  for (const tensor of inputs.reverse()) tensor.dispose();
}
