/**
 * Sampling groups of responses. Each prompt is computed once for its whole group (prefill.ts). Responses are written in
 * slots (groupCache.ts); a slot whose response has finished is taken by the next one, of the same prompt or a later
 * one. Every decode step is the same: feed the last prompt token or the token just sampled, extend the cache by one
 * row, sample on the device. Every `LOOK_EVERY` tokens the host reads back once: it collects the sampled tokens,
 * retires finished responses, and starts others in their slots. With no stop tokens or strings it reads back once at
 * the end.
 *
 * A response's tokens depend on the weights, its prompt, (seed, step) and its row id, but not on the number of slots or
 * on what else is in flight.
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { Tape } from "../../tensor/tape";
import type { KvCache } from "../layers/decoder";
import { type EncodedPrompt, type FeatureIndex, paddedSize } from "../layers/packing";
import { DecodeSlots } from "./decodeSlots";
import { type CacheFormat, cacheBytesOfToken, cacheLayout, GroupCache, slotCount } from "./groupCache";
import { type PrefillModel, prefill, prefillCapacity } from "./prefill";
import { ActiveSlots, type Slot } from "./slots";

const LOOK_EVERY = 8;
/** Stop tokens that the kernels compare with (webgpu/kernels/sample.ts); the host finds more at its next look. */
const DEVICE_STOP_TOKENS = 8;
/** Continue with fewer slots once nothing waits and at most this share of them is in use. */
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
  /** Never sampled, at most 8 (SampleOptions). Default: the policy's vision tokens. */
  readonly suppressTokens?: readonly number[];
  /** Default: the checkpoint's end tokens. An empty list never stops. */
  readonly stopTokens?: readonly number[];
  /** A response ends with the token that completes one of these in its text (Policy.generate only). */
  readonly stopStrings?: readonly string[];
  /** Responses being written at a time; null (default): as many as the cache holds in 2 GiB. The result is the same. */
  readonly slots?: number | null;
  /** Format of the KV cache; null (default): f16 with packed weights, else f32. */
  readonly cache?: CacheFormat | null;
  /** Row part of the random counter (default 0, 1, 2 …), prompt-major. */
  readonly rowIds?: Int32Array;
  /**
   * Called after every decode step with the tokens just sampled [rows], the pad token for rows not being written; costs
   * one read-back per token.
   */
  readonly onToken?: (step: number, tokens: Int32Array) => void;
}

export interface RolloutRow {
  readonly prompt: number;
  /** Includes the stop token, if one was sampled. */
  readonly tokens: Int32Array;
  /** Of the policy over all tokens, as an update recomputes them. */
  readonly logprobs: Float32Array;
  readonly entropies: Float32Array;
  /** log P of the tokens that were not suppressed: `logprobs` minus this is what each token was drawn with. */
  readonly allowed: Float32Array;
  /** False when the response reached `maxNewTokens`. */
  readonly finished: boolean;
}

/** Rows prompt-major: row = prompt · groupSize + i. */
export interface Rollout {
  readonly rows: RolloutRow[];
  readonly readbacks: number;
  /** Decode steps made, each one token for every slot. */
  readonly steps: number;
}

export interface GeneratorModel extends PrefillModel {
  readonly numLayers: number;
  readonly padToken: number;
  /** Not sampled unless the options say otherwise. */
  readonly visionTokens: readonly number[];
  /** For options that name no format. */
  readonly cacheFormat: CacheFormat;
  /** Cache rows that every prompt gets; none needs more. Null: each gets as many as it needs. */
  readonly promptCapacity: number | null;
}

/** Number of tokens up to the completion of a stop string, searching from token `from` on; null if there is none. */
export type StopCheck = (tokens: Int32Array, from: number) => number | null;

export type ResolvedOptions = Omit<GenerateOptions, "stopStrings"> & {
  readonly stopTokens: readonly number[];
  readonly stopCheck?: StopCheck | null;
};

/**
 * @param features of all prompts; null without pictures
 * @param featureIndices where each prompt's features lie
 */
