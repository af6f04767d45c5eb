/**
 * The kernels every backend implements, under stable names. All matrices are row-major 2-D float32 tensors
 * [rows, columns]; indices are int32. Sequences are packed without padding: N counts rows (tokens or
 * patches) over all sequences of the batch, and attention takes row ranges that say which rows each query sees, which
 * covers causal, windowed, bidirectional, padded, cached and prefix-shared attention in one kernel.
 *
 * Conventions
 *  - A kernel that returns a Tensor allocates it; the caller disposes it.
 *  - A parameter named `into…`, or documented "accumulates", is updated in place: out += result.
 *  - Nothing uses float atomics: the same inputs give the same bits on the same backend.
 *  - Accumulation is in f32 or wider. Residual stream, norms and softmax stay in f32.
 *  - Shapes are checked; a mismatch throws an Error that names the kernel, the argument and both shapes.
 */

import type { Tensor } from "@tensorflow/tfjs-core";
import type { PolicyLossOptions } from "./policyLossOptions";

/**
 * A weight matrix of logical shape [out, in] (Hugging Face layout).
 *  f32   values [out, in]
 *  f16   packed int32 [out, in/2]: two IEEE half-precision values per word, the even column in the low 16 bits
 *  int4  packed int32 [out, in/8]: eight nibbles per word, column 8w+i in bits 4i…4i+3, value (nibble − 8)·scale;
 *        scales int32 [out, ceil(in/64)]: two f16 values per word, one scale for each 32 columns
 * `in` must be even for f16 and a multiple of 32 for int4.
 */
export type Weight =
  | { readonly format: "f32"; readonly out: number; readonly in: number; readonly values: Tensor }
  | { readonly format: "f16"; readonly out: number; readonly in: number; readonly packed: Tensor }
  | {
      readonly format: "int4";
      readonly out: number;
      readonly in: number;
      readonly packed: Tensor;
      readonly scales: Tensor;
    };

/** A block of columns [offset, offset + count) of a wider matrix (used by LoRA on fused projections). */
export interface Columns {
  readonly offset: number;
  readonly count: number;
}

export interface AttentionShape {
  readonly heads: number;
  /** Grouped-query: query head h reads key/value head floor(h · kvHeads / heads). */
  readonly kvHeads: number;
  readonly headDim: number;
  /** Column of the first query, key and value element within a row of `q` and of `kv`. */
  readonly qOffset: number;
  readonly kOffset: number;
  readonly vOffset: number;
  /** Added to every non-empty second range's end of `visible` (the decode step), default 0. */
  readonly cacheOffset?: number;
}

export interface SampleOptions {
  readonly temperature: number;
  /** Take the arg-max instead (first index on ties). */
  readonly greedy: boolean;
  /** Keep only the k most likely tokens; 0 keeps all. */
  readonly topK: number;
  /**
   * Tokens that are never drawn, greedily neither: their probability is 0 before top-k and before the draw
   * (transformers' `suppress_tokens`). Distinct, at most 8; ids beyond the vocabulary are ignored.
   */
  readonly suppressTokens: readonly number[];
  /** Counter-based random stream: the draw depends on (seed, step, row part, position in the row) and nothing else. */
  readonly seed: number;
  readonly step: number;
  /** Column of the output matrices that this call fills (0 for the first new token). */
  readonly position: number;
  /**
   * A row that has produced one of these tokens is done: later calls write `padToken`, logprob 0, entropy 0. At most 8
   * tokens.
   */
  readonly stopTokens: readonly number[];
  readonly padToken: number;
}

/** Device buffers for the sampler's results, R rows × capacity columns. */
export interface SampleBuffers {
  readonly tokens: Tensor; // int32 [R, capacity]
  // Of the policy at temperature T, over all tokens, before suppressTokens and topK: what an update recomputes
  readonly logprobs: Tensor; // f32   [R, capacity], of the sampled token
  readonly entropies: Tensor; // f32   [R, capacity], nats
  // f32 [R, capacity], log of the probability of all tokens not suppressed, 0 if none is: `logprobs` minus this is the
  // log-probability with which the token was drawn
  readonly allowed: Tensor;
  readonly next: Tensor; // int32 [R], token to feed next
  readonly done: Tensor; // int32 [R], 1 once finished
  // Int32 [R, 2], of each row's random counter: its row part, and the position that column 0 has
  readonly streams: Tensor;
}

