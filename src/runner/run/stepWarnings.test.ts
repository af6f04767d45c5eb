import { expect, test } from "vitest";
import type { StepMetrics } from "../../training/records";
import { StepWarnings } from "./stepWarnings";

const step = (number: number, clipped: number, updates = 1): StepMetrics => ({
  step: number,
  stage: "grpo",
  updates,
  "completions/clipped_ratio": clipped,
});

test("says once when every response is truncated, again after a step that was not, and at the end how often", () => {
  const warnings = new StepWarnings();
  expect(warnings.step({ step: 300, stage: "sft", loss: 1 })).toBeNull();
  const said = [step(1, 0.5), step(2, 1), step(3, 1, 0), step(4, 0.9), step(5, 1)].map((each) => warnings.step(each));
  expect(said).toEqual([
    null,
    "step 2: Every response was truncated: raise the length limit (maxNewTokens).",
    null,
    null,
    "step 5: Every response was truncated: raise the length limit (maxNewTokens).",
  ]);
  expect(warnings.summary()).toEqual([
    "in 3 of 5 steps: Every response was truncated: raise the length limit (maxNewTokens).",
    "in 1 of 5 steps there was nothing to train on: no update.",
  ]);
});

test("a healthy run ends without a word", () => {
  const warnings = new StepWarnings();
  warnings.step(step(1, 0));
  expect(warnings.summary()).toEqual([]);
});
