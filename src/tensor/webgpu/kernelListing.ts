/**
 * The WGSL that the kernels generate, without a device: every kernel runs on a stand-in for the dispatcher that keeps
 * the code and dispatches nothing, once for each kind of adapter and each matmul variant. The shapes below are chosen
 * to bring about every variant; where the code depends on a head's width or a block's rows, a few of them stand for
 * all.
 */
import { type Tensor, tidy } from "@tensorflow/tfjs-core";
import type { Backend } from "../backend";
import { KERNEL_FILES, type KernelFile } from "../kernelFiles";
import type { Kernels, Weight } from "../kernels";
import { emptyWeight, WEIGHT_FORMATS } from "../packedWeight";
import type { SurrogateOptions } from "../policyLossOptions";
import { openReferenceBackend } from "../reference/backend";
import { type AdapterTraits, adapterTraits } from "./device";
import type { KernelDispatcher, KernelHandle } from "./dispatch";
import type { KernelSpec } from "./kernelSpec";
import { shaderCode } from "./kernelSpec";
import { webGpuKernels } from "./kernels";
import { MatmulVariants, offeredVariants, uniformTable } from "./kernels/matmul/choice";
import { orderAsTemplate } from "./kernels/matmul/fragments";
import type { MatmulAdapter } from "./kernels/matmul/variant";

/** One WGSL module and the adapters that get it. */
export interface ListedKernel {
  readonly name: string;
  readonly adapters: readonly string[];
  readonly code: string;
}

/** Arguments for the kernels' calls: zeros on the reference backend. */
interface Arguments {
  readonly kernels: Kernels;
  f32(...shape: number[]): Tensor;
  i32(...shape: number[]): Tensor;
  weight(out: number, columns: number, format: Weight["format"]): Weight;
}

/** Kinds of adapters that get different kernels. */
const ADAPTERS: Readonly<Record<string, MatmulAdapter>> = {
  CPU: adapter(true, [], 0),
  "CPU, subgroups of 4 (SwiftShader)": adapter(true, ["subgroups"], 4),
  "CPU, subgroups of 8 (lavapipe)": adapter(true, ["subgroups"], 8),
  GPU: adapter(false, [], 0),
  "GPU, subgroups of 32, f16, subgroup matrices": {
    ...adapter(false, ["subgroups", "shader-f16", "chromium-experimental-subgroup-matrix"], 32),
    fragments: {
      configs: (["f32", "f16"] as const).map((componentType) => ({
        componentType,
        resultComponentType: "f32",
        M: 8,
        N: 8,
        K: 8,
      })),
      dialect: orderAsTemplate,
    },
  },
};

const SURROGATES: readonly SurrogateOptions[] = [
  { kind: "clip", clipLow: 0.2, clipHigh: 0.2, ratioMax: Infinity, dualClip: Infinity },
  { kind: "cispo", ratioLow: 0, ratioHigh: 5 },
  { kind: "sapo", tauPositive: 1, tauNegative: 1.05 },
];

