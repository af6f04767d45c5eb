/**
 * What a run's log says of steps that teach nothing, or not what was asked: a line when they begin, and at the end in
 * how many steps it happened, and whether the run taught anything at all. A run whose every response is truncated, or
 * whose reward term fails, looks healthy otherwise.
 */
import { NO_LESSON_WARNINGS, NO_LESSONS, type NoLesson, noLesson } from "../../srpo/noLesson";
import type { GroupRecord, StepMetrics } from "../../training/records";

export class StepWarnings {
  #steps = 0;
  #idle = 0;
  #withoutUpdate = 0;
  readonly #reasons = new Map<NoLesson, Recurring>(NO_LESSONS.map((reason) => [reason, new Recurring()]));
  readonly #unscored = new Recurring();

  /** The lines to log after this step; of what was so in the step before it too, none. */
  step(metrics: StepMetrics, groups: readonly GroupRecord[]): readonly string[] {
    if (metrics.stage === "base") return [];
    this.#steps++;
    if (metrics.updates === 0) this.#withoutUpdate++;
    const reason = noLesson(metrics);
    if (reason !== null) this.#idle++;
    const error = firstError(groups);
    const began = NO_LESSONS.filter((each) => this.#reasons.get(each)?.begins(each === reason) === true);
    return [
      // Responses without a score have a line of their own, which names the first.
      ...began.filter((each) => each !== "unscored" || error === null).map((each) => NO_LESSON_WARNINGS[each]),
      ...(this.#unscored.begins(error !== null)
        ? [`${metrics["score/failed"] ?? "some"} responses have no score. The first: ${error}`]
        : []),
    ].map((line) => `step ${metrics.step}: ${line}`);
  }

  /** The lines to end with; empty after a run of which there is nothing to say. */
  summary(): readonly string[] {
    const of = (steps: number): string => `in ${steps} of ${this.#steps} steps`;
    return [
      ...NO_LESSONS.flatMap((reason) => {
        const steps = this.#reasons.get(reason)?.steps ?? 0;
        return steps === 0 || reason === "unscored" ? [] : [`${of(steps)}: ${NO_LESSON_WARNINGS[reason]}`];
      }),
      ...(this.#unscored.steps > 0
        ? [`${of(this.#unscored.steps)} responses had no score (score/failed in the metrics counts them).`]
        : []),
      ...(this.#withoutUpdate > 0 ? [`${of(this.#withoutUpdate)} there was nothing to train on: no update.`] : []),
      ...(this.#steps > 0 && this.#idle === this.#steps ? [taughtNothing(this.#steps)] : []),
    ];
  }
}

function taughtNothing(steps: number): string {
  return `Nothing was taught in ${steps === 1 ? "this step" : `these ${steps} steps`}: see above why.`;
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
