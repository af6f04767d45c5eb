/**
 * Candidates against each other: checked to do the same work, warmed up, then measured in turn, repetition by
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
  /** Maximum; see PATIENCE_MS. */
  readonly repetitions: number;
  /** A repetition has as many units as take about this long, at most `maxUnits`. */
  readonly repetitionMs: number;
  /** Each candidate warms up for this long, at least one unit. */
  readonly warmUpMs: number;
  readonly maxUnits: number;
  /** Largest difference of a checked number between candidates. */
  readonly tolerance: number;
}

/**
 * Steps and rollouts are measured several in a row, as training runs them: while the others had their turns, caches
 * went cold and threads went to sleep. Engines compile hot code in several passes, and again in each worker. Training
 * has hundreds of steps after that, so the time before it does not count.
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

/** A candidate that was skipped, and why. */
export interface Skipped {
  readonly name: string;
  readonly why: string;
}

/** After this long a workload ends with fewer repetitions, so that a slow machine or peer does not hold up the run. */
const PATIENCE_MS = 90_000;
const LEAST_REPETITIONS = 3;

/**
 * The others are compared with the first candidate. A candidate that fails, or whose results differ from the first's,
 * is skipped.
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

/** Warms up, and finds how many units give a repetition of the requested length. */
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
    // Short runs are mostly waiting: only a run near the requested length shows how long a unit takes.
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
