/** What a benchmark is given and what it gives, and the way most of them go: one race a workload, parties in their own processes. */
import type { HomeName } from "../tensor/home";
import type { Job, Party, PartyName } from "./contender";
import { isolatedParty } from "./isolation";
import { race, type Dropout, type Placing, type RaceOptions } from "./race";
import type { Absent, BenchmarkName, Measurement } from "./results";

export interface Setting {
  readonly home: HomeName;
  /** Small shapes and few repetitions. */
  readonly quick: boolean;
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

export interface Workload {
  /** e.g. "nano, 32 × 64 tokens". */
  readonly title: string;
  readonly job: Job;
  /** What a second's worth of units is counted in, e.g. { perUnit: 2048, unit: "tokens/s" }. */
  readonly rate: { readonly perUnit: number; readonly unit: string };
  /** Parties that do this workload, ours first; all of them if absent. */
  readonly parties?: readonly PartyName[];
}

/** Race the parties over each workload. @throws Error when our own party fails */
export async function raceParties(benchmark: BenchmarkName, { home, onProgress }: Setting, names: readonly PartyName[], workloads: readonly Workload[], options: RaceOptions): Promise<Outcome> {
  const absent: Absent[] = [];
  const measurements: Measurement[] = [];
  const parties: Party[] = [];
  const leftOut = (workload: string, { name, why }: Dropout): void => void absent.push({ benchmark, home, workload, contender: name, why });
  try {
    for (const name of names) {
      onProgress(`opening ${name} on ${home}`);
      try {
        parties.push(await isolatedParty(name, home));
      } catch (error) {
        if (name === "ours") throw error;
        leftOut("all", { name, why: error instanceof Error ? error.message : String(error) });
      }
    }
    for (const { title, job, rate, parties: wanted } of workloads) {
      onProgress(`${benchmark}: ${title}`);
      const { placings, dropouts } = await raceOnce(parties.filter(({ name }) => wanted?.includes(name) ?? true), job, options);
      dropouts.forEach((dropout) => leftOut(title, dropout));
      measurements.push(...placings.map((placing) => measurement(benchmark, home, title, placing, rate)));
    }
    return { measurements, absent, adapters: Object.fromEntries(parties.map(({ name, adapter }) => [name, adapter])), notes: [] };
  } finally {
    await Promise.allSettled(parties.map((party) => party.close()));
  }
}

async function raceOnce(parties: readonly Party[], job: Job, options: RaceOptions): Promise<{ readonly placings: readonly Placing[]; readonly dropouts: readonly Dropout[] }> {
  const early: Dropout[] = [];
  const entrants = [];
  for (const party of parties) {
    try {
      entrants.push({ name: party.name, contender: await party.open(job) });
    } catch (error) {
      if (party.name === "ours") throw error;
      early.push({ name: party.name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  try {
    const { placings, dropouts } = await race(entrants, options);
    return { placings, dropouts: [...early, ...dropouts] };
  } finally {
    await Promise.allSettled(entrants.map(({ contender }) => contender.close()));
  }
}

function measurement(benchmark: BenchmarkName, home: HomeName, workload: string, placing: Placing, rate: Workload["rate"]): Measurement {
  const { name, milliseconds, ratio, counts, hostMicrosecondsPerDispatch } = placing;
  return {
    benchmark, home, workload, contender: name, milliseconds, ratio, counts,
    rate: { value: (1000 * rate.perUnit) / milliseconds.median, unit: rate.unit },
    ...(hostMicrosecondsPerDispatch === null ? {} : { hostMicrosecondsPerDispatch }),
  };
}
