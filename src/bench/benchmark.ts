/**
 * The inputs and results of a benchmark, and how most of them run: one comparison per workload, libraries in processes
 * of their own.
 */
import type { ShapeName } from "../policy/checkpoint/shapes";
import type { BackendName } from "../tensor/backend";
import type { WeightFormat } from "../tensor/packedWeight";
import type { MatmulOption } from "../tensor/webgpu/kernels/matmul/choice";
import { type Candidate, type ComparisonOptions, type ComparisonResult, compare, type Skipped } from "./comparison";
import type { Library, LibraryName } from "./contender";
import { isolatedLibrary } from "./isolation";
import type { Job } from "./job";
import type { Absent, BenchmarkName, Measurement } from "./results";

/** For the full-size benchmark. */
export interface FullSizeSetting {
  readonly shape: ShapeName;
  /** A folder of that shape; null: one is created and removed. */
  readonly folder: string | null;
  /** A Python interpreter with torch, transformers and peft. */
  readonly python: string;
  /** Format of our frozen weights on the device. */
  readonly packing: WeightFormat;
}

export interface Setting {
  readonly backend: BackendName;
  readonly fullSize: FullSizeSetting;
  /** Small shapes and few repetitions. */
  readonly quick: boolean;
  /** Only the smallest size, without the growth measurements: for slow adapters. */
  readonly small: boolean;
  /** A member twenty times as large as well: for GPUs. */
  readonly large: boolean;
  /** Receives progress messages. */
  readonly onProgress: (what: string) => void;
}

export interface Outcome {
  readonly measurements: readonly Measurement[];
  readonly absent: readonly Absent[];
  /** Adapter by library. */
  readonly adapters: Readonly<Record<string, string>>;
  /** Shown below the table. */
  readonly notes: readonly string[];
}

export interface Benchmark {
  readonly name: BenchmarkName;
  readonly description: string;
  run(setting: Setting): Promise<Outcome>;
}

/** A candidate: its name in the tables; each name runs in a process of its own. */
export interface Runner {
  readonly name: string;
  readonly library: LibraryName;
  readonly job: Job;
  /**
   * Our matmul variant on webgpu, in a process of its own; absent if the adapter cannot run it.
   */
  readonly matmul?: MatmulOption;
}

export interface Workload {
  /** e.g. "nano, 32 × 64 tokens". */
  readonly title: string;
  /** The unit of the rate, e.g. { perUnit: 2048, unit: "tokens/s" }. */
  readonly rate: { readonly perUnit: number; readonly unit: string };
  /** The first is ours, and the one that the others are compared with. */
  readonly runners: readonly Runner[];
}

/** The same job for each of these libraries. */
export function each(job: Job, libraries: readonly LibraryName[]): readonly Runner[] {
  return libraries.map((library) => ({ name: library, library, job }));
}

/** Compare the runners of each workload. @throws Error when one of our own fails */
export async function compareAll(
  benchmark: BenchmarkName,
  { backend, onProgress }: Setting,
  workloads: readonly Workload[],
  options: ComparisonOptions,
): Promise<Outcome> {
  const absent: Absent[] = [];
  const measurements: Measurement[] = [];
  const libraries = new Map<string, Library>();
  const leftOut = (workload: string, { name, why }: Skipped): void =>
    void absent.push({ benchmark, backend, workload, contender: name, why });
  try {
    for (const [name, { library, matmul }] of new Map(
      workloads.flatMap(({ runners }) => runners.map((runner) => [runner.name, runner] as const)),
    )) {
      onProgress(`opening ${name} on ${backend}`);
      try {
        libraries.set(name, await isolatedLibrary(library, backend, matmul));
      } catch (error) {
        if (library === "ours" && matmul === undefined) throw error;
        leftOut("all", { name, why: reason(error) });
      }
    }
    for (const { title, rate, runners } of workloads) {
      onProgress(`${benchmark}: ${title}`);
      const { results, skipped } = await compareOnce(runners, libraries, options);
      skipped.forEach((skip) => leftOut(title, skip));
      measurements.push(...results.map((result) => measurement(benchmark, backend, title, result, rate)));
    }
    return {
      measurements,
      absent,
      adapters: Object.fromEntries([...libraries].map(([name, { adapter }]) => [name, adapter])),
      notes: benchmark === "matmul" || benchmark === "kernels" ? (libraries.get("ours")?.notes ?? []) : [],
    };
  } finally {
    await Promise.allSettled([...libraries.values()].map((library) => library.close()));
  }
}

async function compareOnce(
  runners: readonly Runner[],
  libraries: ReadonlyMap<string, Library>,
  options: ComparisonOptions,
): Promise<{ readonly results: readonly ComparisonResult[]; readonly skipped: readonly Skipped[] }> {
  const early: Skipped[] = [];
  const candidates: Candidate[] = [];
  for (const { name, job } of runners) {
    const library = libraries.get(name);
    if (library === undefined) continue;
    try {
      candidates.push({ name, contender: await library.open(job) });
    } catch (error) {
      if (library.name === "ours") throw error;
      early.push({ name, why: reason(error) });
    }
  }
  try {
    const { results, skipped } = await compare(candidates, options);
    return { results, skipped: [...early, ...skipped] };
  } finally {
    await Promise.allSettled(candidates.map(({ contender }) => contender.close()));
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function measurement(
  benchmark: BenchmarkName,
  backend: BackendName,
  workload: string,
  result: ComparisonResult,
  rate: Workload["rate"],
): Measurement {
  const { name, milliseconds, ratio, counts, hostMicrosecondsPerDispatch } = result;
  return {
    benchmark,
    backend,
    workload,
    contender: name,
    milliseconds,
    ratio,
    counts,
    rate: { value: (1000 * rate.perUnit) / milliseconds.median, unit: rate.unit },
    ...(hostMicrosecondsPerDispatch === null ? {} : { hostMicrosecondsPerDispatch }),
  };
}
