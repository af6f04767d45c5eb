import { describe, expect, test } from "vitest";
import type { StepNumbers } from "./explainStep";
import { NO_LESSON_WARNINGS, NO_LESSONS, noLesson } from "./noLesson";

/** A step that taught something. */
const healthy: StepNumbers = {
  stage: "grpo",
  updates: 1,
  grad_norm: 0.3,
  learning_rate: 2e-4,
  reward: 0.7,
  frac_reward_zero_std: 0.25,
  "completions/clipped_ratio": 0.1,
};

describe("why a step taught nothing", () => {
  test.each<[string, Partial<StepNumbers>, ReturnType<typeof noLesson>]>([
    ["a healthy step", {}, null],
    ["every response truncated", { "completions/clipped_ratio": 1 }, "truncated"],
    ["no response scored", { updates: 0, "score/failed": 48, reward: undefined }, "unscored"],
    ["the filter kept nothing", { updates: 0, "filter/drawn": 16, "filter/kept": 0 }, "filtered"],
    ["every group flat", { updates: 0, frac_reward_zero_std: 1 }, "flat"],
    ["every group flat, a KL term pulls", { frac_reward_zero_std: 1 }, "flat"],
    ["every group flat, but responses replayed", { frac_reward_zero_std: 1, "replay/drawn": 3 }, null],
    ["every group flat, but responses rethought", { frac_reward_zero_std: 1, "rethinking/kept": 1 }, null],
    ["nothing left, e.g. all masked", { updates: 0 }, "no rows"],
    ["a learning rate of 0", { learning_rate: 0 }, "rate"],
    ["a learning rate below single precision", { learning_rate: 1e-50 }, "rate"],
    ["an adapter of zeros", { grad_norm: 0 }, "gradient"],
    ["the base is only looked at", { stage: "base", updates: 0 }, null],
  ])("%s", (_what, numbers, reason) => {
    expect(noLesson({ ...healthy, ...numbers })).toBe(reason);
  });

  test("SFT has a gradient too", () => {
    expect(noLesson({ stage: "sft", grad_norm: 0, learning_rate: 1e-3, updates: 1 })).toBe("gradient");
    expect(noLesson({ stage: "sft", grad_norm: 1, learning_rate: 1e-3, updates: 1 })).toBeNull();
  });

  test("each reason is a sentence", () => {
    for (const reason of NO_LESSONS) expect(NO_LESSON_WARNINGS[reason]).toMatch(/^[A-Z].*\.$/);
  });
});
