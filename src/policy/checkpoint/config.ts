/**
 * config.json of the Qwen2.5-VL family, parsed once into the sizes the model needs. Two layouts exist: flat
 * (text sizes at the top level, as older checkpoints on the hub) and nested (`text_config`, transformers ≥ 4.52).
 * Defaults are those of transformers' Qwen2_5_VLTextConfig and Qwen2_5_VLVisionConfig.
 */
import { z } from "zod";
import { ConfigError, parseJson, parseWith } from "./configJson";
import { refuseQuantised, refuseScaledRope, ropeSchema } from "./unsupportedConfig";

/**
 * Far beyond any member of the family: a larger number is a mistake or malice, and would cost a loop over every layer.
 */
const size = z
  .int()
  .positive()
  .max(2 ** 24);
const count = z.int().positive().max(1024);
const tokenId = z.int().nonnegative();
/** Tokens that end a response: one id, or a list (the hub's Qwen2.5-VL lists two). */
export const endTokensSchema = z.union([tokenId, z.array(tokenId).max(64)]).nullish();
/** Patch sizes may be written as one number or one per axis; only equal axes are supported. */
const squareSize = z.union([
  size,
  z
    .array(size)
    .min(1)
    .refine((s) => s.every((v) => v === s[0]), "axes of unequal size are not supported")
    .transform((s) => s[0] as number),
]);

/** Rotary parameters, under `rope_scaling` (older) or `rope_parameters` (newer). */

const textSchema = z.looseObject({
  vocab_size: size.default(152064),
  hidden_size: size.default(8192),
  intermediate_size: size.default(29568),
  num_hidden_layers: count.default(80),
  num_attention_heads: size.default(64),
  num_key_value_heads: size.nullable().default(8),
  head_dim: size.nullish(),
  hidden_act: z.literal("silu").default("silu"),
  max_position_embeddings: size.default(32768),
  rms_norm_eps: z.number().positive().default(1e-5),
  use_sliding_window: z.literal(false, "sliding-window attention is not computed; expected false").nullish(),
  rope_theta: z.number().positive().optional(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  tie_word_embeddings: z.boolean().optional(),
  bos_token_id: tokenId.nullish(),
  eos_token_id: endTokensSchema,
  pad_token_id: tokenId.nullish(),
});

const visionSchema = z.looseObject({
  depth: count.default(32),
  hidden_size: size.default(3584),
  hidden_act: z.literal("silu").default("silu"),
  intermediate_size: size.default(3420),
  num_heads: size.default(16),
  in_channels: size.optional(),
  in_chans: size.optional(),
  patch_size: squareSize.default(14),
  spatial_patch_size: size.optional(),
  spatial_merge_size: size.default(2),
  temporal_patch_size: squareSize.default(2),
  tokens_per_second: z.number().default(4),
  window_size: size.default(112),
  out_hidden_size: size.default(3584),
  fullatt_block_indexes: z.array(z.int().nonnegative()).default([7, 15, 23, 31]),
});

const topSchema = z.looseObject({
  model_type: z.literal("qwen2_5_vl", {
    error: ({ input }) => `is ${JSON.stringify(input) ?? "missing"}; expected "qwen2_5_vl", the only family read here`,
  }),
  text_config: z.looseObject({}).optional(),
  vision_config: z.looseObject({}).default({}),
  tie_word_embeddings: z.boolean().optional(),
  eos_token_id: endTokensSchema,
  image_token_id: tokenId.default(151655),
  video_token_id: tokenId.default(151656),
  vision_start_token_id: tokenId.default(151652),
  vision_end_token_id: tokenId.default(151653),
  /** `<|vision_pad|>`: in the published files, though no model of transformers reads it. */
  vision_token_id: tokenId.default(151654),
});

export interface TextConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly maxPositions: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** How many of the headDim/2 frequencies turn with t, h and w. */
  readonly mropeSection: readonly [number, number, number];
  readonly tieWordEmbeddings: boolean;
  /** Tokens that end a response, from every place that names one: any of them stops sampling. */
  readonly eosTokenIds: readonly number[];
  /** The embedding's padding row, which takes no gradient from look-ups (`padding_idx`). */
  readonly padTokenId: number | null;
  /** What fills finished rows while others are being sampled. */
  readonly samplingPadTokenId: number | null;
}

