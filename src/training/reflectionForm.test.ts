/** The form of reflection as a setting: its bounds, its words, and SFT data written in it. */
import { describe, expect, test } from "vitest";
import { InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import { PolicyTokenizer } from "../policy/processor/tokenizer";
import { nanoTokenizerFiles } from "../policy/processor/tokenizerNano";
import { PAPER_FORM, type ReflectionForm } from "../srpo/reflectionForm";
import { countWords, scoreResponse } from "../srpo/score";
import { RESPONSE_TAGS } from "../srpo/tags";
import { problemAt } from "../tasks/problems";
import { VOCABULARY } from "../tasks/vocabulary";
import { configure } from "./configure";
import { refuseUnknownWords } from "./formWords";
import { taskSource } from "./problemSource";
import { emptyProgress, recallExample, responseText, storeExample, takeExamples } from "./reflectionData";
import { defaultSettings, settingsSchema } from "./settings";
import { storedExampleSchema } from "./state";

describe("settings", () => {
  test("the default is the paper's tag pair, once", () => {
    expect(defaultSettings.reflectionForm).toEqual(PAPER_FORM);
    expect(settingsSchema.parse({ reflectionForm: { kind: "trigger" } }).reflectionForm.kind).toBe("trigger");
  });
  test.each([
    [{ tag: "answer" }, "reflectionForm.tag: is taken"],
    [{ tag: "two words" }, "reflectionForm.tag: is the name of a tag"],
    [{ trigger: "  " }, "reflectionForm.trigger: is empty"],
    [{ trigger: "so </answer>" }, "reflectionForm.trigger: holds a tag"],
    [{ rounds: 5 }, "reflectionForm.rounds"],
    [{ rounds: 0 }, "reflectionForm.rounds"],
  ])("%j is refused", (reflectionForm, message) => {
    expect(() => configure(defaultSettings, { reflectionForm })).toThrow(message);
  });
});

test("a word that the policy does not have is refused by name", async () => {
  const files = new InMemoryFiles(nanoTokenizerFiles([...RESPONSE_TAGS, ...VOCABULARY]));
  const tokenizer = await PolicyTokenizer.open(files);
  const refused = (form: Partial<ReflectionForm>) => () =>
    refuseUnknownWords({ tokenizer }, { ...defaultSettings, reflectionForm: { ...PAPER_FORM, ...form } });
  expect(refused({})).not.toThrow();
  expect(refused({ kind: "trigger" })).not.toThrow();
  expect(refused({ tag: "check" })).toThrow(/reflectionForm\.tag: .*does not hold: <check>, <\/check>/);
  expect(refused({ kind: "trigger", trigger: "Wait , is answer right ?" })).toThrow(
    /reflectionForm\.trigger: .*does not hold: Wait, ,\./,
  );
});

const FORMS: readonly ReflectionForm[] = [
  { ...PAPER_FORM, tag: "check" },
  { ...PAPER_FORM, kind: "trigger" },
  { ...PAPER_FORM, rounds: 3 },
  { ...PAPER_FORM, kind: "trigger", rounds: 2 },
];
test.each(FORMS)("the teacher's data is well formed as $kind $tag with $rounds rounds", async (form) => {
  const answers = Array.from({ length: 12 }, (_, i) => {
    const problem = problemAt("train", i);
    const think = problem.readings.map(({ subject, value }) => `${subject} = ${value}`).join(" ; ");
    return { problem, text: `<think> ${think} </think> <answer> ${i % 2 === 0 ? problem.answer : "81"} </answer>` };
  });
  const { taken } = takeExamples(emptyProgress(6), answers, 100, form.rounds);
  expect(taken).toHaveLength(6);
  for (const [i, example] of taken.entries()) {
    const score = scoreResponse(
      responseText(example, form),
      example.problem.answer,
      defaultSettings.reward,
      countWords,
      form,
    );
    expect(score.formatReasons).toEqual([]);
    expect(score.transition).toBe(i % form.rounds > 0 || example.firstRight ? "kept" : "fixed");
    expect(score.rounds?.length ?? 1).toBe(1 + (i % form.rounds));
    const stored = storedExampleSchema.parse(JSON.parse(JSON.stringify(storeExample(example))));
    expect(await recallExample(stored, taskSource)).toEqual(example);
  }
  // The later rounds confirm: they see the refined solution before them.
  expect(taken[1]?.laterRounds?.[0]?.reflection ?? "steps hold").toMatch(/steps hold$/);
});
