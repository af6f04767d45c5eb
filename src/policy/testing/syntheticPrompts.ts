/** Made-up small models, pictures and prompts for tests: no tokenizer, ids chosen by hand. */
import type { Backend } from "../../tensor/backend";
import { type PolicyConfig, parseConfig } from "../checkpoint/config";
import { initialise } from "../create";
import type { EncodedPrompt } from "../layers/packing";
import { type ModelOptions, VisionLanguageModel } from "../model";

export const END = 1;
const IMAGE = 4;

/** Layers 32 wide with grouped-query attention; a tower of two layers 16 wide, windows of 16 pixels in the first. */
export const smallConfig = (layers: number, vocabulary = 48): PolicyConfig =>
  parseConfig({
    model_type: "qwen2_5_vl",
    image_token_id: IMAGE,
    video_token_id: 5,
    vision_start_token_id: 2,
    vision_end_token_id: 3,
    tie_word_embeddings: true,
    text_config: {
      vocab_size: vocabulary,
      hidden_size: 32,
      intermediate_size: 48,
      num_hidden_layers: layers,
      num_attention_heads: 4,
      num_key_value_heads: 2,
      rms_norm_eps: 1e-6,
      rope_parameters: { rope_type: "default", rope_theta: 10000, mrope_section: [2, 1, 1] },
      eos_token_id: END,
    },
    vision_config: {
      depth: 2,
      hidden_size: 16,
      intermediate_size: 24,
      num_heads: 2,
      patch_size: 4,
      spatial_merge_size: 2,
      temporal_patch_size: 2,
      window_size: 16,
      out_hidden_size: 32,
      fullatt_block_indexes: [1],
    },
  });

/** A randomly initialised small model; `std` large enough that predictions are far from uniform. */
export function smallModel(
  backend: Backend,
  options: ModelOptions = { trainable: "all" },
  seed = 0,
  std = 0.2,
  config = smallConfig(2),
): VisionLanguageModel {
  const model = new VisionLanguageModel(backend, config, options);
  initialise(model.parameters, seed, { std });
  return model;
}

/** A 32×32 picture (8×8 patches) whose every pixel is a wave of its own phase, followed by `words`. */
export function prompt(model: VisionLanguageModel, phase: number, words: readonly number[]): EncodedPrompt {
  const patches = Float32Array.from({ length: 64 * 96 }, (_, i) => Math.sin(phase + 0.37 * i + phase * 0.011 * i));
  return model.encode(Int32Array.from([2, ...Array.from({ length: 16 }, () => IMAGE), 3, ...words]), [
    { patches, grid: { frames: 1, height: 8, width: 8 } },
  ]);
}
