import { describe, expect, test } from "vitest";
import { countWords } from "../srpo/score";
import { configure, SettingsError } from "./configure";
import { groupMetrics } from "./metrics";
import { normaliseGroups } from "./normalise";
import type { GroupRecord, SampleRecord } from "./records";
import { scoreGroups } from "./score";
import { defaultSettings, type Settings } from "./settings";

const sample = (text: string): SampleRecord => ({
  text,
  tokens: [],
  tokenIds: [],
  logprobs: [],
  entropies: [],
  segments: [],
  finished: true,
});
const group: GroupRecord = {
  problem: {
    id: "bars:train:7",
    family: "bars",
    picture: { width: 1, height: 1, pixels: new Uint8Array(3) },
    question: "?",
    answer: "8",
  },
  samples: ["<think> so </think> <answer> 8 </answer>", "<answer> 8 </answer>", "<think> so so </think>"].map(sample),
};
const withTerm = (expression: string, weight = 1): Settings =>
  configure(defaultSettings, { reward: { customTerms: [{ name: "own", expression, weight }] } });
const scored = (settings: Settings): GroupRecord[] =>
  normaliseGroups(scoreGroups([group], settings, countWords), {
    ...settings.grpo,
    variant: settings.reward.variant,
  });

test("a response that cannot be trained on has no score, whatever its text", () => {
  const unusable = (tokens: readonly number[]): string | null =>
    tokens.includes(77) ? "token 1 is a picture's" : null;
  const [first, ...others] = group.samples;
  const holding = { ...group, samples: [{ ...first!, tokenIds: [77, 5] }, ...others] };
  const [record] = scoreGroups([holding], defaultSettings, countWords, undefined, unusable);
  expect(record?.samples.map(({ score }) => (score && "error" in score ? score.error : "scored"))).toEqual([
    "bars:train:7, response 1: token 1 is a picture's",
    "scored",
    "scored",
  ]);
});

describe("a reward term of one's own that fails", () => {
  const failed = scored(withTerm('log(count(text, "so"))'));

  test("makes an error of its row that names problem, response, term and reason", () => {
    expect(failed[0]?.samples.map(({ score }) => score && "error" in score && score.error)).toEqual([
      false,
      // log(0) is −∞.
      'bars:train:7, response 2: reward term "own": column 1: gives −∞, which no reward can be',
      false,
    ]);
  });

  test("leaves the row out of mean, advantages and metrics, and is counted", () => {
    expect(failed[0]?.samples[1]?.advantage).toBe(0);
    // log 1 and log 2 beside 0.5 for the right first answer.
    expect(failed[0]?.normalised?.mean).toBeCloseTo((0.5 + Math.log(2)) / 2, 12);
    expect(groupMetrics(failed)).toMatchObject({
      "score/failed": 1,
      "rewards/own": expect.closeTo(Math.log(2) / 2, 12),
      reward: expect.closeTo((0.5 + Math.log(2)) / 2, 12),
    });
  });

  test("logs no reward and no accuracy where every response fails", () => {
    const metrics = groupMetrics(scored(withTerm("log(-1)")));
    expect(metrics["score/failed"]).toBe(3);
    expect(
      Object.keys(metrics).filter((name) => /^(reward$|reward_|rewards\/|accuracy|transitions)/.test(name)),
    ).toEqual([]);
  });

  test("is not counted where nothing fails", () => {
    expect(groupMetrics(scored(withTerm("length", 0.01)))["score/failed"]).toBe(0);
    expect(Object.keys(groupMetrics(scored(defaultSettings)))).not.toContain("rewards/own");
  });
});

test.each<[string, unknown, RegExp]>([
  ["an expression", [{ name: "own", expression: "lenght > 3" }], /0.expression: column 1: there is no fact "lenght"/],
  ["a name", [{ name: "total", expression: "1" }], /0.name: "total" is taken/],
  ["a weight", [{ name: "own", expression: "1", weight: 1e9 }], /0.weight/],
  [
    "a name given twice",
    [
      { name: "own", expression: "1" },
      { name: "own", expression: "2" },
    ],
    /same name/,
  ],
  ["nine terms", Array.from({ length: 9 }, (_, i) => ({ name: `t${i}`, expression: "1" })), /at most 8/],
])("settings refuse %s", (_, customTerms, message) => {
  const patch = { reward: { customTerms } } as unknown as Parameters<typeof configure>[1];
  expect(() => configure(defaultSettings, patch)).toThrow(message);
  expect(() => configure(defaultSettings, patch)).toThrow(SettingsError);
});
