/**
 * The work of each kernel at the nano policy's sizes, a micro-batch of 32 sequences of 64 tokens (the decode step's
 * kernels: 128 rows): the minimum number of bytes it must move (every input read once, every output written once, every
 * accumulated target both), and the floating-point operations in its definition (a fused multiply-add counts as two;
 * exp, log, sqrt count as one).
 */
import type { Kernels } from "../tensor/kernels";

export const SIZES = {
  rows: 2048,
  sequence: 64,
  responses: 128,
  hidden: 128,
  heads: 4,
  headDim: 32,
  inner: 320,
  vocabulary: 150,
  rank: 8,
  parameters: 860_000,
} as const;
const {
  rows: N,
  sequence: T,
  responses: R,
  hidden: D,
  heads: H,
  headDim,
  inner: F,
  vocabulary: V,
  rank,
  parameters: P,
} = SIZES;

export type KernelName = keyof Kernels;

export interface KernelWork {
  readonly bytes: number;
  readonly flops: number;
}

/** `floats` values of four bytes each. */
const work = (floats: number, flops: number): KernelWork => ({ bytes: 4 * floats, flops });

/** Query–key pairs of causal attention over all sequences and heads. */
const PAIRS = (N / T) * H * ((T * (T + 1)) / 2);

/** In the order of kernels.ts. A kernel without a row here and in ours/kernel.ts does not compile. */
export const KERNEL_WORK: Readonly<Record<KernelName, KernelWork>> = {
  embedding: work(N + 2 * N * D, 0),
  embeddingGrad: work(N + N * D + 2 * V * D, N * D),
  rmsNorm: work(2 * N * D + D, 4 * N * D),
  rmsNormGrad: work(3 * N * D + 3 * D, 9 * N * D),
  linear: work(N * D + 2 * F * D + 2 * F + N * 2 * F, 2 * N * D * 2 * F),
  linearGradInput: work(N * 2 * F + 2 * F * D + N * D, 2 * N * D * 2 * F),
  linearGradWeight: work(N * D + N * 2 * F + 2 * 2 * F * D + 2 * 2 * F, 2 * N * D * 2 * F + N * 2 * F),
  loraApply: work(2 * N * D + N * rank + D * rank, 2 * N * D * rank),
  loraApplyGrad: work(N * D + 2 * N * rank + 3 * D * rank, 4 * N * D * rank),
  rope: work(4 * N * D + N * headDim, 6 * N * D),
  attention: work(3 * N * D + 4 * N + N * D + N * H, PAIRS * (4 * headDim + 5)),
  attentionGrad: work(3 * N * D + 6 * N + 2 * N * D + N * H + 3 * N * D, PAIRS * (10 * headDim + 8)),
  copyRows: work(4 * N * D + N, 0),
  // Queries, keys and values read; queries and keys written; keys and values written to the cache.
  ropeToCache: work(7 * R * D + R * headDim + R, 6 * R * D),
  swiglu: work(3 * N * F, 5 * N * F),
  swigluGrad: work(5 * N * F, 10 * N * F),
  gelu: work(2 * N * F, 12 * N * F),
  geluGrad: work(3 * N * F, 16 * N * F),
  add: work(3 * N * D, N * D),
  fill: work(P, 0),
  tokenLogprobs: work(N * D + V * D + N + 3 * N, 2 * N * D * V + 6 * N * V),
  tokenLogprobsGrad: work(N * D + 3 * V * D + 3 * N + N * D, 6 * N * D * V + 4 * N * V),
  policyLoss: work(6 * N, 20 * N),
  sample: work(R * V + 4 * R, 6 * R * V),
  sumSquares: work(P, 2 * P),
  // Read once to see whether all new values are finite, then read and written.
  adamw: work(4 * P + 7 * P, 14 * P + 14 * P),
};

export const KERNEL_NAMES = Object.keys(KERNEL_WORK) as readonly KernelName[];
