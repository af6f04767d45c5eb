/** The kind of answer and the tolerance that a record may ask for. */
import { describe, expect, it } from "vitest";
import { gradeAnswer, isRight, type TrueAnswer } from "./grader";

describe("what a record requires", () => {
  const graded = (answer: string, truth: TrueAnswer): boolean => isRight(answer, truth, "equivalent");
  it.each([
    ["10.4", "10", 0.5, true],
    ["10.6", "10", 0.5, false],
    ["104", "100", "5%", true],
    ["106", "100", "5%", false],
    ["1.04 m", "100 cm", "5%", true],
    ["-104", "100", "5%", false],
    ["10.0", "10", 0, true],
  ] as const)("%s for %s within %s: %s", (answer, truth, tolerance, wanted) =>
    expect(graded(answer, { answer: truth, tolerance })).toBe(wanted),
  );
  it.each([
    ["letter", "B", "B. 12 cm", true],
    ["letter", "B", "12 cm", false],
    ["letter", "12 cm", "B. 12 cm", false],
    ["number", "8 cm", "8", true],
    ["number", "eight", "8", true],
    ["number", "8", "x + 8", false],
    ["number", "x = 8", "8", true],
    ["interval", "2 < x < 3", "(2, 3)", true],
    ["interval", "2, 3", "(2, 3)", false],
    ["interval", "[2, 3]", "(2, 3)", false],
    ["set", "3, 2", "{2, 3}", true],
    ["set", "8", "{8}", true],
    ["set", "2", "{2, 3}", false],
    ["expression", "1+x", "x+1", true],
    ["expression", "x", "x+1", false],
    ["expression", "red", "x+1", false],
    ["text", "the red bar", "Red bar", true],
    ["text", "0.5", "1/2", false],
    ["text", "8 cm", "8", false],
  ] as const)("kind %s: %s for %s is %s", (answerKind, answer, truth, wanted) =>
    expect(graded(answer, { answer: truth, answerKind })).toBe(wanted),
  );
  it("says when an answer is of another kind", () =>
    expect(gradeAnswer("red", { answer: "8", answerKind: "number" }, "equivalent").reason).toBe(
      "The answer “red” is not of the kind that this record asks for: number.",
    ));
  it("refuses a tolerance that is none", () => {
    for (const tolerance of ["", "x", "-1", -1, "5 percent", Number.NaN])
      expect(() => graded("8", { answer: "8", tolerance }), String(tolerance)).toThrow(/tolerance/);
  });
});
