/** Metrics under other trainers' names mean what they mean there, and docs/method.md lists all of ours. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PAPER_FORM } from "../srpo/reflectionForm";
import { countWords, scoreResponse } from "../srpo/score";
import { groupMetrics } from "./metrics";
import type { GroupRecord, SampleRecord } from "./records";
import { defaultSettings } from "./settings";

const scored = scoreResponse("8", "8", defaultSettings.reward);
const sample = (total: number): SampleRecord => ({
  text: "8",
  tokens: ["8", "<end>"],
  tokenIds: [1, 2],
  logprobs: [-1, -1],
  entropies: [0.5, 0.25],
  segments: ["first", null],
  finished: true,
  score: { ...scored, terms: { ...scored.terms, total } },
});
const group = (totals: readonly number[], std: number): GroupRecord => ({
  problem: {
    id: "a",
    family: "digits",
    picture: { width: 1, height: 1, pixels: new Uint8Array(3) },
    question: "?",
    answer: "8",
  },
  samples: totals.map(sample),
  normalised: { mean: 0, std, flat: std === 0 },
});

test("reward_std is that of the whole step, as TRL's, and the groups' own mean has another name", () => {
  const metrics = groupMetrics([group([0, 0], 0), group([3, 1], Math.SQRT2)]);
  expect(metrics.reward).toBe(1);
  expect(metrics.reward_std).toBeCloseTo(Math.sqrt((1 + 1 + 4 + 0) / 3), 12);
  expect(metrics["reward/group_std"]).toBeCloseTo(Math.SQRT2 / 2, 12);
  expect(metrics.frac_reward_zero_std).toBe(0.5);
  expect(metrics.step_tokens).toBe(8);
  expect(metrics.entropy).toBeCloseTo(0.375, 12);
});

test("the number of rounds is measured where the form allows several", () => {
  expect(groupMetrics([group([1], 0)])["completions/rounds"]).toBeUndefined();
  const form = { ...PAPER_FORM, rounds: 2 };
  const solution = "<think> t </think> <answer> 8 </answer>";
  const rounds = [solution, `${solution} <reflection> r </reflection> ${solution}`].map((text) => ({
    ...sample(1),
    score: scoreResponse(text, "8", defaultSettings.reward, countWords, form),
  }));
  const metrics = groupMetrics([{ ...group([], 0), samples: rounds }]);
  expect(metrics["completions/rounds"]).toBe(0.5);
  expect(metrics["transitions/kept"]).toBe(0.5);
});

test("accuracy/first leaves out first solutions of earlier steps", () => {
  const wrong = "<think> t </think> <answer> 7 </answer>";
  const right = "<think> t </think> <answer> 8 </answer>";
  const of = (first: string) => ({
    ...group([], 0),
    samples: [
      {
        ...sample(1),
        score: scoreResponse(`${first} <reflection> r </reflection> ${right}`, "8", defaultSettings.reward),
      },
    ],
  });
  const begun = { ...of(wrong), prefix: { tokens: wrong.split(" "), segments: [] } };
  const metrics = groupMetrics([of(right), begun]);
  expect(metrics["accuracy/first"]).toBe(1);
  expect(metrics["transitions/fixed"]).toBe(0.5);
  expect(groupMetrics([begun])["accuracy/first"]).toBeUndefined();
});

test("docs/method.md names every metric", () => {
  const records = readFileSync("src/training/records.ts", "utf8");
  const [, body = ""] = /interface StepMetrics \{([\s\S]*?)\n\}/.exec(records) ?? [];
  const names = Array.from(body.matchAll(/readonly "?([\w/]+)"?\??:/g), ([, name]) => name);
  const page = readFileSync("docs/method.md", "utf8");
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
