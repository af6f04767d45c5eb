/** Computing prompts for generation: only their keys and values are needed, once per prompt for its whole group. */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Backend, Recorder } from "../../tensor/backend";
import { Tape } from "../../tensor/tape";
import type { Decoder, KvCache } from "../layers/decoder";
import type { MropeAngles } from "../layers/mrope";
import { type EncodedPrompt, type FeatureIndex, paddedSize, promptAngles, referFeatures } from "../layers/packing";

/** Maximum number of prompt tokens in one pass of the decoder; it bounds memory and changes no result. */
export const PREFILL_TOKENS = 2048;

export interface PrefillModel {
  readonly backend: Backend;
  readonly recorder: Recorder;
  readonly decoder: Decoder;
  readonly imageToken: number;
  readonly angles: MropeAngles;
}

export interface PrefillItem {
  readonly prompt: EncodedPrompt;
  readonly index: FeatureIndex;
  /** Cache row of its first token. */
  readonly start: number;
}

/** The prompts' tables on the host; rows beyond the prompts see nothing and are not stored. */
interface PrefillRows {
  readonly ids: Int32Array; // [N]
  readonly cos: Float32Array; // [N, headDim/2]
  readonly sin: Float32Array;
  readonly visible: Int32Array; // [N, 4]
  readonly cacheRows: Int32Array; // [N], −1 for none
}

/**
 * Rows of the largest batch of prompts that each take up to `longest` rows, where the cache holds `prefix` rows of them
 * at a time.
 */
export function prefillCapacity(longest: number, prefix: number): number {
  return paddedSize(Math.max(longest, Math.min(prefix, PREFILL_TOKENS)));
}

/**
 * Fill the cache with the prompts' keys and values (each prompt without its last token).
 * @param capacity rows to allocate from the start; null: as needed
 */
export function prefill(
  model: PrefillModel,
  items: readonly PrefillItem[],
  features: Tensor | null,
  layers: readonly Tensor[],
  capacity: number | null,
): void {
  let batch: PrefillItem[] = [];
  let tokens = 0;
  for (const item of items) {
    const length = item.prompt.ids.length - 1;
    if (batch.length > 0 && tokens + length > PREFILL_TOKENS) {
      prefillTogether(model, batch, features, layers, capacity);
      batch = [];
      tokens = 0;
    }
    batch.push(item);
    tokens += length;
  }
  if (batch.length > 0) prefillTogether(model, batch, features, layers, capacity);
}

/** Where the backend records, padding rows limit the number of shapes. */
function prefillTogether(
  model: PrefillModel,
  items: readonly PrefillItem[],
  features: Tensor | null,
  layers: readonly Tensor[],
  capacity: number | null,
): void {
  const {
    backend,
    recorder,
    decoder,
    angles: { half },
  } = model;
  const inputs: Tensor[] = [];
  const work = (rows: PrefillRows): { readonly tensors: readonly Tensor[]; readonly body: () => readonly Tensor[] } => {
    const n = rows.ids.length;
    const upload = (values: Float32Array | Int32Array, ...width: number[]): Tensor => {
      const tensor = backend.upload(values, [n, ...width], (capacity ?? 0) * (width[0] ?? 1));
      inputs.push(tensor);
      return tensor;
    };
    const ids = upload(rows.ids);
    const angles = { cos: upload(rows.cos, half), sin: upload(rows.sin, half) };
    const visible = upload(rows.visible, 4);
    const cache: KvCache = { layers, rows: upload(rows.cacheRows), prefill: true, cacheOffset: 0, angleRow: 0 };
    return {
      tensors: [ids, angles.cos, angles.sin, visible, cache.rows],
      body: () => {
        const tape = new Tape(backend, false);
        decoder.generateForward(tape, decoder.embed(tape, ids, features), angles, visible, cache);
        tape.dispose();
        return [];
      },
    };
  };
  const { tensors, body } = work(rowsOf(items, model));
  if (capacity !== null) recorder.reserve("prefill", `${capacity} rows`, () => work(paddingRows(capacity, half)).body);
  recorder.run("prefill", [...tensors, ...layers, ...(features === null ? [] : [features])], {}, body);
  backend.flush();
  // Dispose in reverse order: the next batch reuses the same buffers in the same order, as its recording expects.
  for (const tensor of inputs.reverse()) tensor.dispose();
}

function rowsOf(items: readonly PrefillItem[], { backend, imageToken, angles }: PrefillModel): PrefillRows {
  const tokens = items.reduce((sum, { prompt }) => sum + prompt.ids.length - 1, 0);
  const rows = paddingRows(backend.records ? paddedSize(tokens) : tokens, angles.half);
  let row = 0;
  for (const { prompt, index, start } of items) {
    const first = row;
    const length = prompt.ids.length;
    rows.ids.set(referFeatures(prompt.ids.subarray(0, length - 1), imageToken, index), first);
    promptAngles(angles, prompt, rows.cos, rows.sin, first);
    for (let i = 0; i < length - 1; i++, row++) {
      rows.visible[4 * row] = first;
      rows.visible[4 * row + 1] = row + 1;
      rows.cacheRows[row] = start + i;
    }
  }
  return rows;
}

function paddingRows(n: number, half: number): PrefillRows {
  return {
    ids: new Int32Array(n),
    cos: new Float32Array(n * half),
    sin: new Float32Array(n * half),
    visible: new Int32Array(4 * n),
    cacheRows: new Int32Array(n).fill(-1),
  };
}
