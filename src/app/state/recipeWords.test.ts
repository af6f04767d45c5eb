import { expect, test } from "vitest";
import { settingLabel, settingValue } from "./recipeWords";

test.each([
  ["grpo.clipHigh", 0.28, "clip above", "0.28"],
  ["grpo.onlineFilter", null, "groups kept", "all"],
  ["grpo.onlineFilter", "mixed", "groups kept", "mixed only"],
  ["grpo.onlineFilter", [0.1, 0.9], "groups kept", "0.1 to 0.9"],
  ["grpo.stages", [], "stages", "one"],
  [
    "grpo.stages",
    [
      { steps: 75, maxNewTokens: 56, groupSize: 16, beta: 0 },
      { steps: 75, maxNewTokens: 104, groupSize: 8, beta: 0.01 },
    ],
    "stages",
    "75 steps of 56 tokens × 16, then 75 steps of 104 tokens × 8, β 0.01",
  ],
  ["grpo.aggregation", "token-mean", "mean over", "all tokens"],
  ["grpo.maskTruncated", true, "mask truncated", "yes"],
  ["reward.effectiveness.spoilt", -1, "spoilt", "−1"],
  ["grpo.rethinking", { fraction: 0.65, perGroup: 2 }, "forced rethinking", "fraction 0.65, per group 2"],
  ["temperature", 0.7, "temperature", "0.7"],
])("%s %j reads %s: %s", (path, value, label, text) => {
  expect([settingLabel(path), settingValue(path, value)]).toEqual([label, text]);
});
