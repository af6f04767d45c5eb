import { describe, expect, test } from "vitest";
import { defaultSettings, type SampleRecord } from "../../worker/protocol";
import { barProblem, group, score } from "../testing/fixture";
import { continuationFate, continuedRow, givenResponse, groupNotes, isGiven, triggerOf } from "./given";
import { explainToken, tokensBySegment } from "./tokens";

const WORDS =
  "<think> t </think> <answer> 7 </answer> <reflection> no </reflection> <think> u </think> <answer> 8 </answer>";

/** Continued after its first solution of six tokens; the trigger is the opening tag of the reflection. */
function continued(change: Partial<SampleRecord> = {}): SampleRecord {
  const tokens = WORDS.split(" ");
  return {
    text: WORDS,
    tokens,
    tokenIds: tokens.map((_, at) => at),
    logprobs: tokens.map((_, at) => (at === 6 ? 0 : -0.1)),
    entropies: tokens.map(() => 0.2),
    segments: tokens.map((_, at) => (at < 6 ? "first" : at < 9 ? "reflection" : "refined")),
    finished: true,
    forcedFrom: 6,
    continuedFrom: 7,
    score: score(WORDS, "8", defaultSettings.reward),
    ...change,
  };
}

describe("a response that was made to think again", () => {
  test("has its trigger told apart from what was sampled", () => {
    const sample = continued();
    expect(triggerOf(sample).map((at) => sample.tokens[at])).toEqual(["<reflection>"]);
    expect([5, 6, 7].map((at) => isGiven(sample, at))).toEqual([false, true, false]);
    expect(explainToken(sample, 6, defaultSettings.grpo)).toMatchObject({
      title: "“<reflection>” · not sampled in this step",
      sentence: expect.stringMatching(/^Part of the trigger/),
    });
    // A trigger's log-probability is recorded as 0: it must not be read as certainty.
    expect(explainToken(sample, 6, defaultSettings.grpo).numbers).toBeUndefined();
    expect(explainToken(sample, 7, defaultSettings.grpo).numbers).toMatch(/^log p = −0\.1/);
  });

  test("names the response whose first solution it keeps", () => {
    const own = group({ seed: 1, skill: 0.5, groupSize: 3, phase: "rollout", reward: defaultSettings.reward });
    const plain = (ids: readonly number[]): SampleRecord => ({ ...continued(), tokenIds: ids });
    const of = (...rows: (readonly number[])[]) => ({ ...own, samples: rows.map(plain) });
    expect(continuedRow(of([9, 9], [0, 1, 2, 3, 4, 5, 77]), continued())).toBe(1);
    expect(continuedRow(of([9, 9], [0, 1, 2, 3, 4]), continued())).toBeNull();
  });

  test("is imitated where it is right and within the limit of its group", () => {
    expect(continuationFate(continued({ kept: true }))?.label).toBe("imitated");
    expect(continuationFate(continued({ kept: false }))?.why).toMatch(/^Right as well/);
    const wrong = continued({ kept: false, score: score(WORDS, "9", defaultSettings.reward) });
    expect(continuationFate(wrong)?.why).toMatch(/is wrong/);
    expect(continuationFate(continued({ score: { error: "No number" } }))).toEqual({
      label: "not scored",
      why: "No number. It is not trained on.",
    });
    const { score: _score, ...sampled } = continued();
    expect(continuationFate(sampled)).toBeNull();
  });
});

describe("a group that begins after an earlier first solution", () => {
  const prefix = { tokens: WORDS.split(" ").slice(0, 6), segments: Array.from({ length: 6 }, () => "first" as const) };

  test("shows that solution as given tokens of the first segment", () => {
    const given = givenResponse(prefix);
    const { first } = tokensBySegment(given);
    expect(first[0].answer.map((at) => given.tokens[at])).toEqual(["7"]);
    expect(first[0].text.map((at) => given.tokens[at])).toEqual(["t"]);
    expect(given.tokens.every((_, at) => isGiven(given, at))).toBe(true);
    expect(triggerOf(given)).toEqual([]);
    expect(explainToken(given, 1, defaultSettings.grpo).sentence).toMatch(/from an earlier step/);
  });

  test("says so, and a replayed one from which step it is", () => {
    const plain = { problem: barProblem(1), samples: [] };
    expect(groupNotes(plain)).toEqual([]);
    expect(groupNotes({ ...plain, prefix }).map(({ label }) => label)).toEqual([
      "Begins after an earlier first solution",
    ]);
    expect(groupNotes({ ...plain, prefix, replayedFrom: 31 })[0]?.label).toBe("Replayed from step 31");
  });
});
