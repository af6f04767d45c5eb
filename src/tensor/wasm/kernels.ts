/** The kernels of the wasm backend, one file each (kernels/<kernel>.ts; the code they call in assembly/<kernel>.ts). */
import type { Kernels } from "../kernels";
import { adamwKernels } from "./kernels/adamw";
import { attentionKernels } from "./kernels/attention";
import { embeddingKernels } from "./kernels/embedding";
import { kvCacheKernels } from "./kernels/kvCache";
import { linearKernels } from "./kernels/linear";
import { loraKernels } from "./kernels/lora";
import { pointwiseKernels } from "./kernels/pointwise";
import { policyLossKernels } from "./kernels/policyLoss";
import { rmsNormKernels } from "./kernels/rmsNorm";
import { ropeKernels } from "./kernels/rope";
import { sampleKernels } from "./kernels/sample";
import { tokenLogprobsKernels } from "./kernels/tokenLogprobs";
import type { WasmMemory } from "./memory";

export function wasmKernels(memory: WasmMemory): Kernels {
  return {
    ...embeddingKernels(memory),
    ...rmsNormKernels(memory),
    ...linearKernels(memory),
    ...loraKernels(memory),
    ...ropeKernels(memory),
    ...attentionKernels(memory),
    ...kvCacheKernels(memory),
    ...pointwiseKernels(memory),
    ...tokenLogprobsKernels(memory),
    ...policyLossKernels(memory),
    ...sampleKernels(memory),
    ...adamwKernels(memory),
  };
}
