/** The kernels of the reference backend as compositions of stock operations, one file each (kernels/<kernel>.ts). */
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

export const referenceKernels: Kernels = {
  ...embeddingKernels,
  ...rmsNormKernels,
  ...linearKernels,
  ...loraKernels,
  ...ropeKernels,
  ...attentionKernels,
  ...kvCacheKernels,
  ...pointwiseKernels,
  ...tokenLogprobsKernels,
  ...policyLossKernels,
  ...sampleKernels,
  ...adamwKernels,
};
