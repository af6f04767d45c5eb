import type { DataParallel } from "./parallel/parallel";
import type { ProblemSource } from "./problemSource";
import type { Stage } from "./records";
import type { Scorer } from "./score";

/** What a session is opened with, beside its policy and settings. */
export interface SessionOptions {
  readonly stage?: Stage;
  /** Where problems come from; the built-in tasks by default. */
  readonly source?: ProblemSource;
  /** Scores responses; the method's own by default. */
  readonly scorer?: Scorer;
  /** Milliseconds, for the timing metrics only. */
  readonly now?: () => number;
  /**
   * Replicas of the policy that share its work; their owner disposes them. The results do not depend on how many there
   * are.
   */
  readonly parallel?: DataParallel | null;
}
