/**
 * What a run's log says of steps that teach nothing, or not what was asked: a line when they begin, and at the end in
 * how many steps it happened. A run whose every response is truncated, or whose reward term fails, looks healthy
 * otherwise.
 */
import { isTruncated, TRUNCATED_WARNING } from "../../srpo/explainStep";
import type { GroupRecord, StepMetrics } from "../../training/records";

export class StepWarnings {
  #steps = 0;
  #withoutUpdate = 0;
  readonly #truncated = new Recurring();
  readonly #unscored = new Recurring();

  /** The lines to log after this step; of what was so in the step before it too, none. */
  step(metrics: StepMetrics, groups: readonly GroupRecord[]): readonly string[] {
    if (metrics.stage !== "grpo") return [];
    this.#steps++;
    if (metrics.updates === 0) this.#withoutUpdate++;
    const error = firstError(groups);
    return [
      ...(this.#truncated.begins(isTruncated(metrics)) ? [TRUNCATED_WARNING] : []),
      ...(this.#unscored.begins(error !== null)
        ? [`${metrics["score/failed"] ?? "some"} responses have no score. The first: ${error}`]
        : []),
    ].map((line) => `step ${metrics.step}: ${line}`);
  }

  /** The lines to end with; empty after a run of which there is nothing to say. */
  summary(): readonly string[] {
    const of = (steps: number): string => `in ${steps} of ${this.#steps} steps`;
    return [
      ...(this.#truncated.steps > 0 ? [`${of(this.#truncated.steps)}: ${TRUNCATED_WARNING}`] : []),
      ...(this.#unscored.steps > 0
        ? [`${of(this.#unscored.steps)} responses had no score (score/failed in the metrics counts them).`]
        : []),
      ...(this.#withoutUpdate > 0 ? [`${of(this.#withoutUpdate)} there was nothing to train on: no update.`] : []),
    ];
  }
}

/** Counts the steps in which something is so, and tells where it begins. */
class Recurring {
  steps = 0;
  #before = false;

  begins(now: boolean): boolean {
    const begins = now && !this.#before;
    if (now) this.steps++;
    this.#before = now;
    return begins;
  }
}

/** Why the first response without a score has none; null where all have one. */
function firstError(groups: readonly GroupRecord[]): string | null {
  const errors = groups.flatMap(({ samples }) =>
    samples.flatMap(({ score }) => (score !== undefined && "error" in score ? [score.error] : [])),
  );
  return errors[0] ?? null;
}
