/**
 * Where a kernel's code is: its three versions, and the AssemblyScript behind the wasm one, are in files of one name,
 * {webgpu,wasm,reference}/kernels/<file>.ts and wasm/assembly/<file>.ts.
 */
import type { Kernels } from "./kernels";

export const KERNEL_FILES = {
  embedding: "embedding",
  embeddingGrad: "embedding",
  rmsNorm: "rmsNorm",
  rmsNormGrad: "rmsNorm",
  linear: "linear",
  linearGradInput: "linear",
  linearGradWeight: "linear",
  loraApply: "lora",
  loraApplyGrad: "lora",
  rope: "rope",
  attention: "attention",
  attentionGrad: "attention",
  copyRows: "kvCache",
  ropeToCache: "kvCache",
  swiglu: "pointwise",
  swigluGrad: "pointwise",
  gelu: "pointwise",
  geluGrad: "pointwise",
  add: "pointwise",
  fill: "pointwise",
  tokenLogprobs: "tokenLogprobs",
  tokenLogprobsGrad: "tokenLogprobs",
  policyLoss: "policyLoss",
  sample: "sample",
  sumSquares: "adamw",
  adamw: "adamw",
} as const satisfies Record<keyof Kernels, string>;

export type KernelFile = (typeof KERNEL_FILES)[keyof Kernels];
