import { expect, test } from "vitest";
import { scoreResponse } from "../srpo/score";
import { problemAt } from "../tasks/problems";
import { taskSource } from "./problemSource";
import { emptyProgress, recallExample, reflect, responseText, storeExample, takeExamples } from "./reflectionData";
import { defaultSettings } from "./settings";

const problems = Array.from({ length: 40 }, (_, i) => problemAt("train", i));
const answered = (right: (index: number) => boolean) =>
  problems.map((problem, i) => ({
    problem,
    text:
      `<think> ${problem.readings.map((r) => `${r.subject} = ${r.value}`).join(" ; ")} </think> <answer> ` +
      `${right(i) ? problem.answer : "99"} </answer>`,
  }));

test("the teacher's record is a well-formed response whose refined answer is right", async () => {
  for (const { problem, text } of answered((i) => i % 2 === 0)) {
    const example = reflect(problem, text);
    if (example === null) throw new Error("expected a record");
    const score = scoreResponse(responseText(example), problem.answer, defaultSettings.reward);
    expect(score.formatReasons).toEqual([]);
    expect(score.refinedRight).toBe(true);
    expect(score.firstRight).toBe(example.firstRight);
    expect(await recallExample(storeExample(example), taskSource)).toEqual(example);
  }
});

test("an answer that cannot be read makes no record", () => {
  const [problem] = problems;
  if (problem === undefined) throw new Error("no problem");
  expect(reflect(problem, "<think> A = 3 </think>")).toBeNull();
  expect(reflect(problem, "")).toBeNull();
});

test("30 % right and 70 % wrong are taken where the policy gives enough of both", () => {
  const { progress } = takeExamples(
    emptyProgress(10),
    answered((i) => i % 2 === 0),
    0,
  );
  expect(progress).toEqual({ collected: 10, wanted: 10, right: 3, wrong: 7, discarded: 0 });
});

test("a policy that is always right still gets its data, once twice as many answers have been seen", () => {
  const { progress } = takeExamples(
    emptyProgress(10),
    answered(() => true),
    0,
  );
  expect(progress).toEqual({ collected: 10, wanted: 10, right: 10, wrong: 0, discarded: 0 });
  expect(
    takeExamples(
      emptyProgress(30),
      answered(() => true),
      0,
    ).progress.right,
  ).toBe(9);
});
