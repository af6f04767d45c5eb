/**
 * Contenders against each other: seen to do the same work, warmed up, then measured in turn, repetition after
 * repetition.
 */
import type { Contender, Run } from "./contender";
import type { Counts } from "./results";
import { median, medianRatio, type Spread, spread } from "./statistics";

export interface Candidate {
  readonly name: string;
  readonly contender: Contender;
}

export interface ComparisonOptions {
  /** At most; see PATIENCE_MS. */
  readonly repetitions: number;
  /** Units of one repetition are as many as take about this long, at most `maxUnits`. */
  readonly repetitionMs: number;
  /** Each contender warms up for so long, a unit at least. */
  readonly warmUpMs: number;
  readonly maxUnits: number;
  /** Largest difference of a checked number between contenders. */
  readonly tolerance: number;
}

/**
 * Steps and rollouts are measured some in a row, as training takes them: while the others had their turns, caches have
 * gone cold and threads to sleep. Engines compile what runs often in several passes, and again in each worker. Training
 * has hundreds of steps after that, so the time before does not count.
 */
export const AS_IN_TRAINING = { repetitionMs: 1500, maxUnits: 5, warmUpMs: 5000 } as const;

export interface ComparisonResult {
  readonly name: string;
  /** Milliseconds of one unit. */
  readonly milliseconds: Spread;
  /** Time over the first candidate's. */
  readonly ratio: number;
  /** Of one unit. */
  readonly counts: Counts;
  readonly hostMicrosecondsPerDispatch: number | null;
}

/** A contender that was left out, and why. */
export interface Skipped {
  readonly name: string;
  readonly why: string;
}

/**
 * A workload whose repetitions have taken so long is done with fewer of them, so that a slow machine or peer holds up
 * no run.
 */
const PATIENCE_MS = 90_000;
const LEAST_REPETITIONS = 3;

/**
 * The first candidate is the one that others are compared with. An candidate that fails or does other work drops out.
 * @throws Error when the first candidate fails
 */
export async function compare(
  candidates: readonly Candidate[],
  options: ComparisonOptions,
): Promise<{ readonly results: ComparisonResult[]; readonly skipped: Skipped[] }> {
  const [first] = candidates;
  if (first === undefined) throw new Error("compare: there is nothing to measure.");
  const expected = await first.contender.check();
  const skipped: Skipped[] = [];
  const running: {
    readonly name: string;
    readonly contender: Contender;
    readonly units: number;
    readonly runs: Run[];
  }[] = [];
  for (const { name, contender } of candidates) {
    try {
      if (contender !== first.contender) requireSame(await contender.check(), expected, options.tolerance);
      running.push({ name, contender, units: await suitableUnits(contender, options), runs: [] });
    } catch (error) {
      if (contender === first.contender) throw error;
      skipped.push({ name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  const began = performance.now();
  for (let i = 0; i < options.repetitions; i++) {
    if (i >= LEAST_REPETITIONS && performance.now() - began > PATIENCE_MS) break;
    for (const { contender, units, runs } of running) runs.push(await contender.run(units));
  }
  const perUnit = running.map(({ runs, units }) => runs.map((run) => run.milliseconds / units));
  const results = running.map(({ name, runs, units }, i) => ({
    name,
    milliseconds: spread(perUnit[i] ?? []),
    ratio: medianRatio(perUnit[i] ?? [], perUnit[0] ?? []),
    counts: countsOfUnit(runs, units),
    hostMicrosecondsPerDispatch: hostTime(runs),
  }));
  return { results, skipped };
}

/** @throws Error naming the first number that differs */
export function requireSame(numbers: readonly number[], expected: readonly number[], tolerance: number): void {
  if (numbers.length !== expected.length)
    throw new Error(`does other work: ${numbers.length} checked numbers, expected ${expected.length}`);
  const wrong = numbers.findIndex((value, i) => !(Math.abs(value - (expected[i] ?? Number.NaN)) <= tolerance));
  if (wrong >= 0)
    throw new Error(
      `does other work: checked number ${wrong} is ${numbers[wrong]}, expected ${expected[wrong]} within ${tolerance}`,
    );
}

/** Warms up, and finds how many units make a repetition of the wanted length. */
async function suitableUnits(
  contender: Contender,
  { repetitionMs, maxUnits, warmUpMs }: ComparisonOptions,
): Promise<number> {
  const began = performance.now();
  do await contender.run(1);
  while (performance.now() - began < warmUpMs);
  if (maxUnits === 1) return 1;
  let units = 1;
  for (;;) {
    const { milliseconds } = await contender.run(units);
    const wanted = Math.min(maxUnits, Math.max(1, Math.round((units * repetitionMs) / Math.max(milliseconds, 1e-3))));
    // Short runs are mostly waiting: only a run near the wanted length tells how long a unit takes.
    if (wanted <= 4 * units) return wanted;
    units = wanted;
  }
}

function countsOfUnit(runs: readonly Run[], units: number): Counts {
  const names = ["dispatches", "submits", "readbacks", "bytesUploaded", "bytesRead", "bytesHeld"] as const;
  return Object.fromEntries(
    names.flatMap((name) => {
      const values = runs.flatMap(({ counts }) => counts[name] ?? []);
      return values.length === 0 ? [] : [[name, median(values) / (name === "bytesHeld" ? 1 : units)]];
    }),
  );
}

function hostTime(runs: readonly Run[]): number | null {
  const times = runs.flatMap(({ hostMilliseconds, counts: { dispatches } }) =>
    hostMilliseconds === null || !dispatches ? [] : [(1000 * hostMilliseconds) / dispatches],
  );
  return times.length === 0 ? null : median(times);
}
