/**
 * config.json of the published members of the family, and of a tiny one with every part of them. Sizes from the
 * checkpoints `Qwen/Qwen2.5-VL-{3B,7B,32B,72B}-Instruct`, written flat as those are; the tiny one is nested, as
 * transformers writes it since 4.52.
 */

export const SHAPE_NAMES = ["tiny", "3b", "7b", "32b", "72b"] as const;
export type ShapeName = (typeof SHAPE_NAMES)[number];

interface Sizes {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly intermediate: number;
  readonly vocabulary: number;
  readonly tied: boolean;
  readonly visionIntermediate: number;
}

const PUBLISHED: Readonly<Record<Exclude<ShapeName, "tiny">, Sizes>> = {
  "3b": {
    hidden: 2048,
    layers: 36,
    heads: 16,
    kvHeads: 2,
    intermediate: 11008,
    vocabulary: 151936,
    tied: true,
    visionIntermediate: 3420,
  },
  "7b": {
    hidden: 3584,
    layers: 28,
    heads: 28,
    kvHeads: 4,
    intermediate: 18944,
    vocabulary: 152064,
    tied: false,
    visionIntermediate: 3420,
  },
  "32b": {
    hidden: 5120,
    layers: 64,
    heads: 40,
    kvHeads: 8,
    intermediate: 27648,
    vocabulary: 152064,
    tied: false,
    visionIntermediate: 3456,
  },
  "72b": {
    hidden: 8192,
    layers: 80,
    heads: 64,
    kvHeads: 8,
    intermediate: 29568,
    vocabulary: 152064,
    tied: false,
    visionIntermediate: 3456,
  },
};

/** The family's special tokens, at consecutive ids from `firstSpecialId` on. */
export const SPECIAL_TOKENS = [
  "<|endoftext|>",
  "<|im_start|>",
  "<|im_end|>",
  "<|object_ref_start|>",
  "<|object_ref_end|>",
  "<|box_start|>",
  "<|box_end|>",
  "<|quad_start|>",
  "<|quad_end|>",
  "<|vision_start|>",
  "<|vision_end|>",
  "<|vision_pad|>",
  "<|image_pad|>",
  "<|video_pad|>",
] as const;

const TINY_VOCABULARY = 512;

/** Id of the first special token: 151643 in the published vocabularies, the last ids in the tiny one. */
export function firstSpecialId(shape: ShapeName): number {
  return shape === "tiny" ? TINY_VOCABULARY - SPECIAL_TOKENS.length : 151643;
}

const VISION = {
  model_type: "qwen2_5_vl",
  depth: 32,
  hidden_act: "silu",
  hidden_size: 1280,
  num_heads: 16,
  in_chans: 3,
  patch_size: 14,
  spatial_merge_size: 2,
  spatial_patch_size: 14,
  temporal_patch_size: 2,
  tokens_per_second: 2,
  window_size: 112,
  fullatt_block_indexes: [7, 15, 23, 31],
};

/** config.json of a member of the family. */
export function shapeConfig(shape: ShapeName, dtype: "bfloat16" | "float16" | "float32"): Record<string, unknown> {
  const special = firstSpecialId(shape);
  const id = (token: (typeof SPECIAL_TOKENS)[number]): number => special + SPECIAL_TOKENS.indexOf(token);
  const top = {
    architectures: ["Qwen2_5_VLForConditionalGeneration"],
    model_type: "qwen2_5_vl",
    image_token_id: id("<|image_pad|>"),
    video_token_id: id("<|video_pad|>"),
    vision_start_token_id: id("<|vision_start|>"),
    vision_end_token_id: id("<|vision_end|>"),
  };
  const common = {
    hidden_act: "silu",
    initializer_range: 0.02,
    rms_norm_eps: 1e-6,
    use_sliding_window: false,
    bos_token_id: id("<|endoftext|>"),
    eos_token_id: id("<|im_end|>"),
    pad_token_id: id("<|endoftext|>"),
  };
  if (shape === "tiny") {
    return {
      ...top,
      dtype,
      tie_word_embeddings: false,
      text_config: {
        ...common,
        model_type: "qwen2_5_vl_text",
        hidden_size: 64,
        intermediate_size: 160,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        vocab_size: TINY_VOCABULARY,
        max_position_embeddings: 4096,
        rope_parameters: { rope_type: "default", rope_theta: 1e6, mrope_section: [2, 3, 3] },
        tie_word_embeddings: false,
      },
      vision_config: {
        ...VISION,
        depth: 2,
        hidden_size: 32,
        num_heads: 2,
        intermediate_size: 60,
        fullatt_block_indexes: [1],
        out_hidden_size: 64,
      },
    };
  }
  const s = PUBLISHED[shape];
  return {
    ...top,
    ...common,
    torch_dtype: dtype,
    hidden_size: s.hidden,
    intermediate_size: s.intermediate,
    num_hidden_layers: s.layers,
    num_attention_heads: s.heads,
    num_key_value_heads: s.kvHeads,
    vocab_size: s.vocabulary,
    max_position_embeddings: 128000,
    rope_theta: 1e6,
    rope_scaling: { type: "mrope", mrope_section: [16, 24, 24] },
    tie_word_embeddings: s.tied,
    vision_config: { ...VISION, intermediate_size: s.visionIntermediate, out_hidden_size: s.hidden },
  };
}
