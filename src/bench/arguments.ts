/** The command line of the benchmarks. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { SHAPE_NAMES } from "../policy/checkpoint/shapes";
import { forceMatmul, matmulFlag } from "../runner/arguments/matmulVariant";
import { parseArguments, UsageError } from "../runner/arguments/usage";
import { BACKEND_NAMES, type BackendName } from "../tensor/backend";
import { WEIGHT_FORMATS } from "../tensor/packedWeight";
import type { FullSizeSetting } from "./benchmark";
import { BENCHMARKS, type BenchmarkName, DEFAULT_BENCHMARKS } from "./results";

export interface BenchArguments {
  readonly names: readonly BenchmarkName[];
  readonly backend: BackendName;
  /** Where the report goes; null: nowhere. */
  readonly json: string | null;
  readonly quick: boolean;
  readonly small: boolean;
  readonly large: boolean;
  readonly fullSize: FullSizeSetting;
}

const FLAGS = {
  backend: { type: "string", default: "wasm", description: "webgpu, wasm or reference" },
  json: { type: "string", description: "File to write the report to" },
  quick: { type: "boolean", description: "Small shapes, few repetitions" },
  small: { type: "boolean", default: false, description: "train-step, rollout: the smallest compared size, no growth" },
  large: { type: "boolean", default: false, description: "train-step, rollout: a member twenty times as large too" },
  matmul: matmulFlag,
  shape: { type: "string", default: "3b", description: "Of full-size: the member of the family" },
  folder: { type: "string", description: "Of full-size: a checkpoint of that shape" },
  python: {
    type: "string",
    default: "python3",
    description: "Of full-size: an interpreter with torch, transformers and peft",
  },
  packing: { type: "string", default: "f16", description: "Of full-size: our frozen weights on the device" },
} as const;

/** The usage, with a line for each benchmark. */
export function help(benchmarks: readonly { readonly name: BenchmarkName; readonly description: string }[]): string {
  return [
    "npm run bench -- [NAME …] [--backend webgpu|wasm|reference] [--json FILE] [--quick]",
    "npm run bench -- full-size [--shape 3b|7b] [--folder DIR] [--python FILE] [--packing f16|int4|f32] --backend webgpu",
    "",
    "Measures this project, stock TensorFlow.js and jax-js side by side, interleaved, in processes of their own.",
    "Without NAME: all but full-size.",
    "",
    ...benchmarks.map(({ name, description }) => `  ${name.padEnd(12)} ${description}`),
    "",
    "  --backend       where our side and the peers compute: webgpu (npm's Dawn; VK_ICD_FILENAMES chooses the Vulkan driver),",
    "               wasm (default) or reference (plain JavaScript)",
    `  --matmul NAME  of our side on webgpu: ${matmulFlag.valueHint}; by default as the backend chooses`,
    "  --json FILE  write the report as JSON",
    "  --quick      small shapes, few repetitions: whether it works, not how fast it is",
    "  --small      of train-step and rollout: the smallest size that is compared, and no growth, for slow adapters (SwiftShader)",
    "  --large      of train-step and rollout: a member twenty times as large as nano too, for GPUs",
    "  --shape      of full-size: tiny, 3b (default), 7b, 32b or 72b; random weights of that shape are written and removed",
    "  --folder DIR of full-size: use this checkpoint of that shape instead",
    "  --python     of full-size: an interpreter that has torch, transformers and peft (default python3)",
    "  --packing    of full-size: our frozen weights as f16 (default), int4 or f32; the peer computes in bf16, in f32 without CUDA",
    "",
  ].join("\n");
}

/** @throws UsageError on an unknown benchmark or flag, or a folder that is not there */
export function benchArguments(rawArgs: readonly string[]): BenchArguments {
  const firstFlag = rawArgs.findIndex((word) => word.startsWith("-"));
  const words = firstFlag < 0 ? rawArgs : rawArgs.slice(0, firstFlag);
  const names = words.map((word) => {
    const name = BENCHMARKS.find((known) => known === word);
    if (name === undefined)
      throw new UsageError(`there is no benchmark "${word}"; expected one of ${BENCHMARKS.join(", ")}`);
    return name;
  });
  const args = parseArguments(rawArgs.slice(words.length), FLAGS);
  forceMatmul(args);
  const json = args.optional("json");
  if (json !== null && !existsSync(dirname(json))) throw new UsageError(`--json: there is no folder ${dirname(json)}`);
  const folder = args.optional("folder");
  if (folder !== null && !existsSync(folder)) throw new UsageError(`--folder: there is no folder ${folder}`);
  return {
    names: names.length > 0 ? [...new Set(names)] : DEFAULT_BENCHMARKS,
    backend: args.oneOf("backend", BACKEND_NAMES),
    json,
    quick: args.boolean("quick"),
    small: args.boolean("small"),
    large: args.boolean("large"),
    fullSize: {
      shape: args.oneOf("shape", SHAPE_NAMES),
      folder,
      python: args.text("python"),
      packing: args.oneOf("packing", WEIGHT_FORMATS),
    },
  };
}