export async function generateRollout(
  model: GeneratorModel,
  prompts: readonly EncodedPrompt[],
  features: Tensor | null,
  featureIndices: readonly FeatureIndex[],
  options: ResolvedOptions,
): Promise<Rollout> {
  const { backend } = model;
  const { maxNewTokens, groupSize, stopTokens, stopCheck = null } = options;
  const total = prompts.length * groupSize;
  if (total === 0 || maxNewTokens < 1)
    throw new Error("generate: needs at least one prompt, one sample and one new token.");
  const sizes = { layers: model.numLayers, ...model.decoder.shape };
  const format = options.cache ?? model.cacheFormat;
  const needs = {
    promptRows: prompts.map(({ ids }) => model.promptCapacity ?? ids.length - 1),
    groupSize,
    maxNewTokens,
  };
  const slots = slotCount(options.slots ?? null, needs, cacheBytesOfToken(sizes, format));
  const layout = cacheLayout({ ...needs, slots, padded: backend.records });
  const cache = new GroupCache(backend, sizes, format, layout);
  const active = new ActiveSlots(prompts, groupSize, maxNewTokens, options.rowIds ?? null, cache);
  const window = stopTokens.length === 0 && stopCheck === null ? maxNewTokens : Math.min(LOOK_EVERY, maxNewTokens);
  const allSlots = new DecodeSlots(backend, model.angles, slots, window);
  let decodeSlots = allSlots;
  const rows = new Array<RolloutRow>(total);
  let [steps, readbacks] = [0, 0];
  try {
    for (;;) {
      const begun = active.fill();
      if (active.rows.length === 0) return { rows, readbacks, steps };
      prefill(
        model,
        begun.map(({ prompt, start }) => ({ prompt: at(prompts, prompt), index: at(featureIndices, prompt), start })),
        features,
        cache.layers,
        model.promptCapacity === null ? null : prefillCapacity(model.promptCapacity, layout.prefixRows),
      );
      if (active.waiting === 0 && active.rows.length <= SHRINK_AT * decodeSlots.count) {
        const fewer = Math.min(
          decodeSlots.count,
          backend.records ? paddedSize(active.rows.length) : active.rows.length,
        );
        if (fewer < decodeSlots.count) {
          if (decodeSlots !== allSlots) decodeSlots.dispose();
          decodeSlots = allSlots.fewer(fewer);
        }
      }
      const ahead =
        options.onToken === undefined ? Math.min(window, ...active.rows.map(({ length }) => maxNewTokens - length)) : 1;
      decodeSlots.begin(active.rows, ahead);
      for (let step = 0; step < ahead; step++) {
        decodeStep(model, step, decodeSlots, cache.layers, options);
        backend.flush(); // the device computes this token while the host continues
      }
      steps += ahead;
      const { tokens, logprobs, entropies, allowed } = decodeSlots.buffers;
      const read = await backend.read([tokens, logprobs, entropies, allowed]);
      readbacks++;
      options.onToken?.(steps - 1, lastTokens(active.rows, read[0] ?? [], window, total, model.padToken));
      const finished = new Set<Slot>();
      active.rows.forEach((row, slot) => {
        const result = taken(
          row,
          read.map((values) => values.subarray(slot * window, slot * window + ahead)),
          stopTokens,
          stopCheck,
        );
        if (result === null) return;
        rows[row.row] = result;
        finished.add(row);
      });
      active.retire(finished);
    }
  } finally {
    if (decodeSlots !== allSlots) decodeSlots.dispose();
    allSlots.dispose();
    cache.dispose();
  }
}

/** Append what was sampled to a row. → the response, if it has finished */
function taken(
  row: Slot,
  [tokens, logprobs, entropies, allowed]: readonly (Float32Array | Int32Array)[],
  stopTokens: readonly number[],
  stopCheck: StopCheck | null,
): RolloutRow | null {
  if (tokens === undefined || logprobs === undefined || entropies === undefined || allowed === undefined)
    throw new Error("generate: the read-back is incomplete.");
  const before = row.length;
  row.tokens.set(tokens, before);
  row.logprobs.set(logprobs, before);
  row.entropies.set(entropies, before);
  row.allowed.set(allowed, before);
  const stop = tokens.findIndex((token) => stopTokens.includes(token));
  row.length = before + (stop < 0 ? tokens.length : stop + 1);
  const stopped = stopCheck?.(row.tokens.subarray(0, row.length), before) ?? null;
  if (stopped !== null) row.length = stopped;
  const finished = stop >= 0 || stopped !== null;
  row.next = row.tokens[row.length - 1] ?? 0;
  if (!finished && row.length < row.tokens.length) return null;
  const { length } = row;
  return {
    prompt: row.prompt,
    tokens: row.tokens.slice(0, length),
    logprobs: row.logprobs.slice(0, length),
    entropies: row.entropies.slice(0, length),
    allowed: row.allowed.slice(0, length),
    finished,
  };
}

/** For `onToken`: the token of each row's slot at the window's only step, the pad token for rows without a slot. */
function lastTokens(
  rows: readonly Slot[],
  tokens: ArrayLike<number>,
  window: number,
  total: number,
  padToken: number,
): Int32Array {
  const all = new Int32Array(total).fill(padToken);
  rows.forEach(({ row }, slot) => (all[row] = tokens[slot * window] ?? padToken));
  return all;
}

function at<T>(values: readonly T[], index: number): T {
  const value = values[index];
  if (value === undefined) throw new Error(`generate: prompt ${index} is one of ${values.length}.`);
  return value;
}

/**
 * One token for every slot. Steps differ only in the numbers of `dynamicOptions`, so that a backend that records
 * replays one recording for the whole rollout.
 */
function decodeStep(
  model: GeneratorModel,
  t: number,
  decodeSlots: DecodeSlots,
  layers: readonly Tensor[],
  options: ResolvedOptions,
): void {
  const { backend, decoder } = model;
  const { temperature, greedy = false, topK = 0, stopTokens, seed, step } = options;
  const sampling = {
    temperature,
    greedy,
    topK,
    stopTokens: stopTokens.slice(0, DEVICE_STOP_TOKENS),
    suppressTokens: options.suppressTokens ?? model.visionTokens,
    padToken: model.padToken,
  };
  const dynamicOptions = { cacheOffset: t, angleRow: t * decodeSlots.count, position: t, seed, step };
  model.recorder.run(`decode ${JSON.stringify(sampling)}`, [...decodeSlots.tensors, ...layers], dynamicOptions, () => {
    const tape = new Tape(backend, false);
    const cache: KvCache = {
      layers,
      rows: decodeSlots.cacheRows,
      prefill: false,
      cacheOffset: t,
      angleRow: dynamicOptions.angleRow,
    };
    const x = decoder.generateForward(
      tape,
      decoder.embed(tape, decodeSlots.buffers.next, null),
      decodeSlots.angles,
      decodeSlots.visible,
      cache,
    );
    const normed = decoder.finalNorm(tape, x);
    const logits = tape.own(backend.kernels.linear(normed, decoder.head.weight, null, null));
    backend.kernels.sample(logits, decodeSlots.buffers, { ...sampling, seed, step, position: t });
    tape.dispose();
    return [];
  });
}
