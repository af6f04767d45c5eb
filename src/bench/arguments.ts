/** The command line of the benchmarks. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { SHAPE_NAMES } from "../policy/checkpoint/shapes";
import { backendFlag } from "../runner/arguments/command";
import type { Flags } from "../runner/arguments/flags";
import { helpText } from "../runner/arguments/help";
import { forceMatmul, matmulFlag } from "../runner/arguments/matmulVariant";
import { parseArguments, UsageError } from "../runner/arguments/usage";
import { BACKEND_NAMES, type BackendName } from "../tensor/backend";
import { WEIGHT_FORMATS } from "../tensor/packedWeight";
import type { FullSizeSetting } from "./benchmark";
import { BENCHMARKS, type BenchmarkName, DEFAULT_BENCHMARKS } from "./results";

export interface BenchArguments {
  readonly names: readonly BenchmarkName[];
  readonly backend: BackendName;
  /** File for the report; null: none. */
  readonly json: string | null;
  readonly quick: boolean;
  readonly small: boolean;
  readonly large: boolean;
  readonly fullSize: FullSizeSetting;
}

const FLAGS = {
  backend: { ...backendFlag, description: "Where this project and its peers compute (webgpu: npm's Dawn)" },
  json: { type: "string", valueHint: "file", description: "Write the report as JSON" },
  quick: { type: "boolean", description: "Small shapes, few repetitions: checks that it works, not how fast it is" },
  small: {
    type: "boolean",
    description: "train-step, rollout: only the smallest size, for slow adapters (SwiftShader)",
  },
  large: { type: "boolean", description: "train-step, rollout: also a model twenty times as large as nano, for GPUs" },
  matmul: matmulFlag,
  shape: {
    type: "string",
    default: "3b",
    valueHint: SHAPE_NAMES.join("|"),
    description: "full-size: the published shape; random weights are written and removed",
  },
  folder: { type: "string", valueHint: "dir", description: "full-size: use this checkpoint of that shape instead" },
  python: {
    type: "string",
    default: "python3",
    valueHint: "file",
    description: "full-size: an interpreter with torch, transformers and peft",
  },
  packing: {
    type: "string",
    default: "f16",
    valueHint: WEIGHT_FORMATS.join("|"),
    description: "full-size: storage of our frozen weights (the peer uses bf16, or f32 without CUDA)",
  },
} as const satisfies Flags;

/** The usage, with a line for each benchmark. */
export function help(benchmarks: readonly { readonly name: BenchmarkName; readonly description: string }[]): string {
  return helpText({
    command: "npm run bench -- [BENCHMARK …]",
    description:
      "Measure this project, stock TensorFlow.js and jax-js side by side, interleaved, each in its own process. " +
      "Without BENCHMARK: all except full-size.",
    flags: FLAGS,
    entries: { title: "Benchmarks", rows: benchmarks.map(({ name, description }) => [name, description] as const) },
    examples: [
      "npm run bench -- matmul --backend webgpu --json report.json",
      "npm run bench -- full-size --shape 3b --backend webgpu --packing int4",
    ],
  });
}

/** @throws UsageError on an unknown benchmark or flag, or a folder that does not exist */
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
