/** The WebGPU backend's kernels under their stable names: each family lives in its own file. */
import type { Kernels } from "../kernels";
import type { KernelDispatcher } from "./dispatch";
import { AdamwKernels } from "./kernels/adamw";
import { AttentionKernels } from "./kernels/attention";
import { EmbeddingKernels } from "./kernels/embedding";
import { KvCacheKernels } from "./kernels/kvCache";
import { LinearKernels } from "./kernels/linear";
import { LoraKernels } from "./kernels/lora";
import { PointwiseKernels } from "./kernels/pointwise";
import { PolicyLossKernels } from "./kernels/policyLoss";
import { RmsNormKernels } from "./kernels/rmsNorm";
import { RopeKernels } from "./kernels/rope";
import { SampleKernels } from "./kernels/sample";
import { TokenLogprobsKernels } from "./kernels/tokenLogprobs";
import type { TensorAllocator } from "./storage";

export function webGpuKernels(dispatcher: KernelDispatcher, storage: TensorAllocator): Kernels {
  const embedding = new EmbeddingKernels(dispatcher, storage);
  const rmsNorm = new RmsNormKernels(dispatcher, storage);
  const linear = new LinearKernels(dispatcher, storage);
  const lora = new LoraKernels(dispatcher, storage);
  const rope = new RopeKernels(dispatcher);
  const kvCache = new KvCacheKernels(dispatcher);
  const attention = new AttentionKernels(dispatcher, storage);
  const pointwise = new PointwiseKernels(dispatcher, storage);
  const tokenLogprobs = new TokenLogprobsKernels(dispatcher, storage, linear);
  const policyLoss = new PolicyLossKernels(dispatcher, storage);
  const sample = new SampleKernels(dispatcher);
  const adamw = new AdamwKernels(dispatcher, storage);
  return {
    embedding: (...args) => embedding.embedding(...args),
    embeddingGrad: (...args) => embedding.embeddingGrad(...args),
    rmsNorm: (...args) => rmsNorm.rmsNorm(...args),
    rmsNormGrad: (...args) => rmsNorm.rmsNormGrad(...args),
    linear: (...args) => linear.linear(...args),
    linearGradInput: (...args) => linear.linearGradInput(...args),
    linearGradWeight: (...args) => linear.linearGradWeight(...args),
    loraApply: (...args) => lora.loraApply(...args),
    loraApplyGrad: (...args) => lora.loraApplyGrad(...args),
    rope: (...args) => rope.rope(...args),
    copyRows: (...args) => kvCache.copyRows(...args),
    ropeToCache: (...args) => kvCache.ropeToCache(...args),
    attention: (...args) => attention.attention(...args),
    attentionGrad: (...args) => attention.attentionGrad(...args),
    swiglu: (...args) => pointwise.swiglu(...args),
    swigluGrad: (...args) => pointwise.swigluGrad(...args),
    gelu: (...args) => pointwise.gelu(...args),
    geluGrad: (...args) => pointwise.geluGrad(...args),
    add: (...args) => pointwise.add(...args),
    fill: (...args) => pointwise.fill(...args),
    tokenLogprobs: (...args) => tokenLogprobs.tokenLogprobs(...args),
    tokenLogprobsGrad: (...args) => tokenLogprobs.tokenLogprobsGrad(...args),
    policyLoss: (...args) => policyLoss.policyLoss(...args),
    sample: (...args) => sample.sample(...args),
    sumSquares: (...args) => adamw.sumSquares(...args),
    adamw: (...args) => adamw.adamw(...args),
  };
}
