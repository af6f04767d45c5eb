/**
 * What a policy takes on the device, computed from its configuration alone, before anything is loaded: weights, trained
 * values with gradient and moments, the KV cache of responses in flight, activations of an update. Weights, adapter and
 * cache are exact; activations count what the tape keeps of a layer (decoder.ts) and are an upper bound in the backward
 * pass. The wasm backend widens one layer's f16 cache into scratch of its own, which is not counted. Neither are
 * logits: training folds them block by block (kernels.ts, `tokenLogprobs`).
 */
import { weightBytes } from "../tensor/packedWeight";
import type { ParameterGroup } from "../tensor/parameters";
import type { PolicyConfig, TextConfig } from "./checkpoint/config";
import {
  type CacheFormat,
  cacheBytesOfToken,
  cacheLayout,
  defaultCacheFormat,
  slotCount,
} from "./generation/groupCache";
import { PREFILL_TOKENS } from "./generation/prefill";
import { type LayoutOptions, parameterGroups } from "./layers/layout";
import { LoraAdapter, type LoraOptions } from "./layers/lora";
import { type BatchCapacity, paddedSize } from "./layers/packing";

const FLOAT = 4;
/** theta, gradient and AdamW's two moments. */
const BUFFERS_OF_TRAINED = 4;

export interface PlanOptions extends LayoutOptions {
  /** An adapter is trained and everything else frozen. */
  readonly lora: LoraOptions | null;
  readonly groupSize: number;
  /** Prompts of a rollout, default 1. */
  readonly prompts?: number;
  /** Responses written at a time and the cache format, as in `GenerateOptions`. */
  readonly slots?: number | null;
  readonly cache?: CacheFormat | null;
  /**
   * The backend records steps (backend.ts): it rounds prompt rows up, and keeps the memory of activations while it
   * samples. Default false.
   */
  readonly records?: boolean;
  readonly promptTokens: number;
  /** How many of them stand for the picture. */
  readonly imageTokens: number;
  readonly completionTokens: number;
  /** Responses in one micro-batch of an update (neighbouring responses share their prompt). */
  readonly microBatch: number;
  /**
   * Whether there is a KL term: with full training, a frozen f32 copy of the policy is kept for it; with an adapter,
   * nothing. Default false.
   */
  readonly kl?: boolean;
}

/** In bytes, except `parameters` and `trained`. */
export interface MemoryPlan {
  readonly parameters: number;
  readonly trained: number;
  readonly frozenWeights: number;
  /** The trained values, their gradient and moments. */
  readonly trainedState: number;
  /** The copy that the KL term is measured against. */
  readonly reference: number;
  readonly cacheFormat: CacheFormat;
  readonly kvCacheOfToken: number;
  readonly kvCache: number;
  /** Responses written at a time, and rows of the cache that prompts take. */
  readonly slots: number;
  readonly prefixRows: number;
  /** Activations of the prompts that are computed together. */
  readonly prefill: number;
  /** One decode step: the logits of the rows being written. */
  readonly decode: number;
  readonly visionTower: number;
  /** An update whose tape keeps every layer. */
  readonly activations: number;
  /** An update that keeps each layer's input and recomputes the rest in the backward pass. */
  readonly activationsRecomputed: number;
  readonly largestWeight: { readonly key: string; readonly bytes: number };
  /** Peak on the device. */
  readonly peak: number;
  readonly peakRecomputed: number;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);
const countOf = (group: ParameterGroup): number => group.parts.reduce((sum, part) => sum + sizeOf(part.shape), 0);

/** Device bytes of a frozen group. */
function groupBytes(group: ParameterGroup): number {
  const [first] = group.parts;
  if (first === undefined || first.shape.length === 1) return FLOAT * countOf(group);
  const rows = group.parts.reduce((sum, part) => sum + (part.shape[0] ?? 1), 0);
  return weightBytes(rows, sizeOf(first.shape.slice(1)), group.format ?? "f32");
}

/**
 * Values that one row leaves in one layer of the forward pass: two norms, q|k|v, attention and its log-sum-exp, the
 * middle and end of the residual stream, gate|up, their product, and the adapter's inner rows.
 */
export function layerRowValues(text: TextConfig, loraRank: number): number {
  const q = text.heads * text.headDim;
  const kv = text.kvHeads * text.headDim;
  return 4 * text.hiddenSize + (q + 2 * kv) + q + text.heads + 3 * text.intermediateSize + 7 * loraRank;
}

