import { expect, test } from "vitest";
import type { GroupRecord, StepMetrics } from "../../training/records";
import { StepWarnings } from "./stepWarnings";

const step = (number: number, clipped: number, updates = 1): StepMetrics => ({
  step: number,
  stage: "grpo",
  updates,
  "completions/clipped_ratio": clipped,
});

test("says once when every response is truncated, again after a step that was not, and at the end how often", () => {
  const warnings = new StepWarnings();
  const said = [step(1, 0.5), step(2, 1), step(3, 1, 0), step(4, 0.9), step(5, 1)].map((each) =>
    warnings.step(each, []),
  );
  expect(said).toEqual([
    [],
    ["step 2: Every response was truncated: raise the length limit (maxNewTokens)."],
    [],
    [],
    ["step 5: Every response was truncated: raise the length limit (maxNewTokens)."],
  ]);
  expect(warnings.summary()).toEqual([
    "in 3 of 5 steps: Every response was truncated: raise the length limit (maxNewTokens).",
    "in 1 of 5 steps there was nothing to train on: no update.",
  ]);
});

test("says why responses have no score when that begins, and at the end how often", () => {
  const sample = { text: "", tokens: [], tokenIds: [], logprobs: [], entropies: [], segments: [], finished: true };
  const failed: GroupRecord = {
    problem: {
      id: "bars:train:7",
      family: "bars",
      picture: { width: 1, height: 1, pixels: new Uint8Array(3) },
      question: "?",
      answer: "8",
    },
    samples: [sample, { ...sample, score: { error: 'bars:train:7, response 2: reward term "own": no luck' } }],
  };
  const warnings = new StepWarnings();
  const metrics = (number: number): StepMetrics => ({ ...step(number, 0), "score/failed": 1 });
  expect(warnings.step(step(1, 0), [])).toEqual([]);
  expect(warnings.step(metrics(2), [failed])).toEqual([
    'step 2: 1 responses have no score. The first: bars:train:7, response 2: reward term "own": no luck',
  ]);
  expect(warnings.step(metrics(3), [failed])).toEqual([]);
  expect(warnings.summary()).toEqual([
    "in 2 of 3 steps responses had no score (score/failed in the metrics counts them).",
  ]);
});

test.each<[string, object, RegExp]>([
  ["every group flat", { updates: 0, frac_reward_zero_std: 1 }, /In every group all rewards are equal/],
  ["the filter keeps nothing", { updates: 0, "filter/kept": 0 }, /The filter kept no group/],
  ["an adapter without a gradient", { grad_norm: 0 }, /The gradient is 0/],
  ["a learning rate of 0", { learning_rate: 0 }, /The learning rate is 0/],
  ["SFT without a gradient", { stage: "sft", grad_norm: 0 }, /The gradient is 0/],
])("a run that teaches nothing says so at once and at the end: %s", (_what, metrics, why) => {
  const warnings = new StepWarnings();
  const lines = [1, 2].flatMap((number) => warnings.step({ ...step(number, 0), ...metrics }, []));
  expect(lines).toEqual([expect.stringMatching(why)]);
  expect(warnings.summary()[0]).toMatch(new RegExp(`^in 2 of 2 steps: ${why.source}`));
  expect(warnings.summary().at(-1)).toBe("Nothing was taught in these 2 steps: see above why.");
});

test("a healthy run ends without a word", () => {
  const warnings = new StepWarnings();
  expect(warnings.step(step(1, 0), [])).toEqual([]);
  expect(warnings.summary()).toEqual([]);
});