export interface AdamWOptions {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** 1-based count of updates, for bias correction. */
  readonly updateCount: number;
  /** Clip the gradient to this global norm: g · min(1, maxNorm / (‖g‖ + 1e-6)), as torch. Infinity: off. */
  readonly maxGradNorm: number;
}

/**
 * Options that may change when recorded kernels are replayed (backend.ts `Recorder`). Each applies to every kernel in
 * the recording that has an option of that name.
 */
export interface DynamicOptions {
  /** `AttentionShape.cacheOffset`, and `cacheOffset` of copyRows and ropeToCache. */
  readonly cacheOffset?: number;
  /** For ropeToCache. */
  readonly angleRow?: number;
  /** For sample. */
  readonly seed?: number;
  readonly step?: number;
  readonly position?: number;
  /** For adamw. */
  readonly learningRate?: number;
  readonly updateCount?: number;
}

export interface Kernels {
  /**
   * Rows of `table` [V, D] selected by `ids` [N]; an id −1−k takes row k of `features` [F, D] instead
   * (image features standing in for image tokens). → [N, D]
   */
  embedding(table: Weight, features: Tensor | null, ids: Tensor): Tensor;
  /** Gradient: dTable [V, D] and dFeatures [F, D] accumulate (either may be null); deterministic order of rows. */
  embeddingGrad(dy: Tensor, ids: Tensor, intoTable: Tensor | null, intoFeatures: Tensor | null): void;

  /** y = x / sqrt(mean(x²) + eps) · weight, over rows of x [N, D]. → [N, D] */
  rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor;
  /** → dx [N, D] (+ `residual` if given: the gradient arriving past the norm); dWeight [D] accumulates. */
  rmsNormGrad(
    x: Tensor,
    weight: Tensor,
    dy: Tensor,
    eps: number,
    residual: Tensor | null,
    intoWeight: Tensor | null,
  ): Tensor;

  /** x [N, in] · Wᵀ (+ bias [out]) (+ residual [N, out]). → [N, out] */
  linear(x: Tensor, weight: Weight, bias: Tensor | null, residual: Tensor | null): Tensor;
  /** dy [N, out] · W (+ `add` [N, in]). → dx [N, in] */
  linearGradInput(dy: Tensor, weight: Weight, add: Tensor | null): Tensor;
  /** dW += dyᵀ · x ([out, in]); dBias += column sums of dy. Either target may be null. */
  linearGradWeight(x: Tensor, dy: Tensor, intoWeight: Tensor | null, intoBias: Tensor | null): void;

  /** LoRA up-projection in place: y[:, columns] += scale · h [N, r] · Bᵀ, B [count, r]. */
  loraApply(intoY: Tensor, columns: Columns, h: Tensor, b: Tensor, scale: number): void;
  /** → dh = scale · dy[:, columns] · B  [N, r]; dB += scale · dy[:, columns]ᵀ · h. */
  loraApplyGrad(dy: Tensor, columns: Columns, h: Tensor, b: Tensor, scale: number, intoB: Tensor | null): Tensor;

  /**
   * Rotary position embedding in place on the first `heads` heads (of `headDim` columns each) of every row
   * of x [N, ≥ heads·headDim]: rotate-half pairing (i, i + headDim/2), angle tables cos, sin [N, headDim/2].
   * `inverse` rotates back (the gradient). M-RoPE differs only in how the caller fills the tables.
   */
  rope(intoX: Tensor, cos: Tensor, sin: Tensor, heads: number, headDim: number, inverse: boolean): void;

  /**
   * Scaled dot-product attention, scale 1/sqrt(headDim). Query row n sees the rows [v0, v1) and then [v2, v3)
   * of `kv`, v = visible [Nq, 4] int32 (absolute rows; an empty range has end ≤ start). A query that sees nothing gives
   * 0. `q` and `kv` may be the same fused qkv matrix. `kv` may be an f16 cache (cacheF16.ts): offsets still count
   * columns and must be multiples of 4. → out [Nq, heads·headDim], lse [Nq, heads]
   */
  attention(q: Tensor, kv: Tensor, visible: Tensor, shape: AttentionShape): { out: Tensor; lse: Tensor };
  /**
   * Self-attention gradient for a fused qkv [N, (heads + 2·kvHeads)·headDim] laid out q|k|v.
   * seenBy [N, 2] int32: key row j is seen by query rows in [s0, s1) — exactly those whose visible ranges
   * contain j (packing keeps them contiguous). → dQkv, same shape as qkv.
   */
  attentionGrad(
    qkv: Tensor,
    visible: Tensor,
    seenBy: Tensor,
    out: Tensor,
    lse: Tensor,
    dOut: Tensor,
    shape: AttentionShape,
  ): Tensor;

