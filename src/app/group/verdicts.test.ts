import { describe, expect, test } from "vitest";
import { tokenRounds, tokenSegments } from "../../srpo/format";
import { PAPER_FORM, type ReflectionForm } from "../../srpo/reflectionForm";
import { defaultRewardConfig } from "../../srpo/reward";
import { countWords, scoreResponse } from "../../srpo/score";
import type { SampleRecord } from "../../worker/protocol";
import { tokensBySegment } from "../state/tokens";
import { verdictsOf } from "./verdicts";

const solution = (answer: string): string => `<think> t </think> <answer> ${answer} </answer>`;

function sampleOf(text: string, form: ReflectionForm): SampleRecord {
  const tokens = text.split(" ");
  const { parsed: _parsed, ...score } = scoreResponse(text, "8", defaultRewardConfig, countWords, form);
  return {
    text,
    tokens,
    tokenIds: tokens.map(() => 1),
    logprobs: tokens.map(() => 0),
    entropies: tokens.map(() => 0),
    segments: tokenSegments(text, tokens, form),
    ...(form.rounds === 1 ? {} : { rounds: tokenRounds(text, tokens, form) }),
    finished: true,
    score,
  };
}
const cells = (text: string, form: ReflectionForm) => {
  const sample = sampleOf(text, form);
  const segments = tokensBySegment(sample);
  const words = (at: readonly number[]): string => at.map((index) => sample.tokens[index]).join(" ");
  const score = sample.score !== undefined && "terms" in sample.score ? sample.score : null;
  return {
    reflection: segments.reflection.map((round) => words(round.text)),
    refined: segments.refined.map((round) => words(round.answer)),
    marks: verdictsOf(score, segments, "equivalent").refined.map(({ right, unread }) => (unread ? "unread" : right)),
  };
};

describe("the cells of a response", () => {
  test("of one round have one part, whatever the tag is called", () => {
    const form = { ...PAPER_FORM, tag: "check" };
    expect(cells(`${solution("7")} <check> r </check> ${solution("8")}`, form)).toEqual({
      reflection: ["r"],
      refined: ["8"],
      marks: [true],
    });
  });
  test("keep <unk> as a word, and a trigger as a part of the reflection", () => {
    const form: ReflectionForm = { ...PAPER_FORM, kind: "trigger", trigger: "hm" };
    expect(cells(`${solution("7")} hm <unk> r ${solution("8")}`, form).reflection).toEqual(["hm <unk> r"]);
  });
  test("of several rounds have a part and a mark for each; a cut answer is unread", () => {
    const form = { ...PAPER_FORM, rounds: 3 };
    const round = (r: string, answer: string): string => ` <reflection> ${r} </reflection> ${solution(answer)}`;
    const two = `${solution("7")}${round("r1", "8")}${round("r2", "9")}`;
    expect(cells(two, form)).toEqual({ reflection: ["r1", "r2"], refined: ["8", "9"], marks: [true, false] });
    const cut = `${two} <reflection> r3 </reflection> <think> t </think> <answer> 8`;
    expect(cells(cut, form)).toEqual({
      reflection: ["r1", "r2", "r3"],
      refined: ["8", "9", "8"],
      marks: [true, false, "unread"],
    });
  });
});
