/**
 * Sampling groups of responses. Each prompt is computed once for its whole group; keys and values of prompts and
 * responses lie in one cache tensor a layer: first all prompts' rows (each prompt but its last token), then a region
 * of `maxNewTokens` rows for every response. Every decode step is the same: feed the last prompt token or the token
 * just sampled, extend the cache by one row, sample on the device. The host sees nothing until the end, but for a
 * look every `DONE_CHECK` tokens whether all rows have finished.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Home } from "../tensor/home";
import type { SampleBuffers } from "../tensor/kernels";
import { Tape } from "../tensor/tape";
import type { Decoder, KvCache } from "./decoder";
import { writeAngles, type MropeFrequencies } from "./mrope";
import { positionAt, referFeatures, type EncodedPrompt, type FeaturePlaces } from "./packing";

const DONE_CHECK = 8;

export interface GenerateOptions {
  readonly groupSize: number;
  readonly temperature: number;
  readonly greedy?: boolean;
  /** Keep only the k most likely tokens; 0 (default) keeps all. */
  readonly topK?: number;
  readonly maxNewTokens: number;
  /** The draws depend on (seed, step, row, position) only. */
  readonly seed: number;
  readonly step: number;
  /** Default: the checkpoint's end tokens. An empty list never stops. */
  readonly stopTokens?: readonly number[];
  /** Row part of the random counter (default 0, 1, 2 …), prompt-major. */
  readonly rowIds?: Int32Array;
  /** Called after every token with the tokens just sampled [rows]; costs one read-back a token. */
  readonly onToken?: (position: number, tokens: Int32Array) => void;
}

export interface RolloutRow {
  readonly prompt: number;
  /** The stop token included, if one was sampled. */
  readonly tokens: Int32Array;
  readonly logprobs: Float32Array;
  readonly entropies: Float32Array;
  /** False when the response ran into `maxNewTokens`. */
  readonly finished: boolean;
}

/** Rows prompt-major: row = prompt · groupSize + i. */
export interface Rollout {
  readonly rows: RolloutRow[];
  readonly readbacks: number;
}

export interface GeneratorModel {
  readonly home: Home;
  readonly decoder: Decoder;
  readonly numLayers: number;
  readonly imageToken: number;
  readonly padToken: number;
  readonly frequencies: MropeFrequencies;
}

/** @param features of all prompts (null without pictures), `places` saying where each prompt's lie */
export async function generateRollout(model: GeneratorModel, prompts: readonly EncodedPrompt[], features: Tensor | null, places: readonly FeaturePlaces[], options: GenerateOptions & { readonly stopTokens: readonly number[] }): Promise<Rollout> {
  const { home } = model;
  const { maxNewTokens, groupSize } = options;
  const count = prompts.length * groupSize;
  if (count === 0 || maxNewTokens < 1) throw new Error("generate: needs at least one prompt, one sample and one new token.");
  const promptRows = prompts.reduce((sum, prompt) => sum + prompt.ids.length - 1, 0);
  const { kvHeads, headDim } = model.decoder.shape;
  const cacheShape = [promptRows + count * maxNewTokens, 2 * kvHeads * headDim];
  const state: Tensor[] = [];
  const hold = (tensor: Tensor): Tensor => {
    state.push(tensor);
    return tensor;
  };
  try {
    const layers = Array.from({ length: model.numLayers }, () => hold(home.zeros(cacheShape)));
    prefill(model, prompts, features, places, layers);

    const rows = groupRows(prompts, groupSize, maxNewTokens, promptRows);
    const rowTensor = hold(home.upload(rows.cacheRows, [count]));
    const visible = hold(home.upload(rows.visible, [count, 4]));
    const angles = decodeAngles(home, model.frequencies, rows.firstPositions, maxNewTokens);
    hold(angles.cos);
    hold(angles.sin);
    const buffers: SampleBuffers = {
      tokens: hold(home.zeros([count, maxNewTokens], "int32")),
      logprobs: hold(home.zeros([count, maxNewTokens])),
      entropies: hold(home.zeros([count, maxNewTokens])),
      next: hold(home.upload(rows.lastTokens, [count])),
      done: hold(home.zeros([count], "int32")),
      rowIds: hold(home.upload(options.rowIds ?? Int32Array.from({ length: count }, (_, i) => i), [count])),
    };
    let readbacks = 0;
    let steps = 0;
    for (let t = 0; t < maxNewTokens; t++) {
      decodeStep(model, t, buffers, { layers, rows: rowTensor, prefill: false, extend: t }, visible, angles, options);
      steps = t + 1;
      if (options.onToken !== undefined) {
        const [next] = await home.read([buffers.next]);
        readbacks++;
        options.onToken(t, Int32Array.from(next ?? []));
      }
      if (options.stopTokens.length > 0 && steps % DONE_CHECK === 0 && steps < maxNewTokens) {
        const [done] = await home.read([buffers.done]); // the only wait between prefill and the end
        readbacks++;
        if (done?.every((flag) => flag !== 0)) break;
      }
    }
    const [tokens, logprobs, entropies] = await home.read([buffers.tokens, buffers.logprobs, buffers.entropies]);
    readbacks++;
    return {
      readbacks,
      rows: Array.from({ length: count }, (_, row) => {
        const start = row * maxNewTokens;
        const all = Int32Array.from((tokens ?? new Int32Array(0)).subarray(start, start + steps));
        const stop = all.findIndex((token) => options.stopTokens.includes(token));
        const length = stop < 0 ? steps : stop + 1;
        return {
          prompt: Math.floor(row / groupSize),
          tokens: all.slice(0, length),
          logprobs: Float32Array.from((logprobs ?? new Float32Array(0)).subarray(start, start + length)),
          entropies: Float32Array.from((entropies ?? new Float32Array(0)).subarray(start, start + length)),
          finished: stop >= 0,
        };
      }),
    };
  } finally {
    state.forEach((tensor) => tensor.dispose());
  }
}

