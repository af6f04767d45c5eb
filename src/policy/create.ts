/**
 * A policy from nothing: the nano configuration, and random weights as transformers draws them
 * (`_init_weights`: matrices and embeddings normal(0, initializer_range), biases 0, norm weights 1), from a
 * counter-based stream, so that a seed gives the same policy on every backend.
 */

import type { ParameterSet } from "../tensor/parameters";
import { randomUniform } from "../tensor/random";
import { InMemoryFiles } from "./checkpoint/checkpointFiles";
import { parsePreprocessorConfig, preprocessorConfigJson } from "./processor/imageProcessor";
import { nanoSpecialId, nanoTokenizerFiles, nanoVocabSize } from "./processor/tokenizerNano";

/** Token ids that a configuration must name. */
export interface SpecialTokens {
  readonly vocabSize: number;
  readonly imageToken: number;
  readonly videoToken: number;
  readonly visionStart: number;
  readonly visionEnd: number;
  readonly endOfText: number;
  readonly endOfTurn: number;
}

/**
 * Standard deviation of a fresh nano's matrices. Qwen's 0.02 suits widths of thousands; at 64 and 128 it leaves queries
 * and keys so small that attention stays uniform for hundreds of steps. This is about 1/√width.
 */
const INITIALIZER_RANGE = 0.07;

/**
 * config.json of the nano member of the family: about 1 M parameters. A tower of 2 × 64 on 4-px patches (32×32 pixels:
 * 64 patches, 16 image tokens), a decoder of 4 × 128 with 4 heads, SwiGLU 320, tied embeddings.
 */
export function nanoConfig(tokens: SpecialTokens): Record<string, unknown> {
  return {
    architectures: ["Qwen2_5_VLForConditionalGeneration"],
    model_type: "qwen2_5_vl",
    dtype: "float32",
    image_token_id: tokens.imageToken,
    video_token_id: tokens.videoToken,
    vision_start_token_id: tokens.visionStart,
    vision_end_token_id: tokens.visionEnd,
    tie_word_embeddings: true,
    text_config: {
      model_type: "qwen2_5_vl_text",
      vocab_size: tokens.vocabSize,
      hidden_size: 128,
      intermediate_size: 320,
      num_hidden_layers: 4,
      num_attention_heads: 4,
      num_key_value_heads: 4,
      hidden_act: "silu",
      initializer_range: INITIALIZER_RANGE,
      max_position_embeddings: 512,
      rms_norm_eps: 1e-6,
      rope_parameters: { rope_type: "default", rope_theta: 10000, mrope_section: [4, 6, 6] },
      use_sliding_window: false,
      tie_word_embeddings: true,
      bos_token_id: tokens.endOfText,
      eos_token_id: tokens.endOfTurn,
      pad_token_id: tokens.endOfText,
    },
    vision_config: {
      model_type: "qwen2_5_vl_vision",
      depth: 2,
      hidden_size: 64,
      hidden_act: "silu",
      intermediate_size: 160,
      num_heads: 4,
      in_channels: 3,
      initializer_range: INITIALIZER_RANGE,
      patch_size: 4,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
      tokens_per_second: 4,
      window_size: 32,
      out_hidden_size: 128,
      fullatt_block_indexes: [1],
    },
  };
}

/** Pictures of 16×16 to 48×48 pixels are taken as they are (both sides multiples of 8). */
const NANO_PIXELS = { min_pixels: 16 * 16, max_pixels: 48 * 48 };

/**
 * The folder of a nano policy without its weights: config.json, preprocessor_config.json, and a tokenizer of these
 * words.
 */
export function nanoFiles(words: readonly string[]): InMemoryFiles {
  const config = nanoConfig({
    vocabSize: nanoVocabSize(words),
    imageToken: nanoSpecialId("<|image_pad|>"),
    videoToken: nanoSpecialId("<|video_pad|>"),
    visionStart: nanoSpecialId("<|vision_start|>"),
    visionEnd: nanoSpecialId("<|vision_end|>"),
    endOfText: nanoSpecialId("<|endoftext|>"),
    endOfTurn: nanoSpecialId("<|im_end|>"),
  });
  const preprocessor = preprocessorConfigJson(
    parsePreprocessorConfig({ patch_size: 4, merge_size: 2, temporal_patch_size: 2, ...NANO_PIXELS }),
  );
  const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
  return new InMemoryFiles(
    new Map([
      ["config.json", bytes(config)],
      ["preprocessor_config.json", bytes(preprocessor)],
      ...nanoTokenizerFiles(words),
    ]),
  );
}

/** Two counter-based uniforms give one normal value (Box and Muller, 1958). */
export function normalValues(count: number, seed: number, stream: number, std: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const radius = Math.sqrt(-2 * Math.log(randomUniform(seed, stream, i, 0)));
    return std * radius * Math.cos(2 * Math.PI * randomUniform(seed, stream, i, 1));
  });
}

/**
 * Draw the parameters (all, or `only` some). A tensor's values depend on the seed and its index in the order of names.
 */
export function initialise(
  parameters: ParameterSet,
  seed: number,
  options: { readonly std?: number; readonly only?: ReadonlySet<string> } = {},
): void {
  const std = options.std ?? INITIALIZER_RANGE;
  parameters.names().forEach((name, stream) => {
    if (options.only !== undefined && !options.only.has(name)) return;
    const count = parameters.shapeOf(name).reduce((product, n) => product * n, 1);
    if (name.endsWith(".bias") || name.includes("lora_B")) parameters.write(name, new Float32Array(count));
    else if (parameters.shapeOf(name).length === 1) parameters.write(name, new Float32Array(count).fill(1));
    else
      parameters.write(
        name,
        normalValues(count, seed, stream, name.includes("lora_A") ? loraStd(parameters.shapeOf(name)) : std),
      );
  });
}

/** PEFT draws A by Kaiming's uniform rule with a = √5: variance 1 / (3 · in); here a normal of the same variance. */
function loraStd(shape: readonly number[]): number {
  return 1 / Math.sqrt(3 * (shape[1] ?? 1));
}
