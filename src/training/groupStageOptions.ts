import type { DataParallel } from "./parallel/parallel";
import type { ProblemSource } from "./problemSource";
import type { Scorer } from "./score";

/** What the steps of sampled groups work with, beside the policy. */
export interface GroupStageOptions {
  readonly scorer: Scorer | undefined;
  readonly parallel: DataParallel | null;
  readonly source: ProblemSource;
  /** Milliseconds. */
  readonly now: () => number;
}