export interface VisionConfig {
  readonly depth: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly heads: number;
  readonly headDim: number;
  readonly inChannels: number;
  /** Pixels along one side of a patch. */
  readonly patchSize: number;
  /** Patches along one side of a merged cell. */
  readonly spatialMergeSize: number;
  readonly temporalPatchSize: number;
  /** Pixels along one side of an attention window. */
  readonly windowSize: number;
  readonly outHiddenSize: number;
  /** Blocks that attend over the whole frame; the others attend within windows. */
  readonly fullAttentionBlocks: readonly number[];
  /** RMSNorm ε of the tower, fixed in the family. */
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
}

export interface PolicyConfig {
  readonly text: TextConfig;
  readonly vision: VisionConfig;
  readonly imageTokenId: number;
  readonly videoTokenId: number;
  readonly visionStartTokenId: number;
  readonly visionEndTokenId: number;
  /**
   * All tokens that stand for pictures and videos, ascending: a prompt has them where its pictures are, and a response
   * never has one. They are never sampled, and refused in responses.
   */
  readonly visionTokenIds: readonly number[];
}

/** The ids of `eos_token_id` fields, each once, in order. */
export function endTokens(...fields: readonly z.output<typeof endTokensSchema>[]): number[] {
  return [...new Set(fields.flatMap((field) => (field == null ? [] : [field].flat())))];
}

function textConfig(raw: unknown, prefix: string, top: z.output<typeof topSchema>, file: string): TextConfig {
  const t = parseWith(textSchema, raw, file, prefix);
  const key = (name: string): string => (prefix ? `${prefix}.${name}` : name);
  const kvHeads = t.num_key_value_heads ?? t.num_attention_heads;
  if (t.num_attention_heads % kvHeads !== 0)
    throw new ConfigError(
      `${file}: ${key("num_attention_heads")} is ${t.num_attention_heads}, expected a multiple of ` +
        `${key("num_key_value_heads")} ${kvHeads}.`,
    );
  if (!t.head_dim && t.hidden_size % t.num_attention_heads !== 0)
    throw new ConfigError(
      `${file}: ${key("hidden_size")} is ${t.hidden_size}, expected a multiple of ${key("num_attention_heads")} ` +
        `${t.num_attention_heads}.`,
    );
  const headDim = t.head_dim ?? t.hidden_size / t.num_attention_heads;
  if (headDim % 2 !== 0)
    throw new ConfigError(
      `${file}: the head dimension ${headDim} must be even for rotary embedding (${key("hidden_size")} / ` +
        `${key("num_attention_heads")}).`,
    );
  const ropeKey = key(t.rope_scaling ? "rope_scaling" : "rope_parameters");
  const rope = t.rope_scaling ?? t.rope_parameters ?? {};
  refuseScaledRope(rope, file, ropeKey);
  const section = rope.mrope_section ?? ([16, 24, 24] as const);
  if (section[0] + section[1] + section[2] !== headDim / 2)
    throw new ConfigError(
      `${file}: ${ropeKey}.mrope_section is ` +
        `[${section.join(", ")}]${rope.mrope_section ? "" : " (the default)"}, expected three numbers that add up ` +
        `to ${headDim / 2} (half the head dimension).`,
    );
  return {
    vocabSize: t.vocab_size,
    hiddenSize: t.hidden_size,
    intermediateSize: t.intermediate_size,
    layers: t.num_hidden_layers,
    heads: t.num_attention_heads,
    kvHeads,
    headDim,
    maxPositions: t.max_position_embeddings,
    rmsNormEps: t.rms_norm_eps,
    ropeTheta: rope.rope_theta ?? t.rope_theta ?? 1e6,
    mropeSection: section,
    // transformers: a tie declared at either level holds.
    tieWordEmbeddings: (top.tie_word_embeddings ?? false) || (t.tie_word_embeddings ?? false),
    eosTokenIds: endTokens(t.eos_token_id, top.eos_token_id),
    padTokenId: t.pad_token_id ?? null,
    samplingPadTokenId: t.pad_token_id ?? null,
  };
}

