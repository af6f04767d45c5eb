/**
 * The result of a benchmark run: flat records, one per contender and workload, from which tables are made and which
 * `--json` writes. Two runs are compared by joining on benchmark, backend, workload and contender.
 */
import { z } from "zod";
import { BACKEND_NAMES } from "../tensor/backend";

export const BENCHMARKS = [
  "matmul",
  "kernels",
  "dispatch",
  "train-step",
  "rollout",
  "grpo-step",
  "startup",
  "full-size",
] as const;
export type BenchmarkName = (typeof BENCHMARKS)[number];

/** The benchmarks of a run that names none: all that need no GPU. */
export const DEFAULT_BENCHMARKS: readonly BenchmarkName[] = BENCHMARKS.filter((name) => name !== "full-size");

const count = z.number().nonnegative();

const spreadSchema = z.object({ median: z.number(), q1: z.number(), q3: z.number(), repetitions: z.int().positive() });

/** What one unit of work cost besides time; numbers are left out for a peer that cannot be counted. */
export const countsSchema = z.object({
  dispatches: count.optional(),
  submits: count.optional(),
  readbacks: count.optional(),
  bytesUploaded: count.optional(),
  bytesRead: count.optional(),
  /** Device memory held after the unit; for a full-size run, the peak. */
  bytesHeld: count.optional(),
});
export type Counts = z.output<typeof countsSchema>;

export const measurementSchema = z.object({
  benchmark: z.enum(BENCHMARKS),
  backend: z.enum(BACKEND_NAMES),
  /** The work, e.g. "nano, 32 × 64 tokens". */
  workload: z.string().min(1),
  /** Who did it, e.g. "ours", "tfjs", "jax-js". */
  contender: z.string().min(1),
  /** Time of one unit of work. */
  milliseconds: spreadSchema,
  /** Units of work per second, or a rate derived from the time. */
  rate: z.object({ value: z.number(), unit: z.string() }).optional(),
  /** This contender's time over ours: median over interleaved repetitions; 1 for ours. */
  ratio: z.number().positive().optional(),
  counts: countsSchema.optional(),
  /** Time of the calling thread until everything is submitted, divided by the number of dispatches. */
  hostMicrosecondsPerDispatch: z.number().nonnegative().optional(),
  /**
   * Minimum memory traffic and arithmetic of the work as defined, and their share of what the device was measured to
   * do.
   */
  needs: z.object({ bytes: count, flops: count, ofBandwidth: count, ofPeak: count }).optional(),
});
export type Measurement = z.output<typeof measurementSchema>;

/** A contender that could not take part, and why. */
const absentSchema = z.object({
  benchmark: z.enum(BENCHMARKS),
  backend: z.enum(BACKEND_NAMES),
  workload: z.string(),
  contender: z.string(),
  why: z.string(),
});
export type Absent = z.output<typeof absentSchema>;

export const reportSchema = z.object({
  version: z.literal(1),
  /** ISO 8601. */
  date: z.string(),
  quick: z.boolean(),
  machine: z.object({
    cpu: z.string(),
    cores: z.int().positive(),
    platform: z.string(),
    node: z.string(),
    adapters: z.record(z.string(), z.string()),
  }),
  measurements: z.array(measurementSchema),
  absent: z.array(absentSchema),
});
export type Report = z.output<typeof reportSchema>;

/** A report read from a file. @throws Error naming the file and the first key that is wrong */
export function parseReport(text: string, file: string): Report {
  const parsed = reportSchema.safeParse(json(text, file));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Error(
    `${file}: ${issue?.path.join(".") || "value"}: ${issue?.message ?? "invalid"}; expected a report written by ` +
      "npm run bench -- --json",
  );
}

function json(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${file}: not valid JSON (${error instanceof Error ? error.message : String(error)})`);
  }
}
