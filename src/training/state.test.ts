/** What is read back from older snapshots. */
import { expect, test } from "vitest";
import { objectiveOf } from "../srpo/objective";
import { defaultSettings } from "./settings";
import { sessionStateSchema } from "./state";

/** A state as it was stored before the surrogate could be chosen. */
function olderState(preset: string): unknown {
  const { surrogate: _, ratioLevel: _level, dualClip: _dual, klEstimator: _kl, ...grpo } = defaultSettings.grpo;
  return {
    version: 1,
    stage: "grpo",
    step: 3,
    updates: 3,
    cursor: { base: 0, sft: 0, grpo: 48 },
    chunks: 0,
    samples: 0,
    refusals: 0,
    settings: { ...defaultSettings, grpo: { ...grpo, preset, ratioMax: 3 } },
    pending: null,
    examples: [],
    progress: { collected: 0, wanted: 0, right: 0, wrong: 0, discarded: 0 },
    history: [{ step: 1, stage: "grpo", num_tokens: 700 }],
  };
}

test.each([
  ["srpo", 3],
  ["trl", null],
  ["verl", null],
] as const)(
  "settings stored before grpo.surrogate, preset %s: the ratio is clamped at %s, as it was",
  (preset, ratioMax) => {
    const { grpo } = sessionStateSchema.parse(olderState(preset)).settings;
    expect(grpo.surrogate).toBe("clip");
    expect(objectiveOf(grpo, 104).surrogate).toMatchObject({ kind: "clip", ratioMax });
  },
);