const CALLS: Readonly<Record<KernelFile, (given: Arguments) => void>> = {
  embedding({ kernels, f32, i32, weight }) {
    for (const format of WEIGHT_FORMATS) kernels.embedding(weight(8, 32, format), null, i32(4));
    kernels.embedding(weight(8, 32, "f32"), f32(2, 32), i32(4));
    kernels.embedding(weight(8, 6, "f32"), null, i32(4));
    kernels.embedding(weight(8, 6, "f16"), null, i32(4));
    kernels.embeddingGrad(f32(4, 32), i32(4), f32(8, 32), f32(2, 32));
  },
  rmsNorm({ kernels, f32 }) {
    kernels.rmsNorm(f32(4, 32), f32(32), 1e-6);
    for (const residual of [null, f32(4, 32)])
      kernels.rmsNormGrad(f32(4, 32), f32(32), f32(4, 32), 1e-6, residual, f32(32));
  },
  linear({ kernels, f32, weight }) {
    const shapes = [
      ...WEIGHT_FORMATS.map((format) => [32, 32, format] as const),
      ...(["f32", "f16"] as const).map((format) => [6, 6, format] as const),
    ];
    for (const [out, columns, format] of shapes)
      for (const rows of [1, 2, 4, 8, 16, 64]) {
        kernels.linear(f32(rows, columns), weight(out, columns, format), null, null);
        kernels.linearGradInput(f32(rows, out), weight(out, columns, format), null);
        if (format === "f32") kernels.linearGradWeight(f32(rows, columns), f32(rows, out), f32(out, columns), f32(out));
      }
    // Large enough for tiles of 64 × 64.
    kernels.linear(f32(512, 32), weight(512, 32, "f32"), null, null);
    kernels.linearGradInput(f32(512, 32), weight(32, 512, "f32"), null);
    kernels.linearGradWeight(f32(8, 512), f32(8, 512), f32(512, 512), null);
  },
  lora({ kernels, f32 }) {
    kernels.loraApply(f32(4, 32), { offset: 0, count: 16 }, f32(4, 8), f32(16, 8), 1);
    kernels.loraApplyGrad(f32(4, 32), { offset: 0, count: 16 }, f32(4, 8), f32(16, 8), 1, f32(16, 8));
  },
  rope({ kernels, f32 }) {
    kernels.rope(f32(4, 32), f32(4, 8), f32(4, 8), 2, 16, false);
  },
  attention({ kernels, f32, i32 }) {
    for (const headDim of [6, 32, 80]) {
      const shape = { heads: 2, kvHeads: 1, headDim, qOffset: 0, kOffset: 2 * headDim, vOffset: 3 * headDim };
      const qkv = f32(4, 4 * headDim);
      const { out, lse } = kernels.attention(qkv, qkv, i32(4, 4), shape);
      kernels.attentionGrad(qkv, i32(4, 4), i32(4, 2), out, lse, out, shape);
      const inCache = { ...shape, kOffset: 0, vOffset: headDim };
      kernels.attention(qkv, f32(4, 2 * headDim), i32(4, 4), inCache);
      if (headDim % 4 === 0) kernels.attention(qkv, i32(4, headDim), i32(4, 4), inCache);
    }
  },
  kvCache({ kernels, f32, i32 }) {
    kernels.copyRows(f32(4, 32), { offset: 0, count: 16 }, i32(4), 0, f32(8, 16));
    const shape = { heads: 2, kvHeads: 1, headDim: 8, qOffset: 0, kOffset: 16, vOffset: 24 };
    for (const cache of [f32(8, 16), i32(8, 8)])
      kernels.ropeToCache(f32(4, 32), f32(4, 4), f32(4, 4), 0, shape, i32(4), 0, cache);
  },
  pointwise({ kernels, f32 }) {
    kernels.swiglu(f32(4, 32));
    kernels.swigluGrad(f32(4, 32), f32(4, 16));
    kernels.gelu(f32(4, 32));
    kernels.geluGrad(f32(4, 32), f32(4, 32));
    kernels.add(f32(4, 32), f32(4, 32));
    kernels.fill(f32(4, 32), 1);
  },
  tokenLogprobs({ kernels, f32, i32, weight }) {
    const head = weight(64, 32, "f32");
    const { lse } = kernels.tokenLogprobs(f32(4, 32), head, i32(4), 1);
    kernels.tokenLogprobsGrad(f32(4, 32), head, i32(4), lse, f32(4), 1, f32(64, 32));
  },
  policyLoss({ kernels, f32, i32 }) {
    const off = { logRatioClamp: Infinity, klExponentClamp: Infinity, klValueClamp: Infinity };
    for (const surrogate of SURROGATES)
      for (const level of ["token", "sequence"] as const)
        for (const klEstimator of ["k1", "abs", "k2", "k3"] as const)
          kernels.policyLoss(f32(4), f32(4), f32(4), f32(4), f32(4), level === "sequence" ? i32(4, 2) : null, {
            ...off,
            surrogate,
            level,
            klEstimator,
            beta: 0.1,
          });
  },
  sample({ kernels, f32, i32 }) {
    const buffers = {
      tokens: i32(4, 8),
      logprobs: f32(4, 8),
      entropies: f32(4, 8),
      allowed: f32(4, 8),
      next: i32(4),
      done: i32(4),
      streams: i32(4, 2),
    };
    const options = {
      temperature: 1,
      greedy: false,
      seed: 0,
      step: 0,
      position: 0,
      stopTokens: [1],
      suppressTokens: [2],
      padToken: 0,
    };
    for (const topK of [0, 4]) kernels.sample(f32(4, 32), buffers, { ...options, topK });
  },
  adamw({ kernels, f32 }) {
    kernels.adamw(f32(32), f32(32), f32(32), f32(32), kernels.sumSquares(f32(32)), {
      learningRate: 1e-3,
      beta1: 0.9,
      beta2: 0.95,
      epsilon: 1e-8,
      weightDecay: 0,
      updateCount: 1,
      maxGradNorm: 1,
    });
  },
};

