/**
 * Sampling groups of responses. Each prompt is computed once for its whole group; keys and values of prompts and
 * responses lie in one cache tensor a layer: first all prompts' rows (each prompt but its last token), then a region
 * of `maxNewTokens` rows for every response. Every decode step is the same: feed the last prompt token or the token
 * just sampled, extend the cache by one row, sample on the device. The host sees nothing until the end, but for a
 * look every `DONE_CHECK` tokens which rows have finished: when enough have, the others go on without them.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Home, Recorder } from "../tensor/home";
import { Tape } from "../tensor/tape";
import type { Decoder, KvCache } from "./decoder";
import { decodeRows, openStretch, type DecodeStretch } from "./decodeRows";
import { writeAngles, type MropeFrequencies } from "./mrope";
import { paddedSize, positionAt, referFeatures, type EncodedPrompt, type FeaturePlaces } from "./packing";

const DONE_CHECK = 8;
/** Go on with fewer rows once at most this share of them is still being written. */
const SHRINK_AT = 0.75;

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
  /** Called after every token with the tokens just sampled [rows], the pad token where a row has finished; costs one read-back a token. */
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
  readonly recorder: Recorder;
  readonly decoder: Decoder;
  readonly numLayers: number;
  readonly imageToken: number;
  readonly padToken: number;
  readonly frequencies: MropeFrequencies;
}

type ResolvedOptions = GenerateOptions & { readonly stopTokens: readonly number[] };

/** @param features of all prompts (null without pictures), `places` saying where each prompt's lie */
export async function generateRollout(model: GeneratorModel, prompts: readonly EncodedPrompt[], features: Tensor | null, places: readonly FeaturePlaces[], options: ResolvedOptions): Promise<Rollout> {
  const { home, frequencies } = model;
  const { maxNewTokens, groupSize } = options;
  const rows = decodeRows(prompts, groupSize, maxNewTokens, options.rowIds ?? null);
  const promptRows = rows.at(-1)?.promptEnd ?? 0;
  if (rows.length === 0 || maxNewTokens < 1) throw new Error("generate: needs at least one prompt, one sample and one new token.");
  const { kvHeads, headDim } = model.decoder.shape;
  // Of few sizes where steps are recorded: the memory is found again by the next rollout, and so are its recordings.
  const cacheRows = promptRows + rows.length * maxNewTokens;
  const layers = Array.from({ length: model.numLayers }, () => home.zeros([home.records ? paddedSize(cacheRows) : cacheRows, 2 * kvHeads * headDim]));
  const stretches: DecodeStretch[] = [];
  try {
    prefill(model, prompts, features, places, layers);
    const lastTokens = Int32Array.from(rows, ({ row }) => prompts[Math.floor(row / groupSize)]?.ids.at(-1) ?? 0);
    let stretch = openStretch(home, frequencies, rows, lastTokens, 0, maxNewTokens);
    stretches.push(stretch);
    let readbacks = 0;
    let steps = 0;
    while (steps < maxNewTokens) {
      decodeStep(model, steps, stretch, layers, options);
      steps++;
      const looks = options.stopTokens.length > 0 && steps % DONE_CHECK === 0 && steps < maxNewTokens;
      if (!looks && options.onToken === undefined) continue;
      const [done, next] = await home.read([stretch.buffers.done, stretch.buffers.next]);
      readbacks++;
      options.onToken?.(steps - 1, scattered(stretch, next ?? [], rows.length, model.padToken));
      if (!looks) continue;
      const open = stretch.rows.flatMap((_, i) => (done?.[i] === 0 ? [i] : []));
      if (open.length === 0) break;
      if (open.length > SHRINK_AT * stretch.rows.length) continue;
      const active = stretch.rows.filter((_, i) => done?.[i] === 0);
      stretch = openStretch(home, frequencies, active, Int32Array.from(open, (i) => next?.[i] ?? 0), steps, maxNewTokens);
      stretches.push(stretch);
    }
    return { rows: await collect(home, stretches, rows.length, steps, options), readbacks: readbacks + 1 };
  } finally {
    for (const stretch of stretches) stretch.dispose();
    for (const layer of layers) layer.dispose();
  }
}

/** Values of a stretch's rows at their places among all `count` rows. */
function scattered(stretch: DecodeStretch, values: ArrayLike<number>, count: number, otherwise: number): Int32Array {
  const all = new Int32Array(count).fill(otherwise);
  stretch.rows.forEach(({ row }, i) => (all[row] = values[i] ?? otherwise));
  return all;
}

