/** Our instruction for a data set's questions, in each form of reflection. */
import { expect, test } from "vitest";
import { PAPER_FORM } from "../../srpo/reflectionForm";
import { readPrompt, responseInstruction } from "./prompts";

const PAPER = [
  "Answer in two rounds, with exactly these five blocks and nothing outside of them:",
  "",
  "<think> your reasoning, step by step </think>",
  "<answer> your answer, as short as it can be </answer>",
  "<reflection> what in the reasoning above is wrong, missing or longer than it need be, checked against the picture " +
    "</reflection>",
  "<think> the reasoning once more, with what the reflection found put right </think>",
  "<answer> your final answer, as short as it can be </answer>",
].join("\n");

test("the paper's form has the text that runs were made with", async () => {
  expect(responseInstruction(await readPrompt("response-format"), PAPER_FORM)).toBe(PAPER);
});

test("another tag, a trigger and several rounds are asked for in words", async () => {
  const prompt = await readPrompt("response-format");
  const checked = responseInstruction(prompt, { ...PAPER_FORM, tag: "check" });
  expect(checked).toBe(PAPER.replaceAll("reflection>", "check>"));
  const worded = responseInstruction(prompt, { ...PAPER_FORM, kind: "trigger", trigger: "Wait," });
  expect(worded).toMatch(
    /^Answer in two rounds, with exactly these blocks and words[\s\S]*\nWait, what in the reasoning/,
  );
  expect(worded).not.toContain("<reflection>");
  expect(responseInstruction(prompt, { ...PAPER_FORM, rounds: 3 })).toMatch(/may stand up to three times/);
});
