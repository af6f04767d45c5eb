/**
 * The text decoder of Qwen2.5-VL over packed rows: RMSNorm, grouped-query attention with M-RoPE, SwiGLU.
 * Follows transformers 5.18 (`Qwen2_5_VLTextModel`). Departures: q, k, v are one matrix, gate and up another;
 * sequences are packed, so there are no padded rows and no masks (packing.ts, kernels.ts `attention`).
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { AttentionShape } from "../../tensor/kernels";
import { attention, fusedShape, type RopeTables, rope, type Visibility } from "../../tensor/ops/attention";
import { rmsNorm, swiglu } from "../../tensor/ops/elementwise";
import { type LinearParameters, linear } from "../../tensor/ops/linear";
import { embedding } from "../../tensor/ops/rows";
import type { MatrixParameter, ParameterSet, VectorParameter } from "../../tensor/parameters";
import type { Tape } from "../../tensor/tape";
import type { TextConfig } from "../checkpoint/config";
import { key } from "./layout";
import type { LoraAdapter } from "./lora";

/**
 * Keys and values of earlier rows, one tensor per layer [rows, 2·kvHeads·headDim], laid out k|v; in f32 or in f16
 * (cacheF16.ts).
 */
export interface KvCache {
  readonly layers: readonly Tensor[];
  /** Cache row that each input row's keys and values go to [N] int32 (plus `cacheOffset`). */
  readonly rows: Tensor;
  /** Prefill: the input rows see each other and are only stored; otherwise they see cache rows. */
  readonly prefill: boolean;
  /** Decode step: added to `rows` and to the ends of the second visible ranges. */
  readonly cacheOffset: number;
  /** Row of the angle tables for the first input row (0 in prefill). */
  readonly angleRow: number;
}

interface Layer {
  readonly norm1: VectorParameter;
  readonly norm2: VectorParameter;
  readonly qkv: LinearParameters;
  readonly o: LinearParameters;
  readonly gateUp: LinearParameters;
  readonly down: LinearParameters;
}

export class Decoder {
  readonly table: MatrixParameter;
  /** The output head: the embedding table itself when tied. */
  readonly head: MatrixParameter;
  readonly shape: AttentionShape;
  private readonly layers: readonly Layer[];
  private readonly norm: VectorParameter;

  /** @param recompute recompute layers in the backward pass instead of keeping their activations (tape.ts) */
  constructor(
    private readonly config: TextConfig,
    parameters: ParameterSet,
    lora: LoraAdapter | null,
    private readonly recompute = false,
  ) {
    this.shape = fusedShape(config.heads, config.kvHeads, config.headDim);
    this.table = parameters.matrix(key.embedding);
    this.head = parameters.matrix(config.tieWordEmbeddings ? key.embedding : key.head);
    this.norm = parameters.vector(key.finalNorm);
    this.layers = Array.from({ length: config.layers }, (_, i) => {
      const layer = key.layer(i);
      const dense = (weight: string, bias: string | null): LinearParameters => ({
        matrix: parameters.matrix(`${layer}.${weight}`),
        bias: bias === null ? null : parameters.vector(`${layer}.${bias}`),
        lora: lora?.blocks(i, weight) ?? [],
      });
      return {
        norm1: parameters.vector(`${layer}.input_layernorm.weight`),
        norm2: parameters.vector(`${layer}.post_attention_layernorm.weight`),
        qkv: dense("self_attn.qkv.weight", "self_attn.qkv.bias"),
        o: dense("self_attn.o_proj.weight", null),
        gateUp: dense("mlp.gate_up.weight", null),
        down: dense("mlp.down_proj.weight", null),
      };
    });
  }

  embed(tape: Tape, ids: Tensor, features: Tensor | null): Tensor {
    return embedding(tape, this.table, features, ids);
  }

  /** All layers over rows that see each other. x [N, D] → [N, D], before the final norm. */
  forward(tape: Tape, x: Tensor, angles: RopeTables, rows: Visibility): Tensor {
    const run = (on: Tape, stream: Tensor, layer: Layer): Tensor => {
      const normed = rmsNorm(on, stream, layer.norm1, this.config.rmsNormEps);
      const qkv = linear(on, normed, layer.qkv);
      rope(on, qkv, angles, this.shape);
      const attended = attention(on, qkv, rows, this.shape);
      on.release(normed, qkv);
      return this.finishLayer(on, stream, attended, layer);
    };
    return this.layers.reduce(
      (stream, layer) =>
        this.recompute ? tape.recomputed(stream, (on) => run(on, stream, layer)) : run(tape, stream, layer),
      x,
    );
  }

  /**
   * All layers for generation, without gradients: keys and values go into the cache. `visible` [N, 4] counts
   * input rows in prefill, cache rows afterwards. x [N, D] → [N, D], before the final norm (prefill: meaningless).
   */
  generateForward(tape: Tape, x: Tensor, angles: RopeTables, visible: Tensor, cache: KvCache): Tensor {
    const { kernels } = tape.backend;
    const { heads, kvHeads, headDim } = this.shape;
    const cached: AttentionShape = {
      heads,
      kvHeads,
      headDim,
      qOffset: 0,
      kOffset: 0,
      vOffset: kvHeads * headDim,
      cacheOffset: cache.cacheOffset,
    };
    return this.layers.reduce((stream, layer, i) => {
      const kv = cache.layers[i];
      if (kv === undefined)
        throw new Error(`The KV cache has ${cache.layers.length} layers, the decoder ${this.layers.length}.`);
      const normed = rmsNorm(tape, stream, layer.norm1, this.config.rmsNormEps);
      const qkv = linear(tape, normed, layer.qkv);
      kernels.ropeToCache(qkv, angles.cos, angles.sin, cache.angleRow, this.shape, cache.rows, cache.cacheOffset, kv);
      if (cache.prefill && i === this.layers.length - 1) {
        tape.release(normed, qkv);
        return stream; // only a prompt's keys and values are needed
      }
      const { out, lse } = cache.prefill
        ? kernels.attention(qkv, qkv, visible, this.shape)
        : kernels.attention(qkv, kv, visible, cached);
      lse.dispose();
      tape.own(out);
      tape.release(normed, qkv);
      return this.finishLayer(tape, stream, out, layer);
    }, x);
  }

  /** The final norm. [N, D] → [N, D]. */
  finalNorm(tape: Tape, x: Tensor): Tensor {
    return rmsNorm(tape, x, this.norm, this.config.rmsNormEps);
  }

  /** Output projection and MLP of one layer, each added to the stream. */
  private finishLayer(tape: Tape, stream: Tensor, attended: Tensor, layer: Layer): Tensor {
    const middle = linear(tape, attended, layer.o, stream);
    tape.release(attended, stream);
    const normed = rmsNorm(tape, middle, layer.norm2, this.config.rmsNormEps);
    const gateUp = linear(tape, normed, layer.gateUp);
    const inner = swiglu(tape, gateUp);
    const out = linear(tape, inner, layer.down, middle);
    tape.release(normed, gateUp, inner, middle);
    return out;
  }
}
