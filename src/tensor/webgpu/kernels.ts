/** The WebGPU backend's kernels under their stable names: each family lives in its own file. */
import type { Kernels } from "../kernels";
import type { Dispatcher } from "./dispatch";
import { AttentionKernels } from "./kernels/attention";
import { EmbeddingKernels } from "./kernels/embedding";
import { LinearKernels } from "./kernels/linear";
import { LoraKernels } from "./kernels/lora";
import { OptimiserKernels } from "./kernels/optimiser";
import { PointwiseKernels } from "./kernels/pointwise";
import { PolicyLossKernels } from "./kernels/policyLoss";
import { NormKernels } from "./kernels/rmsNorm";
import { RowKernels } from "./kernels/rows";
import { SampleKernels } from "./kernels/sample";
import { HeadKernels } from "./kernels/tokenLogprobs";
import type { Storage } from "./storage";

export function webGpuKernels(dispatcher: Dispatcher, storage: Storage): Kernels {
  const embedding = new EmbeddingKernels(dispatcher, storage);
  const norm = new NormKernels(dispatcher, storage);
  const linear = new LinearKernels(dispatcher, storage);
  const lora = new LoraKernels(dispatcher, storage);
  const rows = new RowKernels(dispatcher);
  const attention = new AttentionKernels(dispatcher, storage);
  const pointwise = new PointwiseKernels(dispatcher, storage);
  const head = new HeadKernels(dispatcher, storage, linear);
  const policyLoss = new PolicyLossKernels(dispatcher, storage);
  const sample = new SampleKernels(dispatcher);
  const optimiser = new OptimiserKernels(dispatcher, storage);
  return {
    embedding: (...args) => embedding.embedding(...args),
    embeddingGrad: (...args) => embedding.embeddingGrad(...args),
    rmsNorm: (...args) => norm.rmsNorm(...args),
    rmsNormGrad: (...args) => norm.rmsNormGrad(...args),
    linear: (...args) => linear.linear(...args),
    linearGradInput: (...args) => linear.linearGradInput(...args),
    linearGradWeight: (...args) => linear.linearGradWeight(...args),
    loraApply: (...args) => lora.loraApply(...args),
    loraApplyGrad: (...args) => lora.loraApplyGrad(...args),
    rope: (...args) => rows.rope(...args),
    copyRows: (...args) => rows.copyRows(...args),
    ropeToCache: (...args) => rows.ropeToCache(...args),
    attention: (...args) => attention.attention(...args),
    attentionGrad: (...args) => attention.attentionGrad(...args),
    swiglu: (...args) => pointwise.swiglu(...args),
    swigluGrad: (...args) => pointwise.swigluGrad(...args),
    gelu: (...args) => pointwise.gelu(...args),
    geluGrad: (...args) => pointwise.geluGrad(...args),
    add: (...args) => pointwise.add(...args),
    fill: (...args) => pointwise.fill(...args),
    tokenLogprobs: (...args) => head.tokenLogprobs(...args),
    tokenLogprobsGrad: (...args) => head.tokenLogprobsGrad(...args),
    policyLoss: (...args) => policyLoss.policyLoss(...args),
    sample: (...args) => sample.sample(...args),
    sumSquares: (...args) => optimiser.sumSquares(...args),
    adamw: (...args) => optimiser.adamw(...args),
  };
}
