/** The two graders: what is equivalent, what is exact, the reasons they give, and their time on hostile answers. */
import { describe, expect, it } from "vitest";
import { gradeAnswer, isRight } from "./grader";

const right = (response: string, truth: string): boolean => isRight(response, truth, "equivalent");

describe("equivalent grader", () => {
  it.each([
    // letters
    ["B", "B"],
    ["b", "B"],
    ["(B)", "B"],
    ["B.", "B"],
    ["B)", "B"],
    ["[B]", "B"],
    ["option B", "B"],
    ["Choice (b)", "B"],
    ["B. 12 cm", "B"],
    ["(B) the red bar", "B"],
    ["B: 7", "B"],
    ["$\\boxed{B}$", "B"],
    ["\\boxed{\\text{B}}", "B"],
    ["The answer is B", "B"],
    ["Answer: B", "(B)"],
    ["B", "B."],
    // integers and thousands
    ["8", "8"],
    ["8.", "8"],
    ["+8", "8"],
    ["08", "8"],
    ["1,234", "1234"],
    ["1{,}234", "1234"],
    ["1,234,567", "1234567"],
    ["8.0", "8"],
    ["(8)", "8"],
    ["$8$", "8"],
    ["$$8$$", "8"],
    ["\\(8\\)", "8"],
    ["\\boxed{8}", "8"],
    ["so \\boxed{8} then", "8"],
    ["\\boxed{8} \\boxed{8}", "8"],
    ["x = 8", "8"],
    ["the answer is 8", "8"],
    ["The final answer is: 8.", "8"],
    ["Answer: 8", "8"],
    ["therefore, the answer is 8", "8"],
    ["<answer> 8 </answer>", "8"],
    // negative numbers
    ["-3", "-3"],
    ["−3", "-3"],
    ["- 3", "-3"],
    ["(-3)", "-3"],
    ["$-3$", "-3"],
    ["\\boxed{-3}", "-3"],
    ["-1/2", "-0.5"],
    ["1/-2", "-0.5"],
    ["-\\frac{1}{2}", "-0.5"],
    ["\\frac{-1}{2}", "-0.5"],
    ["-3 cm", "-3"],
    // decimals and fractions
    ["0.5", "1/2"],
    [".5", "0.5"],
    ["0.50", "0.5"],
    ["1/2", "2/4"],
    ["\\frac{1}{2}", "0.5"],
    ["\\dfrac12", "0.5"],
    ["1 1/2", "1.5"],
    ["1\\frac{1}{2}", "3/2"],
    ["0.333", "1/3"],
    ["0.667", "2/3"],
    ["0.666", "2/3"],
    ["3.5e2", "350"],
    ["3.5 × 10^2", "350"],
    ["3.5 \\times 10^{2}", "350"],
    ["1e-3", "0.001"],
    // percent
    ["50%", "50%"],
    ["50 %", "0.5"],
    ["50\\%", "1/2"],
    ["0.5", "50%"],
    ["50", "50%"],
    ["50%", "50"],
    ["12.5 percent", "12.5%"],
    // units
    ["5 cm", "5"],
    ["5", "5 cm"],
    ["5cm", "5 cm"],
    ["5 \\text{ cm}", "5 cm"],
    ["5 m", "500 cm"],
    ["500 centimeters", "5 metres"],
    ["70°", "70"],
    ["70^\\circ", "70 degrees"],
    ["70^{\\circ}", "70°"],
    ["8 apples", "8"],
    ["8 red circles", "8"],
    ["1 apple", "1 apples"],
    ["12 cm^2", "12 square centimeters"],
    ["12 cm²", "12"],
    ["$5", "5"],
    ["€5", "5"],
    ["90 min", "1.5 h"],
    ["1.5 hours", "90 minutes"],
    ["60 km/h", "60"],
    // words and lists
    ["red", "Red"],
    ["the red bar.", "the  red bar"],
    ["yes", "Yes"],
    ["3, 5", "3,5"],
    ["(1, 2)", "(1,2)"],
    ["1/2; 3", "0.5; 3.0"],
    ["5, 3", "3, 5"],
    ["red, blue", "Red, Blue"],
  ])("%s answers %s", (response, truth) => expect(right(response, truth)).toBe(true));

  it.each([
    // another answer
    ["A", "B"],
    ["8", "9"],
    ["-8", "8"],
    ["8", "-8"],
    ["0.5", "0.05"],
    ["1/2", "1/3"],
    ["0.33", "1/3"],
    ["0.3334", "1/3"],
    ["1000001", "1000000"],
    ["0.3000", "0.3001"],
    ["50%", "5"],
    ["0.5%", "0.5"],
    ["5 cm", "5 m"],
    ["5 cm", "5 kg"],
    ["5 cm", "5 cm^2"],
    ["5 apples", "5 pears"],
    ["€5", "£5"],
    ["1/0", "0"],
    // several answers
    ["A or B or C", "A"],
    ["A or B", "A"],
    ["A, B, C", "A"],
    ["A/B", "A"],
    ["A and B", "B"],
    ["A B C D", "A"],
    ["ABCD", "A"],
    ["A. or B", "A"],
    ["A: B", "A"],
    ["(A) (B)", "A"],
    ["A. it is B", "B"],
    ["A) or maybe B)", "A"],
    ["not A", "A"],
    ["A.B", "A"],
    ["A|B", "A"],
    ["8 or 9", "8"],
    ["8, 9", "8"],
    ["8 9", "8"],
    ["8; 9", "9"],
    ["8 and 9", "8"],
    ["8 (or 9)", "8"],
    ["7 8 9", "8"],
    ["between 7 and 9", "8"],
    ["8 to 9", "8"],
    ["8-9", "8"],
    ["8 = 9", "9"],
    ["not 8", "8"],
    ["8 or nine", "8"],
    ["8 nine", "8"],
    ["8 <answer> 9", "8"],
    ["8 maybe", "8"],
    ["\\boxed{8} \\boxed{9}", "8"],
    ["\\boxed{8", "8"],
    ["[3, 5]", "[5, 3]"],
    ["3, 5, 7", "3, 5"],
    ["red or blue", "red"],
    ["1,2,3", "123"],
    ["12,34", "1234"],
    // no answer
    ["", "8"],
    ["  ", "8"],
    ["$", "8"],
    ["?", "8"],
    ["the", "8"],
    ["NaN", "NaN?"],
    ["Infinity", "8"],
    ["8".repeat(300), "8"],
    ["1e999999999", "8"],
    ["9".repeat(100), "9".repeat(99)],
  ])("%s does not answer %s", (response, truth) => expect(right(response, truth)).toBe(false));

  it("has nothing to judge where there is no answer", () => expect(isRight(null, "8", "equivalent")).toBe(false));
  it("agrees with itself: every truth answers itself", () => {
    for (const truth of [
      "A",
      "8",
      "-3",
      "1/3",
      "50%",
      "5 cm",
      "red",
      "3, 5",
      "(1, 2)",
      "\\frac{1}{2}",
      "1,234",
      "x + 1",
      "70°",
      "yes",
    ]) {
      expect(right(truth, truth), truth).toBe(true);
      expect(isRight(truth, truth, "exact"), truth).toBe(true);
    }
  });
  it("takes no time over hostile answers", () => {
    for (const hostile of [
      "(".repeat(5e5),
      "1,".repeat(1e5),
      "\\boxed{".repeat(5e4),
      `${" ".repeat(5e5)}8`,
      "1".repeat(5e5),
    ]) {
      const start = performance.now();
      right(hostile, "8");
      expect(performance.now() - start).toBeLessThan(500);
    }
  });
  it.each([
    ["((x+y)^40+(x-y)^40)^40/((x+1)^39+y^39)^39", "((y+x)^40+(x-y)^40)^40/((x+1)^39+y^39)^38"],
    [
      Array.from({ length: 30 }, (_, n) => `sqrt(${n}+x)`).join(", "),
      Array.from({ length: 30 }, () => "x+1").join(", "),
    ],
    [`${"(".repeat(190)}x${")".repeat(190)}`, "x+1"],
    ["9^9^9^9^9^9", "9^9^9^9"],
    ["60!".repeat(20), "60!"],
    [Array.from({ length: 90 }, () => "x^2").join("+"), "90x^2"],
    [`${"\\frac{1}{".repeat(30)}x${"}".repeat(30)}`, "x"],
    ["a or ".repeat(79), "a"],
    ["5 ft ".repeat(70), "5 ft"],
    ["1 ".repeat(190), "1"],
  ])("compares the longest expressions within the time of one pair (%#)", (answer, truth) => {
    expect(right(answer, truth)).toBe(false);
    // The shortest of thirty: a busy machine only ever adds time.
    const times = Array.from({ length: 30 }, () => {
      const start = performance.now();
      right(answer, truth);
      return performance.now() - start;
    });
    expect(Math.min(...times)).toBeLessThan(20);
  });
  it("says why, and what it compared", () => {
    expect(gradeAnswer("$8$ halves", "8", "equivalent")).toEqual({
      right: false,
      reason: "“8 halves” is not one number with a known unit; the right answer is “8”.",
      forms: { answer: "8 halves", truth: "8" },
    });
    expect(gradeAnswer("\\sqrt{20}", "2\\sqrt5", "equivalent")).toEqual({
      right: true,
      reason: "“sqrt(20)” and “2sqrt(5)” are the same number.",
      forms: { answer: "sqrt(20)", truth: "2sqrt(5)" },
    });
    expect(gradeAnswer("5 cm", "5 kg", "equivalent").reason).toBe("“5 cm” and “5 kg” measure different things.");
    expect(gradeAnswer("C", "B", "equivalent").reason).toBe("It chooses C; the right choice is B.");
    expect(gradeAnswer(null, "B", "equivalent").reason).toBe("There is no answer.");
    expect(gradeAnswer("8.0", "8", "exact").reason).toBe("The texts differ, character by character.");
  });
});

describe("exact grader", () => {
  it.each([
    ["$\\boxed{B}$", "B"],
    [" 8 ", "8"],
    ["<answer>8</answer>", "8"],
    ["\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"],
  ])("%s answers %s", (response, truth) => expect(isRight(response, truth, "exact")).toBe(true));
  it.each([
    ["b", "B"],
    ["8.0", "8"],
    ["0.5", "1/2"],
    ["8 cm", "8"],
    ["", ""],
  ])("%s does not answer %s", (response, truth) => expect(isRight(response, truth, "exact")).toBe(false));
});