/** Fill the cache with the prompts' keys and values. */
function prefill(model: GeneratorModel, prompts: readonly EncodedPrompt[], features: Tensor | null, places: readonly FeaturePlaces[], layers: readonly Tensor[]): void {
  const { home, decoder, frequencies } = model;
  const n = prompts.reduce((sum, prompt) => sum + prompt.ids.length - 1, 0);
  const half = frequencies.inverse.length;
  const ids = new Int32Array(n);
  const cos = new Float32Array(n * half);
  const sin = new Float32Array(n * half);
  const visible = new Int32Array(4 * n);
  let row = 0;
  prompts.forEach((prompt, p) => {
    const start = row;
    const length = prompt.ids.length;
    const place = places[p];
    if (place === undefined) throw new Error(`generate: no feature places for prompt ${p}.`);
    ids.set(referFeatures(prompt.ids.subarray(0, length - 1), model.imageToken, place), start);
    for (let i = 0; i < length - 1; i++, row++) {
      writeAngles(frequencies, positionAt(prompt.positions.positions, length, i), cos, sin, row * half);
      visible.set([start, row + 1, 0, 0], 4 * row);
    }
  });
  const tape = new Tape(home, false);
  const upload = (values: Float32Array | Int32Array, shape: readonly number[]): Tensor => tape.keep(home.upload(values, shape));
  const angles = { cos: upload(cos, [n, half]), sin: upload(sin, [n, half]) };
  const cache: KvCache = { layers, rows: upload(Int32Array.from({ length: n }, (_, i) => i), [n]), prefill: true, extend: 0 };
  const x = decoder.embed(tape, upload(ids, [n]), features);
  decoder.generateForward(tape, x, angles, upload(visible, [n, 4]), cache);
  tape.dispose();
}

function decodeStep(model: GeneratorModel, t: number, buffers: SampleBuffers, cache: KvCache, visible: Tensor, angles: DecodeAngles, options: GenerateOptions & { readonly stopTokens: readonly number[] }): void {
  const { home, decoder } = model;
  const tape = new Tape(home, false);
  const step = { cos: tape.keep(home.view(angles.cos, t * angles.stride, angles.shape)), sin: tape.keep(home.view(angles.sin, t * angles.stride, angles.shape)) };
  const x = decoder.generateForward(tape, decoder.embed(tape, buffers.next, null), step, visible, cache);
  const normed = decoder.finalNorm(tape, x);
  const logits = tape.own(home.kernels.linear(normed, decoder.head.weight, null, null));
  home.kernels.sample(logits, buffers, {
    temperature: options.temperature, greedy: options.greedy ?? false, topK: options.topK ?? 0, seed: options.seed,
    step: options.step, position: t, stopTokens: options.stopTokens, padToken: model.padToken,
  });
  tape.dispose();
}

interface GroupRows {
  readonly lastTokens: Int32Array;
  readonly cacheRows: Int32Array;
  readonly visible: Int32Array;
  readonly firstPositions: Int32Array;
}

/** Each response row's place in the cache, what it sees, and where its positions begin. */
function groupRows(prompts: readonly EncodedPrompt[], groupSize: number, maxNewTokens: number, promptRows: number): GroupRows {
  const count = prompts.length * groupSize;
  const rows: GroupRows = {
    lastTokens: new Int32Array(count), cacheRows: new Int32Array(count), visible: new Int32Array(4 * count), firstPositions: new Int32Array(count),
  };
  let start = 0;
  prompts.forEach((prompt, p) => {
    const end = start + prompt.ids.length - 1;
    for (let i = 0; i < groupSize; i++) {
      const row = p * groupSize + i;
      const first = promptRows + row * maxNewTokens;
      rows.lastTokens[row] = prompt.ids[prompt.ids.length - 1] ?? 0;
      rows.cacheRows[row] = first;
      rows.visible.set([start, end, first, first + 1], 4 * row);
      rows.firstPositions[row] = prompt.ids.length - 1 + prompt.positions.delta;
    }
    start = end;
  });
  return rows;
}

/** Angle tables of all decode steps, one view a step. */
interface DecodeAngles {
  readonly cos: Tensor;
  readonly sin: Tensor;
  /** Elements from one step's view to the next. */
  readonly stride: number;
  readonly shape: readonly number[];
}

function decodeAngles(home: Home, frequencies: MropeFrequencies, firstPositions: Int32Array, steps: number): DecodeAngles {
  const half = frequencies.inverse.length;
  const count = firstPositions.length;
  const lowest = Math.min(...firstPositions);
  const span = Math.max(...firstPositions) - lowest + steps;
  const cosAt = new Float32Array(span * half);
  const sinAt = new Float32Array(span * half);
  for (let i = 0; i < span; i++) writeAngles(frequencies, [lowest + i, lowest + i, lowest + i], cosAt, sinAt, i * half);
  const stride = Math.ceil((count * half) / home.viewAlignment) * home.viewAlignment;
  const cos = new Float32Array(steps * stride);
  const sin = new Float32Array(steps * stride);
  for (let t = 0; t < steps; t++) {
    for (let row = 0; row < count; row++) {
      const from = ((firstPositions[row] ?? 0) - lowest + t) * half;
      cos.set(cosAt.subarray(from, from + half), t * stride + row * half);
      sin.set(sinAt.subarray(from, from + half), t * stride + row * half);
    }
  }
  return { cos: home.upload(cos, [cos.length]), sin: home.upload(sin, [sin.length]), stride, shape: [count, half] };
}
