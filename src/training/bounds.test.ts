/** What a run may ask for: each setting that multiplies memory, their products, and what must stay possible. */
import { describe, expect, test } from "vitest";
import { nanoSettings, RECIPES } from "../srpo/recipe";
import { overLimits, PAGE_LIMITS, RUN_LIMITS } from "./bounds";
import { configure } from "./configure";
import { overlay } from "./overlay";
import { defaultSettings, type SettingsPatch, settingsSchema } from "./settings";

describe("settings that would take all memory are refused, by name", () => {
  test.each<[string, SettingsPatch, RegExp]>([
    ["group size", { grpo: { groupSize: 1e9 } }, /grpo\.groupSize/],
    ["prompts", { grpo: { prompts: 1e9 } }, /grpo\.prompts/],
    ["tokens", { maxNewTokens: 1e9 }, /maxNewTokens/],
    ["rows", { microBatchRows: 1e9 }, /microBatchRows/],
    ["steps", { grpo: { steps: 1e9 } }, /grpo\.steps/],
    ["minibatches", { grpo: { updatesPerRollout: 1e9 } }, /grpo\.updatesPerRollout/],
    ["examples", { sft: { examples: 1e9 } }, /sft\.examples/],
    ["SFT batch", { sft: { batchSize: 1e9 } }, /sft\.batchSize/],
    ["slots", { rollout: { slots: 1e9, cache: null, stopStrings: [] } }, /rollout\.slots/],
    ["rounds", { reflectionForm: { ...defaultSettings.reflectionForm, rounds: 1e9 } }, /reflectionForm\.rounds/],
    [
      "rethinking",
      { grpo: { rethinking: { fraction: 1, trigger: null, perGroup: 2, maxTokens: 1e9, weight: 1 } } },
      /grpo\.rethinking\.maxTokens/,
    ],
    ["stages", { grpo: { stages: [{ steps: 1, maxNewTokens: 9, groupSize: 1e9, beta: 0 }] } }, /grpo\.stages\.0/],
  ])("%s", (_what, patch, message) => {
    expect(() => configure(defaultSettings, patch)).toThrow(message);
  });

  test.each<[string, SettingsPatch, RegExp]>([
    [
      "of a step",
      { maxNewTokens: 8192, grpo: { prompts: 4096, groupSize: 1024 } },
      /a GRPO step would hold grpo\.prompts × grpo\.groupSize × maxNewTokens = 4,096 × 1,024 × 8,192 = 34,359,738,368/,
    ],
    [
      "of a stage",
      { grpo: { prompts: 4096, stages: [{ steps: 1, maxNewTokens: 100_000, groupSize: 1024, beta: 0 }] } },
      /a GRPO step of stage 1 would hold/,
    ],
    ["of an SFT step", { maxNewTokens: 131_072, sft: { batchSize: 4096 } }, /an SFT step would hold sft\.batchSize/],
    [
      "of a replay buffer",
      { grpo: { replay: { episode: 10_000, alpha: 1 } } },
      /the replay buffer would hold grpo\.replay\.episode × .* × grpo\.groupSize = 10,000 × 16 × 8 = 1,280,000/,
    ],
    [
      "of a failure buffer",
      { maxNewTokens: 1024, grpo: { failures: { ...VRRL, capacity: 100_000 } } },
      /the failure buffer would hold grpo\.failures\.capacity × maxNewTokens/,
    ],
  ])("products: %s", (_what, patch, message) => {
    expect(() => configure(defaultSettings, patch)).toThrow(message);
  });
});

const VRRL = { share: 0.4, capacity: 500, maxAge: 50, minimum: 32, wrongShare: 0.9, perGroup: 3 };

describe("what stays possible", () => {
  test.each(Object.keys(RECIPES) as (keyof typeof RECIPES)[])("%s, here and at its own scale", (name) => {
    expect(
      overLimits(settingsSchema.parse(overlay(defaultSettings, nanoSettings(RECIPES[name]))), PAGE_LIMITS),
    ).toBeNull();
    const own = overlay(defaultSettings, { ...RECIPES[name].settings, maxNewTokens: 8192 });
    expect(settingsSchema.safeParse(overlay(own, { grpo: { prompts: 512 } })).error).toBeUndefined();
  });

  test("DAPO's step of 512 prompts, 16 responses and 20,480 tokens, not in a browser tab", () => {
    const dapo = configure(defaultSettings, { maxNewTokens: 20_480, grpo: { prompts: 512, groupSize: 16 } });
    expect(overLimits(dapo, RUN_LIMITS)).toBeNull();
    expect(overLimits(dapo, PAGE_LIMITS)).toMatch(/expected at most 1,048,576/);
  });

  test("everything that the page's controls offer", () => {
    const most = configure(defaultSettings, { maxNewTokens: 512, grpo: { prompts: 64, groupSize: 16 } });
    expect(overLimits(most, PAGE_LIMITS)).toBeNull();
  });
});