/** The kinds of adapters that code is listed for. */
export const LISTED_ADAPTERS: readonly string[] = Object.keys(ADAPTERS);

/** Files of kernels whose code can be listed. */
export const LISTED_FILES: readonly KernelFile[] = [...new Set(Object.values(KERNEL_FILES))];

/**
 * Every WGSL module that a file's kernels run, in the order of their first use; kernels of other files that they call
 * included.
 */
export async function listedKernels(file: KernelFile): Promise<ListedKernel[]> {
  const backend = await openReferenceBackend();
  const listed = new Map<string, { name: string; adapters: string[]; code: string }>();
  for (const [label, offered] of Object.entries(ADAPTERS))
    for (const traits of variantsOf(offered))
      for (const { name, code } of codeOf(file, backend, traits)) {
        const known = listed.get(`${name}\n${code}`);
        if (known === undefined) listed.set(`${name}\n${code}`, { name, adapters: [label], code });
        else if (!known.adapters.includes(label)) known.adapters.push(label);
      }
  await backend.dispose();
  return [...listed.values()];
}

/** The traits of an adapter with each matmul variant that it can run. */
function variantsOf(offered: MatmulAdapter): AdapterTraits[] {
  const traits = adapterTraits(offered.software, offered);
  return offeredVariants(offered).offered.map((variant) => ({
    ...traits,
    matmul: new MatmulVariants(offered, uniformTable(variant)),
  }));
}

function codeOf(file: KernelFile, backend: Backend, traits: AdapterTraits): { name: string; code: string }[] {
  const specs = new Map<string, KernelSpec>();
  const dispatcher: KernelDispatcher = {
    traits,
    weightBindingBytes: Infinity,
    maxBoundElements: Infinity,
    kernel(name, spec): KernelHandle {
      if (!specs.has(name)) specs.set(name, spec());
      return { name };
    },
    run: () => undefined,
  };
  tidy(() => {
    const kernels = webGpuKernels(dispatcher, { allocate: (shape, dtype) => backend.zeros(shape, dtype) });
    CALLS[file]({
      kernels,
      f32: (...shape) => backend.zeros(shape),
      i32: (...shape) => backend.zeros(shape, "int32"),
      weight: (out, columns, format) => emptyWeight(backend, out, columns, format),
    });
  });
  return [...specs].map(([name, spec]) => ({ name, code: shaderCode(spec) }));
}

function adapter(software: boolean, features: readonly string[], subgroupSize: number): MatmulAdapter {
  return {
    software,
    features: new Set(features),
    subgroupMinSize: subgroupSize,
    subgroupMaxSize: subgroupSize,
    subgroupIndex: subgroupSize > 0,
    workgroupBytes: 32768,
    fragments: null,
  };
}
