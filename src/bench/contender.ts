/**
 * Who takes part in a benchmark. A *library* is a library on one backend (ours, stock TensorFlow.js, jax-js); given a
 * *job* it becomes a contender that does units of that work. A library knows nothing of the others: comparison.ts
 * interleaves and compares them.
 */
import type { Job } from "./job";
import type { Counts } from "./results";

export const LIBRARIES = ["ours", "tfjs", "jax-js"] as const;
export type LibraryName = (typeof LIBRARIES)[number];

/** Some units of work, measured by the contender itself. */
export interface Run {
  /** Until results could be used. */
  readonly milliseconds: number;
  /** Until the calling thread was free again, where that is another time. */
  readonly hostMilliseconds: number | null;
  /** Of all units together, but for `bytesHeld`. */
  readonly counts: Counts;
}

export interface Contender {
  /** Numbers by which contenders are seen to do the same work. Asked once, before any run. */
  check(): Promise<readonly number[]>;
  run(units: number): Promise<Run>;
  close(): Promise<void>;
}

export interface Library {
  readonly name: LibraryName;
  /** e.g. "lavapipe (CPU)", "SIMD, 1 thread". */
  readonly adapter: string;
  /** What its adapter offers to matmuls, in sentences. */
  readonly notes: readonly string[];
  /** @throws Error when this library cannot do the job */
  open(job: Job): Promise<Contender>;
  close(): Promise<void>;
}