  /**
   * KV cache: row r of x, columns `columns`, is copied to row `rows[r] + cacheOffset` of `into` [C, columns.count].
   * rows [N] int32; negative: skipped.
   */
  copyRows(x: Tensor, columns: Columns, rows: Tensor, cacheOffset: number, into: Tensor): void;

  /**
   * The decode step's `rope` and `copyRows` in one: queries and keys of a fused qkv [N, (heads + 2·kvHeads)·headDim]
   * (laid out q|k|v) are rotated in place, then k|v of row r is copied to row `rows[r] + cacheOffset` of `into` [C,
   * 2·kvHeads·headDim]; negative: skipped. Row r uses the angles in row `angleRow + r` of cos, sin [≥ angleRow + N,
   * headDim/2]. `into` may be an f16 cache (cacheF16.ts) where headDim is a multiple of 4.
   */
  ropeToCache(
    intoQkv: Tensor,
    cos: Tensor,
    sin: Tensor,
    angleRow: number,
    shape: AttentionShape,
    rows: Tensor,
    cacheOffset: number,
    into: Tensor,
  ): void;

  /** gateUp [N, 2F] laid out gate|up → silu(gate)·up [N, F] */
  swiglu(gateUp: Tensor): Tensor;
  /** → dGateUp [N, 2F] */
  swigluGrad(gateUp: Tensor, dy: Tensor): Tensor;
  /** Exact (erf) GELU, absolute error ≤ 1e-6. */
  gelu(x: Tensor): Tensor;
  geluGrad(x: Tensor, dy: Tensor): Tensor;
  /** a + b, same shape. */
  add(a: Tensor, b: Tensor): Tensor;
  /** x := value everywhere. */
  fill(intoX: Tensor, value: number): void;

  /**
   * Fused linear + log-softmax at given targets, logits = hidden · Wᵀ / temperature, never stored as [N, V].
   * targets [N] int32; −1 skips a row (zeros). → logprob, lse, entropy, each [N]
   */
  tokenLogprobs(
    hidden: Tensor,
    head: Weight,
    targets: Tensor,
    temperature: number,
  ): { logprob: Tensor; lse: Tensor; entropy: Tensor };
  /** Given dLogprob [N]: → dHidden [N, D]; dHead [V, D] accumulates. Logits are recomputed. */
  tokenLogprobsGrad(
    hidden: Tensor,
    head: Weight,
    targets: Tensor,
    lse: Tensor,
    dLogprob: Tensor,
    temperature: number,
    intoHead: Tensor | null,
  ): Tensor;

  /**
   * Policy-gradient objective per token row. weight [N] carries the aggregation (e.g. 1/(B·len) for the mean of
   * sequence means; 0 masks the row, before any exp). loss = Σ w·(surrogate + β·KL estimate). The arithmetic in
   * float64 is src/srpo/objective.ts; the tests compare every variant with it.
   * @param sequences int32 [N, 2], needed at sequence level only: the rows [first, end) of the response that a row
   *   belongs to; all rows of a response have the same weight
   * → dLogprob [N], stats [8] in the order of POLICY_LOSS_STATS
   */
  policyLoss(
    logprob: Tensor,
    oldLogprob: Tensor,
    refLogprob: Tensor,
    advantage: Tensor,
    weight: Tensor,
    sequences: Tensor | null,
    options: PolicyLossOptions,
  ): { dLogprob: Tensor; stats: Tensor };

  /**
   * Next token of each row from logits [R, V], into `buffers` (in place, on the device). Same draw rule in all
   * backends: see random.ts.
   */
  sample(logits: Tensor, buffers: SampleBuffers, options: SampleOptions): void;

  /** Σ x² over a flat buffer, deterministic tree. → [1] */
  sumSquares(x: Tensor): Tensor;
  /**
   * One AdamW update over flat buffers (all [P]), with the clip factor taken on the device from `gradSquares` [1] =
   * Σ g². All or nothing: if that sum, or any weight or moment that would be written, is not finite, nothing is
   * written. → [1] 0 where the update was written, NaN where it was not: the caller sees it in its one read-back and
   * refuses the step.
   */
  adamw(
    intoTheta: Tensor,
    grad: Tensor,
    intoM: Tensor,
    intoV: Tensor,
    gradSquares: Tensor,
    options: AdamWOptions,
  ): Tensor;
}
