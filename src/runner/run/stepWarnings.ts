/**
 * What a run's log says of steps that teach nothing: a line when they begin, and at the end in how many steps it
 * happened. A run whose every response is truncated looks healthy otherwise.
 */
import { isTruncated, TRUNCATED_WARNING } from "../../srpo/explainStep";
import type { StepMetrics } from "../../training/records";

export class StepWarnings {
  #steps = 0;
  #truncated = 0;
  #withoutUpdate = 0;
  #warned = false;

  /** The line to log after this step; null where there is none, or the step before it was the same. */
  step(metrics: StepMetrics): string | null {
    if (metrics.stage !== "grpo") return null;
    this.#steps++;
    if (metrics.updates === 0) this.#withoutUpdate++;
    const truncated = isTruncated(metrics);
    if (truncated) this.#truncated++;
    const news = truncated && !this.#warned;
    this.#warned = truncated;
    return news ? `step ${metrics.step}: ${TRUNCATED_WARNING}` : null;
  }

  /** The lines to end with; empty after a run of which there is nothing to say. */
  summary(): readonly string[] {
    const of = (steps: number): string => `in ${steps} of ${this.#steps} steps`;
    return [
      ...(this.#truncated > 0 ? [`${of(this.#truncated)}: ${TRUNCATED_WARNING}`] : []),
      ...(this.#withoutUpdate > 0 ? [`${of(this.#withoutUpdate)} there was nothing to train on: no update.`] : []),
    ];
  }
}