function visionConfig(raw: unknown, file: string): VisionConfig {
  const v = parseWith(visionSchema, raw, file, "vision_config");
  const fail = (key: string, value: number, expected: string): never => {
    throw new ConfigError(`${file}: vision_config.${key} is ${value}, expected ${expected}.`);
  };
  const patchSize = v.patch_size;
  if (v.hidden_size % v.num_heads !== 0) fail("hidden_size", v.hidden_size, `a multiple of num_heads ${v.num_heads}`);
  const headDim = v.hidden_size / v.num_heads;
  if (headDim % 4 !== 0)
    fail(
      "hidden_size",
      v.hidden_size,
      `a head dimension divisible by 4 (rows and columns each take half), got ${headDim}`,
    );
  const cell = patchSize * v.spatial_merge_size;
  if (v.window_size % cell !== 0)
    fail("window_size", v.window_size, `a multiple of patch_size · spatial_merge_size = ${cell}`);
  return {
    depth: v.depth,
    hiddenSize: v.hidden_size,
    intermediateSize: v.intermediate_size,
    heads: v.num_heads,
    headDim,
    inChannels: v.in_channels ?? v.in_chans ?? 3,
    patchSize,
    spatialMergeSize: v.spatial_merge_size,
    temporalPatchSize: v.temporal_patch_size,
    windowSize: v.window_size,
    outHiddenSize: v.out_hidden_size,
    // The default names four blocks; a shallower tower has none of those beyond its depth.
    fullAttentionBlocks: v.fullatt_block_indexes.filter((index) => index < v.depth),
    rmsNormEps: 1e-6,
    ropeTheta: 10000,
  };
}

/** Distinct ids within the vocabulary, which a small policy's defaults exceed. */
function visionTokenIds(top: z.output<typeof topSchema>, vocabSize: number): number[] {
  const ids = [
    top.image_token_id,
    top.video_token_id,
    top.vision_start_token_id,
    top.vision_end_token_id,
    top.vision_token_id,
  ];
  return [...new Set(ids)].filter((id) => id < vocabSize).sort((a, b) => a - b);
}

/**
 * Parse config.json (bytes, text or already parsed JSON).
 * @throws ConfigError naming `file` and each offending key.
 */
export function parseConfig(
  content: Uint8Array | string | Readonly<Record<string, unknown>>,
  file = "config.json",
): PolicyConfig {
  const json: unknown =
    content instanceof Uint8Array || typeof content === "string" ? parseJson(content, file) : content;
  const top = parseWith(topSchema, json, file, "");
  refuseQuantised(top, file);
  if (top.text_config) refuseQuantised(top.text_config, file, "text_config.");
  const text = textConfig(top.text_config ?? top, top.text_config ? "text_config" : "", top, file);
  const vision = visionConfig(top.vision_config, file);
  if (vision.outHiddenSize !== text.hiddenSize)
    throw new ConfigError(
      `${file}: vision_config.out_hidden_size is ${vision.outHiddenSize}, expected the text hidden_size ` +
        `${text.hiddenSize}.`,
    );
  for (const key of ["image_token_id", "vision_start_token_id", "vision_end_token_id"] as const) {
    if (top[key] >= text.vocabSize)
      throw new ConfigError(`${file}: ${key} is ${top[key]}, expected an id below vocab_size ${text.vocabSize}.`);
  }
  return {
    text,
    vision,
    imageTokenId: top.image_token_id,
    videoTokenId: top.video_token_id,
    visionStartTokenId: top.vision_start_token_id,
    visionEndTokenId: top.vision_end_token_id,
    visionTokenIds: visionTokenIds(top, text.vocabSize),
  };
}

/** config.json's contents with the tie of head and embedding that the weights have. */
export function withTie(
  json: Readonly<Record<string, unknown>>,
  { text: { tieWordEmbeddings } }: PolicyConfig,
): Record<string, unknown> {
  if (tieWordEmbeddings) return { ...json };
  const untied = (section: Readonly<Record<string, unknown>>): Record<string, unknown> =>
    section.tie_word_embeddings === true ? { ...section, tie_word_embeddings: false } : { ...section };
  const text = z.record(z.string(), z.unknown()).safeParse(json.text_config);
  return Object.fromEntries(
    Object.entries(untied(json)).map(([key, value]) =>
      key === "text_config" && text.success ? [key, untied(text.data)] : [key, value],
    ),
  );
}