/** Read everything sampled in one round trip, and put each row's stretches together up to its stop token. */
async function collect(home: Home, stretches: readonly DecodeStretch[], count: number, steps: number, options: ResolvedOptions): Promise<RolloutRow[]> {
  const read = await home.read(stretches.flatMap(({ buffers }) => [buffers.tokens, buffers.logprobs, buffers.entropies]));
  const tokens = Array.from({ length: count }, () => new Int32Array(steps));
  const logprobs = Array.from({ length: count }, () => new Float32Array(steps));
  const entropies = Array.from({ length: count }, () => new Float32Array(steps));
  stretches.forEach(({ rows, firstStep }, s) => {
    [tokens, logprobs, entropies].forEach((into, kind) => {
      const values = read[3 * s + kind] ?? [];
      // A later stretch overwrites what this one would hold for its rows.
      rows.forEach(({ row }, i) => into[row]?.set(values.slice(i * options.maxNewTokens + firstStep, i * options.maxNewTokens + steps), firstStep));
    });
  });
  return tokens.map((all, row) => {
    const stop = all.findIndex((token) => options.stopTokens.includes(token));
    const length = stop < 0 ? steps : stop + 1;
    return {
      prompt: Math.floor(row / options.groupSize),
      tokens: all.slice(0, length),
      logprobs: (logprobs[row] ?? new Float32Array(0)).slice(0, length),
      entropies: (entropies[row] ?? new Float32Array(0)).slice(0, length),
      finished: stop >= 0,
    };
  });
}

/** Fill the cache with the prompts' keys and values. Where the home records, padding rows (that see nothing and are not stored) make the shapes few. */
function prefill(model: GeneratorModel, prompts: readonly EncodedPrompt[], features: Tensor | null, places: readonly FeaturePlaces[], layers: readonly Tensor[]): void {
  const { home, decoder, frequencies } = model;
  const tokens = prompts.reduce((sum, prompt) => sum + prompt.ids.length - 1, 0);
  const n = home.records ? paddedSize(tokens) : tokens;
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
  const inputs: Tensor[] = [];
  const upload = (values: Float32Array | Int32Array, shape: readonly number[]): Tensor => {
    const tensor = home.upload(values, shape);
    inputs.push(tensor);
    return tensor;
  };
  const idsTensor = upload(ids, [n]);
  const angles = { cos: upload(cos, [n, half]), sin: upload(sin, [n, half]) };
  const visibleTensor = upload(visible, [n, 4]);
  const cache: KvCache = { layers, rows: upload(Int32Array.from({ length: n }, (_, i) => (i < tokens ? i : -1)), [n]), prefill: true, extend: 0, angleRow: 0 };
  model.recorder.run("prefill", [...inputs, ...layers, ...(features === null ? [] : [features])], {}, () => {
    const tape = new Tape(home, false);
    decoder.generateForward(tape, decoder.embed(tape, idsTensor, features), angles, visibleTensor, cache);
    tape.dispose();
    return [];
  });
  for (const tensor of inputs) tensor.dispose();
}

/**
 * One token for every row of a stretch. All that differs between its steps are the four numbers of `changing`, so that
 * a home that records replays one recording for the whole stretch.
 */
function decodeStep(model: GeneratorModel, t: number, stretch: DecodeStretch, layers: readonly Tensor[], options: ResolvedOptions): void {
  const { home, decoder } = model;
  const { temperature, greedy = false, topK = 0, stopTokens, seed, step } = options;
  const sampling = { temperature, greedy, topK, stopTokens, padToken: model.padToken };
  const changing = { extend: t, angleRow: stretch.angleRow(t), position: t, seed, step };
  model.recorder.run(`decode ${JSON.stringify(sampling)}`, [...stretch.tensors, ...layers], changing, () => {
    const tape = new Tape(home, false);
    const cache: KvCache = { layers, rows: stretch.cacheRows, prefill: false, extend: t, angleRow: changing.angleRow };
    const x = decoder.generateForward(tape, decoder.embed(tape, stretch.buffers.next, null), stretch.angles, stretch.visible, cache);
    const normed = decoder.finalNorm(tape, x);
    const logits = tape.own(home.kernels.linear(normed, decoder.head.weight, null, null));
    home.kernels.sample(logits, stretch.buffers, { ...sampling, seed, step, position: t });
    tape.dispose();
    return [];
  });
}
