/**
 * Steps that teach nothing: why one could not change the policy for the better, in words that say what to do. Such a
 * run looks healthy otherwise: it steps, logs and saves. Page, log and metrics say the same.
 */
import { isTruncated, type StepNumbers, TRUNCATED_WARNING } from "./explainStep";

export const NO_LESSONS = ["truncated", "unscored", "filtered", "flat", "no rows", "rate", "gradient"] as const;
export type NoLesson = (typeof NO_LESSONS)[number];

/** What a log says of such a step. */
export const NO_LESSON_WARNINGS: Readonly<Record<NoLesson, string>> = {
  truncated: TRUNCATED_WARNING,
  unscored: "No response has a score: see score/failed and its reasons.",
  filtered: "The filter kept no group: widen grpo.onlineFilter, allow refills, or take other problems.",
  flat:
    "In every group all rewards are equal, so no response is better than another: raise the group size or the " +
    "temperature, or take problems that the policy sometimes solves.",
  "no rows": "No response was left to train on.",
  rate: "The learning rate is 0 in single precision: no weight changes.",
  gradient:
    "The gradient is 0: nothing that is trained has an effect on the loss. An adapter whose A and B are 0 stays 0.",
};

/** The first reason why a step of a trained stage taught nothing; null: it taught something. */
export function noLesson(step: StepNumbers): NoLesson | null {
  if (step.stage === "base") return null;
  return NO_LESSONS.find((reason) => holds[reason](step)) ?? null;
}

const holds: Readonly<Record<NoLesson, (step: StepNumbers) => boolean>> = {
  truncated: isTruncated,
  unscored: (step) => idle(step) && (step["score/failed"] ?? 0) > 0 && step.reward === undefined,
  filtered: (step) => idle(step) && step["filter/kept"] === 0,
  // A KL term alone pulls the policy back to where it began. Replayed and rethought responses do teach.
  flat: (step) =>
    step.frac_reward_zero_std === 1 && !((step["replay/drawn"] ?? 0) > 0 || (step["rethinking/kept"] ?? 0) > 0),
  "no rows": idle,
  rate: ({ learning_rate: rate }) => rate !== undefined && Math.fround(rate) === 0,
  gradient: ({ grad_norm: norm }) => norm === 0,
};

/** A step that made no update. */
function idle({ updates }: StepNumbers): boolean {
  return updates === 0;
}
