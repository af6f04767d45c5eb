/**
 * The functions of kernels.wasm and kernelsFused.wasm (assembly/index.ts). Every argument is a number: counts, byte
 * strides, or addresses (0: absent).
 */
type Call = (...numbers: number[]) => void;
type Check = (...numbers: number[]) => number;

const CALLS = [
  "linear",
  "linearGradInput",
  "linearGradWeight",
  "loraApply",
  "loraApplyGrad",
  "attention",
  "attentionGrad",
  "gelu",
  "geluGrad",
  "add",
  "fill",
  "swiglu",
  "swigluGrad",
  "rope",
  "rmsNorm",
  "rmsNormGrad",
  "embedding",
  "embeddingGrad",
  "columnSums",
  "tokenLogprobs",
  "tokenLogprobsGrad",
  "policyLoss",
  "sumSquares",
  "adamw",
  "sample",
] as const;
/** Not counted as kernel runs. */
const CHECKS = [
  "placeConstants",
  "longestVisible",
  "visibleWithin",
  "idsWithin",
  "copyRows",
  "copyRowsToF16",
  "unpackVisible",
] as const;

export type KernelExports = Readonly<Record<(typeof CALLS)[number], Call> & Record<(typeof CHECKS)[number], Check>>;

/**
 * Instantiates the kernels on memory owned by somebody else; `onKernel` is called before every kernel run. Throws if
 * the binary does not match its sources.
 */
export async function instantiateKernels(
  binary: Uint8Array<ArrayBuffer>,
  memory: WebAssembly.Memory,
  onKernel: () => void,
): Promise<KernelExports> {
  const { instance } = await WebAssembly.instantiate(binary, { env: { memory } });
  const functions = new Map<string, Call | Check>();
  for (const name of [...CALLS, ...CHECKS]) {
    const run = instance.exports[name];
    if (typeof run !== "function") {
      throw new Error(
        `The wasm kernels have no function "${name}": they are older than their sources. Run \`npm run kernels\`.`,
      );
    }
    const counts = CALLS.some((call) => call === name);
    functions.set(name, (...numbers: number[]): number => {
      if (counts) onKernel();
      return run(...numbers);
    });
  }
  // The one cast of this file: the loop above made every name of the type.
  return Object.fromEntries(functions) as KernelExports;
}