/** Gradients alive at once inside a layer: of gate|up, of their product, of both ends of the residual stream. */
function gradientRowValues(text: TextConfig): number {
  return 3 * text.intermediateSize + 2 * text.hiddenSize;
}

/**
 * Bytes that an update of a packed batch takes on top of the parameters: what the tape keeps, and the gradients alive
 * at once.
 * @param recompute only each layer's input is kept
 */
export function activationBytes(
  text: TextConfig,
  loraRank: number,
  { rows, tokens }: BatchCapacity,
  recompute: boolean,
): number {
  const layer = layerRowValues(text, loraRank);
  const kept = recompute ? text.layers * text.hiddenSize + layer : text.layers * layer;
  const ends = rows * text.hiddenSize + 2 * tokens * text.hiddenSize; // the embedded rows; the chosen ones, and normed
  return FLOAT * (rows * (kept + gradientRowValues(text)) + ends);
}

export function planMemory(config: PolicyConfig, options: PlanOptions): MemoryPlan {
  const { text, vision } = config;
  const base = parameterGroups(config, options.lora === null ? options : { ...options, trainable: "none" });
  const groups = options.lora === null ? base : [...base, ...LoraAdapter.groups(config, options.lora)];
  const frozen = groups.filter((group) => !group.trainable);
  const trained = groups.filter((group) => group.trainable).reduce((sum, group) => sum + countOf(group), 0);
  const frozenWeights = frozen.reduce((sum, group) => sum + groupBytes(group), 0);
  const trainedState = FLOAT * BUFFERS_OF_TRAINED * trained;
  const largest = groups
    .map((group) => ({ key: group.key, bytes: groupBytes(group) }))
    .reduce((a, b) => (b.bytes > a.bytes ? b : a));

  const { prompts = 1, records = false, groupSize, promptTokens, completionTokens } = options;
  const cacheFormat = options.cache ?? defaultCacheFormat(config, options);
  const kvCacheOfToken = cacheBytesOfToken(text, cacheFormat);
  const needs = {
    promptRows: new Array<number>(prompts).fill(records ? paddedSize(promptTokens - 1) : promptTokens - 1),
    groupSize,
    maxNewTokens: completionTokens,
  };
  const slots = slotCount(options.slots ?? null, needs, kvCacheOfToken);
  const layout = cacheLayout({ ...needs, slots, padded: records });
  const kvCache = kvCacheOfToken * layout.rows;
  const decode = FLOAT * slots * text.vocabSize;
  const together = Math.min(layout.prefixRows, Math.max(PREFILL_TOKENS, promptTokens));
  const prefill = FLOAT * together * (3 * text.hiddenSize + 3 * text.intermediateSize);
  const patches = options.imageTokens * vision.spatialMergeSize ** 2;
  const visionTower = FLOAT * patches * (3 * vision.hiddenSize + 3 * vision.intermediateSize);

  // Neighbours that begin in the middle of a group see one prompt more than whole groups would.
  const promptsTogether = Math.min(prompts, Math.ceil((options.microBatch - 1) / groupSize) + 1);
  const rows = promptsTogether * promptTokens + options.microBatch * completionTokens;
  const batch = { rows, tokens: options.microBatch * completionTokens };
  const rank = options.lora?.rank ?? 0;
  const activations = activationBytes(text, rank, batch, false);
  const activationsRecomputed = activationBytes(text, rank, batch, true);

  const parameters = groups.reduce((sum, group) => sum + countOf(group), 0);
  const reference = options.kl === true && options.lora === null && trained > 0 ? FLOAT * parameters : 0;
  const still = frozenWeights + trainedState + reference;
  const sampling = Math.max(decode, prefill);
  const worst = (update: number): number =>
    still +
    (records ? kvCache + Math.max(sampling, visionTower, update) : Math.max(kvCache + sampling, visionTower, update));
  return {
    parameters,
    trained,
    frozenWeights,
    trainedState,
    reference,
    cacheFormat,
    kvCacheOfToken,
    kvCache,
    slots,
    prefixRows: layout.prefixRows,
    prefill,
    decode,
    visionTower,
    activations,
    activationsRecomputed,
    largestWeight: largest,
    peak: worst(trained > 0 ? activations : 0),
    peakRecomputed: worst(trained > 0 ? activationsRecomputed : 0),
  };
}
