/** What a benchmark is given and what it gives, and the way most of them go: one race a workload, parties in their own processes. */
import type { ShapeName } from "../policy/checkpoint/shapes";
import type { BackendName } from "../tensor/backend";
import type { WeightFormat } from "../tensor/packedWeight";
import type { MatmulOption } from "../tensor/webgpu/kernels/matmul/choice";
import type { Job, Party, PartyName } from "./contender";
import { isolatedParty } from "./isolation";
import { type Dropout, type Entrant, type Placing, type RaceOptions, race } from "./race";
import type { Absent, BenchmarkName, Measurement } from "./results";

/** Of the full-size benchmark. */
export interface FullSizeSetting {
  readonly shape: ShapeName;
  /** A folder of that shape; null: one is made and removed. */
  readonly folder: string | null;
  /** An interpreter with torch, transformers and peft. */
  readonly python: string;
  /** Our frozen weights on the device. */
  readonly packing: WeightFormat;
}

export interface Setting {
  readonly backend: BackendName;
  readonly fullSize: FullSizeSetting;
  /** Small shapes and few repetitions. */
  readonly quick: boolean;
  /** The smallest size that is compared, and no growth: for slow adapters. */
  readonly small: boolean;
  /** A member twenty times as large too: for GPUs. */
  readonly large: boolean;
  /** Told what is going on, for a human who waits. */
  readonly onProgress: (what: string) => void;
}

export interface Outcome {
  readonly measurements: readonly Measurement[];
  readonly absent: readonly Absent[];
  /** Adapter by party. */
  readonly adapters: Readonly<Record<string, string>>;
  /** Said below the table. */
  readonly notes: readonly string[];
}

export interface Benchmark {
  readonly name: BenchmarkName;
  readonly description: string;
  run(setting: Setting): Promise<Outcome>;
}

/** One who is to be measured: under this name in the tables, each name in a process of its own. */
export interface Runner {
  readonly name: string;
  readonly party: PartyName;
  readonly job: Job;
  /** The variant of the matrix product of our side on webgpu, in a process of its own; where the adapter cannot run it, this runner is absent. */
  readonly matmul?: MatmulOption;
}

export interface Workload {
  /** e.g. "nano, 32 × 64 tokens". */
  readonly title: string;
  /** What a second's worth of units is counted in, e.g. { perUnit: 2048, unit: "tokens/s" }. */
  readonly rate: { readonly perUnit: number; readonly unit: string };
  /** The first is the one that the others are compared with; it is ours. */
  readonly runners: readonly Runner[];
}

/** The same job for each of these parties. */
export function each(job: Job, parties: readonly PartyName[]): readonly Runner[] {
  return parties.map((party) => ({ name: party, party, job }));
}

/** Race the runners of each workload. @throws Error when one of our own fails */
export async function raceAll(
  benchmark: BenchmarkName,
  { backend, onProgress }: Setting,
  workloads: readonly Workload[],
  options: RaceOptions,
): Promise<Outcome> {
  const absent: Absent[] = [];
  const measurements: Measurement[] = [];
  const parties = new Map<string, Party>();
  const leftOut = (workload: string, { name, why }: Dropout): void =>
    void absent.push({ benchmark, backend, workload, contender: name, why });
  try {
    for (const [name, { party, matmul }] of new Map(
      workloads.flatMap(({ runners }) => runners.map((runner) => [runner.name, runner] as const)),
    )) {
      onProgress(`opening ${name} on ${backend}`);
      try {
        parties.set(name, await isolatedParty(party, backend, matmul));
      } catch (error) {
        if (party === "ours" && matmul === undefined) throw error;
        leftOut("all", { name, why: reason(error) });
      }
    }
    for (const { title, rate, runners } of workloads) {
      onProgress(`${benchmark}: ${title}`);
      const { placings, dropouts } = await raceOnce(runners, parties, options);
      dropouts.forEach((dropout) => leftOut(title, dropout));
      measurements.push(...placings.map((placing) => measurement(benchmark, backend, title, placing, rate)));
    }
    return {
      measurements,
      absent,
      adapters: Object.fromEntries([...parties].map(([name, { adapter }]) => [name, adapter])),
      notes: benchmark === "matmul" || benchmark === "kernels" ? (parties.get("ours")?.notes ?? []) : [],
    };
  } finally {
    await Promise.allSettled([...parties.values()].map((party) => party.close()));
  }
}

async function raceOnce(
  runners: readonly Runner[],
  parties: ReadonlyMap<string, Party>,
  options: RaceOptions,
): Promise<{ readonly placings: readonly Placing[]; readonly dropouts: readonly Dropout[] }> {
  const early: Dropout[] = [];
  const entrants: Entrant[] = [];
  for (const { name, job } of runners) {
    const party = parties.get(name);
    if (party === undefined) continue;
    try {
      entrants.push({ name, contender: await party.open(job) });
    } catch (error) {
      if (party.name === "ours") throw error;
      early.push({ name, why: reason(error) });
    }
  }
  try {
    const { placings, dropouts } = await race(entrants, options);
    return { placings, dropouts: [...early, ...dropouts] };
  } finally {
    await Promise.allSettled(entrants.map(({ contender }) => contender.close()));
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function measurement(
  benchmark: BenchmarkName,
  backend: BackendName,
  workload: string,
  placing: Placing,
  rate: Workload["rate"],
): Measurement {
  const { name, milliseconds, ratio, counts, hostMicrosecondsPerDispatch } = placing;
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
