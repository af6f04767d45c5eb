/** The command line of the benchmarks. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import type { HomeName } from "../tensor/home";
import { HOME_NAMES } from "../runner/nodeHomes";
import { parseArguments, UsageError } from "../runner/usage";
import { BENCHMARKS, type BenchmarkName } from "./results";

export interface BenchArguments {
  readonly names: readonly BenchmarkName[];
  readonly home: HomeName;
  /** Where the report goes; null: nowhere. */
  readonly json: string | null;
  readonly quick: boolean;
}

const FLAGS = {
  home: { type: "string", default: "wasm", description: "webgpu, wasm or reference" },
  json: { type: "string", description: "File to write the report to" },
  quick: { type: "boolean", description: "Small shapes, few repetitions" },
} as const;

/** The usage, with a line for each benchmark. */
export function help(benchmarks: readonly { readonly name: BenchmarkName; readonly description: string }[]): string {
  return [
    "npm run bench -- [NAME …] [--home webgpu|wasm|reference] [--json FILE] [--quick]",
    "",
    "Measures this project, stock TensorFlow.js and jax-js side by side, interleaved, in processes of their own.",
    "Without NAME: all benchmarks.",
    "",
    ...benchmarks.map(({ name, description }) => `  ${name.padEnd(12)} ${description}`),
    "",
    "  --home       where our side and the peers compute: webgpu (npm's Dawn; VK_ICD_FILENAMES chooses the Vulkan driver),",
    "               wasm (default) or reference (plain JavaScript)",
    "  --json FILE  write the report as JSON",
    "  --quick      small shapes, few repetitions: whether it works, not how fast it is",
    "",
  ].join("\n");
}

/** @throws UsageError on an unknown benchmark or flag, or a folder that is not there */
export function benchArguments(rawArgs: readonly string[]): BenchArguments {
  const firstFlag = rawArgs.findIndex((word) => word.startsWith("-"));
  const words = firstFlag < 0 ? rawArgs : rawArgs.slice(0, firstFlag);
  const names = words.map((word) => {
    const name = BENCHMARKS.find((known) => known === word);
    if (name === undefined) throw new UsageError(`there is no benchmark "${word}"; expected one of ${BENCHMARKS.join(", ")}`);
    return name;
  });
  const args = parseArguments(rawArgs.slice(words.length), FLAGS);
  const json = args.optional("json");
  if (json !== null && !existsSync(dirname(json))) throw new UsageError(`--json: there is no folder ${dirname(json)}`);
  return { names: names.length > 0 ? [...new Set(names)] : BENCHMARKS, home: args.oneOf("home", HOME_NAMES), json, quick: args.boolean("quick") };
}
