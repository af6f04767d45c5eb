/**
 * Tensor names of a Qwen2.5-VL checkpoint. There are two layouts: `model.layers…`, `visual…` (as published, and what we
 * write) and `model.language_model.layers…`, `model.visual…` (transformers' module names). The first is canonical.
 */
import type { PolicyConfig } from "./config";

/** The canonical name of a tensor named in either layout. */
export function canonicalName(name: string): string {
  return name.replace(/^model\.language_model\./, "model.").replace(/^model\.visual\./, "visual.");
}

/** transformers' module name of a canonical name (used in reference gradients and adapters). */
export function moduleName(canonical: string): string {
  if (canonical.startsWith("visual.")) return `model.${canonical}`;
  return canonical.replace(/^model\./, "model.language_model.");
}

/** Every tensor that a checkpoint of this configuration holds, with its shape on disk, in canonical names. */
export function expectedTensors(config: PolicyConfig): Map<string, readonly number[]> {
  const { text, vision } = config;
  const tensors = new Map<string, readonly number[]>();
  const linear = (name: string, out: number, columns: number, bias: boolean): void => {
    tensors.set(`${name}.weight`, [out, columns]);
    if (bias) tensors.set(`${name}.bias`, [out]);
  };

  tensors.set("model.embed_tokens.weight", [text.vocabSize, text.hiddenSize]);
  for (let layer = 0; layer < text.layers; layer++) {
    const at = `model.layers.${layer}`;
    tensors.set(`${at}.input_layernorm.weight`, [text.hiddenSize]);
    linear(`${at}.self_attn.q_proj`, text.heads * text.headDim, text.hiddenSize, true);
    linear(`${at}.self_attn.k_proj`, text.kvHeads * text.headDim, text.hiddenSize, true);
    linear(`${at}.self_attn.v_proj`, text.kvHeads * text.headDim, text.hiddenSize, true);
    linear(`${at}.self_attn.o_proj`, text.hiddenSize, text.heads * text.headDim, false);
    tensors.set(`${at}.post_attention_layernorm.weight`, [text.hiddenSize]);
    linear(`${at}.mlp.gate_proj`, text.intermediateSize, text.hiddenSize, false);
    linear(`${at}.mlp.up_proj`, text.intermediateSize, text.hiddenSize, false);
    linear(`${at}.mlp.down_proj`, text.hiddenSize, text.intermediateSize, false);
  }
  tensors.set("model.norm.weight", [text.hiddenSize]);
  if (!text.tieWordEmbeddings) tensors.set("lm_head.weight", [text.vocabSize, text.hiddenSize]);

  tensors.set("visual.patch_embed.proj.weight", [
    vision.hiddenSize,
    vision.inChannels,
    vision.temporalPatchSize,
    vision.patchSize,
    vision.patchSize,
  ]);
  for (let block = 0; block < vision.depth; block++) {
    const at = `visual.blocks.${block}`;
    tensors.set(`${at}.norm1.weight`, [vision.hiddenSize]);
    tensors.set(`${at}.norm2.weight`, [vision.hiddenSize]);
    linear(`${at}.attn.qkv`, 3 * vision.hiddenSize, vision.hiddenSize, true);
    linear(`${at}.attn.proj`, vision.hiddenSize, vision.hiddenSize, true);
    linear(`${at}.mlp.gate_proj`, vision.intermediateSize, vision.hiddenSize, true);
    linear(`${at}.mlp.up_proj`, vision.intermediateSize, vision.hiddenSize, true);
    linear(`${at}.mlp.down_proj`, vision.hiddenSize, vision.intermediateSize, true);
  }
  const merged = vision.hiddenSize * vision.spatialMergeSize ** 2;
  tensors.set("visual.merger.ln_q.weight", [vision.hiddenSize]);
  linear("visual.merger.mlp.0", merged, merged, true);
  linear("visual.merger.mlp.2", vision.outHiddenSize, merged, true);
  return tensors;
}

/** Tensors that some checkpoints carry and no model reads: rotary buffers. */
export function isIgnorable(canonical: string): boolean {
  return canonical.endsWith(".inv_freq");
}
