/**
 * The models and batches that all libraries work on: a decoder of the policy's family with weights that depend on the
 * seed only, and sequences of equal length, so that a batch without padding (ours) and a rectangular one (the peers')
 * hold the same tokens.
 */

import { InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { parseConfig } from "../policy/checkpoint/config";
import { nanoConfig, nanoFiles, normalValues } from "../policy/create";
import { nanoSpecialId } from "../policy/processor/tokenizerNano";
import { RESPONSE_TAGS } from "../srpo/tags";
import { VOCABULARY } from "../tasks/vocabulary";
import { randomUniform } from "../tensor/random";
import type { DecoderShape } from "./job";

/** The words of the shipped policies. */
export const NANO_WORDS = [...RESPONSE_TAGS, ...VOCABULARY];

/** The shipped policies' decoder. */
export async function nanoShape(): Promise<DecoderShape> {
  const { text } = parseConfig(await nanoFiles(NANO_WORDS).read("config.json"));
  return {
    vocabulary: text.vocabSize,
    hidden: text.hiddenSize,
    intermediate: text.intermediateSize,
    layers: text.layers,
    heads: text.heads,
  };
}

/** A member with twenty times as many parameters. */
export async function largeShape(): Promise<DecoderShape> {
  return { ...(await nanoShape()), hidden: 512, intermediate: 1280, layers: 6, heads: 8 };
}

/**
 * Floating-point operations that a training step over `rows` sequences must do: products forward and backward, and
 * causal attention.
 */
export function trainingFlops(
  { vocabulary, hidden, intermediate, layers }: DecoderShape,
  rows: number,
  length: number,
): number {
  const tokens = rows * length;
  const weights = layers * (4 * hidden + 3 * intermediate) * hidden + vocabulary * hidden;
  return 6 * tokens * weights + 7 * tokens * length * hidden * layers;
}

/** AdamW as every library runs it in `train`. Weight decay 0, so that the peers' Adam computes the same. */
export const OPTIMISER = {
  learningRate: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0,
  maxGradNorm: 1,
} as const;

/**
 * What the chain of dispatches adds up; stock TensorFlow.js computes tensors below a thousand values without the GPU.
 */
export const TERM = new Float32Array(1024).fill(1);

export const NORM_EPSILON = 1e-6;
export const ROPE_THETA = 10000;

/** Steps whose loss and gradient norm the libraries compare before timing starts. */
export const CHECKED_STEPS = 3;

export interface Values {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Weights of all tensors under their names on disk. Spread wide enough that attention and biases affect the loss. */
export function decoderWeights(shape: DecoderShape, seed: number): Map<string, Values> {
  const { vocabulary, hidden, intermediate, layers } = shape;
  const shapes: [string, readonly number[]][] = [["model.embed_tokens.weight", [vocabulary, hidden]]];
  for (let i = 0; i < layers; i++) {
    const layer = `model.layers.${i}`;
    shapes.push([`${layer}.input_layernorm.weight`, [hidden]]);
    for (const part of ["q", "k", "v"])
      shapes.push(
        [`${layer}.self_attn.${part}_proj.weight`, [hidden, hidden]],
        [`${layer}.self_attn.${part}_proj.bias`, [hidden]],
      );
    shapes.push(
      [`${layer}.self_attn.o_proj.weight`, [hidden, hidden]],
      [`${layer}.post_attention_layernorm.weight`, [hidden]],
    );
    shapes.push(
      [`${layer}.mlp.gate_proj.weight`, [intermediate, hidden]],
      [`${layer}.mlp.up_proj.weight`, [intermediate, hidden]],
      [`${layer}.mlp.down_proj.weight`, [hidden, intermediate]],
    );
  }
  shapes.push(["model.norm.weight", [hidden]]);
  return new Map(
    shapes.map(([name, dimensions], stream) => {
      const count = dimensions.reduce((product, n) => product * n, 1);
      const values = normalValues(
        count,
        seed,
        stream,
        dimensions.length === 2 ? 0.5 / Math.sqrt(dimensions[1] ?? 1) : 0.1,
      );
      return [name, { shape: dimensions, values: name.includes("norm") ? values.map((value) => 1 + value) : values }];
    }),
  );
}

/** One layer's tensors as kernels and peers bind them: q|k|v and gate|up stacked by rows. */
export interface LayerWeights {
  readonly norm1: Values;
  readonly qkv: Values;
  readonly qkvBias: Values;
  readonly o: Values;
  readonly norm2: Values;
  readonly gateUp: Values;
  readonly down: Values;
}

export interface StackedWeights {
  readonly table: Values;
  readonly layers: readonly LayerWeights[];
  readonly norm: Values;
}

export function stackedWeights(shape: DecoderShape, seed: number): StackedWeights {
  const weights = decoderWeights(shape, seed);
  const one = (name: string): Values => {
    const found = weights.get(name);
    if (found === undefined) throw new Error(`stackedWeights: there is no ${name}.`);
    return found;
  };
  const stacked = (names: readonly string[]): Values => {
    const parts = names.map(one);
    const rows = parts.reduce((sum, part) => sum + (part.shape[0] ?? 0), 0);
    const values = new Float32Array(parts.reduce((sum, part) => sum + part.values.length, 0));
    let at = 0;
    for (const part of parts) {
      values.set(part.values, at);
      at += part.values.length;
    }
    return { shape: [rows, ...(parts[0]?.shape.slice(1) ?? [])], values };
  };
  const layers = Array.from({ length: shape.layers }, (_, i) => {
    const layer = `model.layers.${i}`;
    const projections = ["q", "k", "v"].map((part) => `${layer}.self_attn.${part}_proj`);
    return {
      norm1: one(`${layer}.input_layernorm.weight`),
      qkv: stacked(projections.map((name) => `${name}.weight`)),
      qkvBias: stacked(projections.map((name) => `${name}.bias`)),
      o: one(`${layer}.self_attn.o_proj.weight`),
      norm2: one(`${layer}.post_attention_layernorm.weight`),
      gateUp: stacked([`${layer}.mlp.gate_proj.weight`, `${layer}.mlp.up_proj.weight`]),
      down: one(`${layer}.mlp.down_proj.weight`),
    };
  });
  return { table: one("model.embed_tokens.weight"), layers, norm: one("model.norm.weight") };
}

/** config.json alone: such a policy takes ids only. The tower has the nano policy's sizes and stays frozen. */
export function decoderFolder(shape: DecoderShape): InMemoryFiles {
  const { vocabulary, hidden, intermediate, layers, heads } = shape;
  const config = nanoConfig({
    vocabSize: vocabulary,
    imageToken: nanoSpecialId("<|image_pad|>"),
    videoToken: nanoSpecialId("<|video_pad|>"),
    visionStart: nanoSpecialId("<|vision_start|>"),
    visionEnd: nanoSpecialId("<|vision_end|>"),
    endOfText: nanoSpecialId("<|endoftext|>"),
    endOfTurn: nanoSpecialId("<|im_end|>"),
  });
  const half = hidden / heads / 2;
  const first = Math.floor(half / 4);
  const second = Math.floor((half - first) / 2);
  const sized = {
    ...config,
    text_config: {
      ...section(config.text_config),
      hidden_size: hidden,
      intermediate_size: intermediate,
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: heads,
      rms_norm_eps: NORM_EPSILON,
      rope_parameters: {
        rope_type: "default",
        rope_theta: ROPE_THETA,
        mrope_section: [first, second, half - first - second],
      },
    },
    vision_config: { ...section(config.vision_config), out_hidden_size: hidden },
  };
  return new InMemoryFiles(new Map([["config.json", new TextEncoder().encode(JSON.stringify(sized))]]));
}

/** Random words (no special tokens), `rows` × `length`, row by row. */
export function randomTokens(shape: DecoderShape, rows: number, length: number, seed: number): Int32Array {
  const first = nanoSpecialId("<|video_pad|>") + 1;
  return Int32Array.from(
    { length: rows * length },
    (_, i) => first + Math.floor(randomUniform(seed, 1, i, 0) * (shape.vocabulary - first)),
  );
}

/** cos and sin of the rotary angles of positions 0 … length−1, [length, headDim/2]. */
export function rotaryTables(
  shape: DecoderShape,
  length: number,
): { readonly cos: Float32Array; readonly sin: Float32Array; readonly half: number } {
  const half = shape.hidden / shape.heads / 2;
  const angles = Array.from(
    { length: length * half },
    (_, i) => Math.floor(i / half) / ROPE_THETA ** ((i % half) / half),
  );
  return { cos: Float32Array.from(angles, Math.cos), sin: Float32Array.from(angles, Math.sin), half };
}

/** Values of the two factors of a product, the same for all libraries. */
export function matmulInputs(count: number, stream: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => randomUniform(7, stream, i, 0) - 0.5);
}

function section(value: unknown): object {
  if (typeof value !== "object" || value === null) throw new Error("nanoConfig: expected its sections to be objects");
  return value;
}
