/**
 * The parameters of a Qwen2.5-VL policy: which tensors there are, under which names on disk, how they are fused
 * for the kernels (q|k|v and gate|up stacked by rows), and which of them are trained.
 */

import { fitsFormat, type WeightFormat } from "../../tensor/packedWeight";
import type { ParameterGroup, ParameterPart } from "../../tensor/parameters";
import type { PolicyConfig } from "../checkpoint/config";

export interface LayoutOptions {
  readonly trainable: "all" | "language" | "none";
  /**
   * Storage of frozen matrices (default f32). With int4 the embedding table, the head and the tower are f16; a matrix
   * whose row length does not suit its format gets the next wider one. Norms and biases stay f32.
   */
  readonly frozenFormat?: WeightFormat;
}

/** Keys of the fused groups, beside the names on disk of all others. */
export const key = {
  embedding: "model.embed_tokens.weight",
  finalNorm: "model.norm.weight",
  head: "lm_head.weight",
  layer: (i: number) => `model.layers.${i}`,
  block: (i: number) => `visual.blocks.${i}`,
  patchEmbed: "visual.patch_embed.proj.weight",
  merger: "visual.merger",
};

/** All groups in the order of the forward pass. */
export function parameterGroups(config: PolicyConfig, options: LayoutOptions): ParameterGroup[] {
  return [...visionGroups(config, options), ...languageGroups(config, options)];
}

function languageGroups({ text }: PolicyConfig, options: LayoutOptions): ParameterGroup[] {
  const { hiddenSize: d, intermediateSize: f, vocabSize } = text;
  const q = text.heads * text.headDim;
  const kv = text.kvHeads * text.headDim;
  const make = maker(options.trainable !== "none", options.frozenFormat);
  const wide = maker(options.trainable !== "none", atLeastF16(options.frozenFormat));
  const groups = [wide.matrix(key.embedding, [{ name: key.embedding, shape: [vocabSize, d] }])];
  for (let i = 0; i < text.layers; i++) {
    const layer = key.layer(i);
    groups.push(
      make.vector(`${layer}.input_layernorm.weight`, [d]),
      make.matrix(
        `${layer}.self_attn.qkv.weight`,
        ["q", "k", "v"].map((p) => ({ name: `${layer}.self_attn.${p}_proj.weight`, shape: [p === "q" ? q : kv, d] })),
      ),
      make.stackedVector(
        `${layer}.self_attn.qkv.bias`,
        ["q", "k", "v"].map((p) => ({ name: `${layer}.self_attn.${p}_proj.bias`, shape: [p === "q" ? q : kv] })),
      ),
      make.matrix(`${layer}.self_attn.o_proj.weight`, [{ name: `${layer}.self_attn.o_proj.weight`, shape: [d, q] }]),
      make.vector(`${layer}.post_attention_layernorm.weight`, [d]),
      make.matrix(
        `${layer}.mlp.gate_up.weight`,
        ["gate", "up"].map((p) => ({ name: `${layer}.mlp.${p}_proj.weight`, shape: [f, d] })),
      ),
      make.matrix(`${layer}.mlp.down_proj.weight`, [{ name: `${layer}.mlp.down_proj.weight`, shape: [d, f] }]),
    );
  }
  groups.push(make.vector(key.finalNorm, [d]));
  if (!text.tieWordEmbeddings) groups.push(wide.matrix(key.head, [{ name: key.head, shape: [vocabSize, d] }]));
  return groups;
}

function visionGroups({ vision }: PolicyConfig, options: LayoutOptions): ParameterGroup[] {
  const { hiddenSize: d, intermediateSize: f } = vision;
  const merged = d * vision.spatialMergeSize ** 2;
  const make = maker(options.trainable === "all", atLeastF16(options.frozenFormat));
  const single = (name: string, shape: readonly number[]): ParameterGroup => make.matrix(name, [{ name, shape }]);
  const groups = [
    single(key.patchEmbed, [d, vision.inChannels, vision.temporalPatchSize, vision.patchSize, vision.patchSize]),
  ];
  for (let i = 0; i < vision.depth; i++) {
    const block = key.block(i);
    groups.push(
      make.vector(`${block}.norm1.weight`, [d]),
      single(`${block}.attn.qkv.weight`, [3 * d, d]),
      make.vector(`${block}.attn.qkv.bias`, [3 * d]),
      single(`${block}.attn.proj.weight`, [d, d]),
      make.vector(`${block}.attn.proj.bias`, [d]),
      make.vector(`${block}.norm2.weight`, [d]),
      make.matrix(
        `${block}.mlp.gate_up.weight`,
        ["gate", "up"].map((p) => ({ name: `${block}.mlp.${p}_proj.weight`, shape: [f, d] })),
      ),
      make.stackedVector(
        `${block}.mlp.gate_up.bias`,
        ["gate", "up"].map((p) => ({ name: `${block}.mlp.${p}_proj.bias`, shape: [f] })),
      ),
      single(`${block}.mlp.down_proj.weight`, [d, f]),
      make.vector(`${block}.mlp.down_proj.bias`, [d]),
    );
  }
  groups.push(
    make.vector(`${key.merger}.ln_q.weight`, [d]),
    single(`${key.merger}.mlp.0.weight`, [merged, merged]),
    make.vector(`${key.merger}.mlp.0.bias`, [merged]),
    single(`${key.merger}.mlp.2.weight`, [vision.outHiddenSize, merged]),
    make.vector(`${key.merger}.mlp.2.bias`, [vision.outHiddenSize]),
  );
  return groups;
}

/** int4 is for the decoder's layers only: the table, the head and the tower lose too much accuracy. */
function atLeastF16(format: WeightFormat | undefined): WeightFormat | undefined {
  return format === "int4" ? "f16" : format;
}

const NARROWEST_FIRST: readonly WeightFormat[] = ["int4", "f16", "f32"];

function maker(trainable: boolean, frozenFormat: WeightFormat | undefined) {
  const formats = NARROWEST_FIRST.slice(NARROWEST_FIRST.indexOf(frozenFormat ?? "f32"));
  return {
    matrix: (groupKey: string, parts: readonly ParameterPart[]): ParameterGroup => {
      const columns = parts[0]?.shape.slice(1).reduce((a, b) => a * b, 1) ?? 0;
      return {
        key: groupKey,
        parts,
        trainable,
        format: formats.find((format) => fitsFormat(columns, format)) ?? "f32",
      };
    },
    /** One tensor that stays f32. */
    vector: (name: string, shape: readonly number[]): ParameterGroup => ({
      key: name,
      parts: [{ name, shape }],
      trainable,
    }),
    stackedVector: (groupKey: string, parts: readonly ParameterPart[]): ParameterGroup => ({
      key: groupKey,
      parts,
      trainable,
    }),
  };
}
