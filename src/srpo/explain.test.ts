import { describe, expect, it } from "vitest";
import { explainAdvantage, explainTerm, explainTotal } from "./explain";
import { formatChange, formatNumber, formatSum } from "./notation";
import { defaultRewardConfig } from "./reward";
import { scoreResponse } from "./score";

const text =
  "<think> A = 3 ; C = 5 ; 3 + 5 = 8 </think> <answer> 8 </answer> <reflection> A is 3 ; C is 5 </reflection> " +
  "<think> 3 + 5 = 8 </think> <answer> 8 </answer>";
const { facts, terms } = scoreResponse(text, "8", defaultRewardConfig);

describe("notation", () => {
  it.each([
    [0, "0"],
    [0.25, "0.25"],
    [-0.25, "−0.25"],
    [1.23456, "1.235"],
    [4e-16, "4·10⁻¹⁶"],
    [-2.5e9, "−2.5·10⁹"],
    [1e-4, "1·10⁻⁴"],
  ])("%f is %s", (value, shown) => expect(formatNumber(value)).toBe(shown));
  it("shows changes and sums with their signs", () => {
    expect([0.25, -0.25, 0].map(formatChange)).toEqual(["+0.25", "−0.25", "±0"]);
    expect(formatSum([0.5, -0.25, 1])).toBe("0.5 − 0.25 + 1");
  });
});

describe("shown operands give the shown result", () => {
  const groups = Array.from({ length: 200 }, (_, seed) =>
    Array.from({ length: 8 }, (_, row) => 1 + Math.sin(37 * seed + 11 * row) * 10 ** (-seed % 5)),
  );
  const read = (text: string): number =>
    Number(text.replace("−", "-").replace(/·10⁻(.)$/, (_, power: string) => `e-${"⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(power)}`));

  it("in 200 groups, from spread out to near-flat", () => {
    for (const rewards of groups) {
      const { substituted } = explainAdvantage(rewards, 3, "srpo");
      const [r = Number.NaN, mean = Number.NaN, std = Number.NaN, epsilon = Number.NaN] = (
        /^A = \((\S+) − (\S+)\) \/ \((\S+) \+ (\S+)\) = /.exec(substituted) ?? []
      )
        .slice(1)
        .map(read);
      expect(substituted.endsWith(`= ${formatNumber((r - mean) / (std + epsilon))}`), substituted).toBe(true);
    }
  });
  it("in a sum of terms", () => {
    expect(formatSum([0.0104, 0.0104, 0.0104])).toBe("0.0104 + 0.0104 + 0.0104");
    expect(formatSum([0.5, 0.25, 0.019])).toBe("0.5 + 0.25 + 0.019");
  });
});

describe("every number answers why", () => {
  it("I_eff says what the reflection did", () => {
    expect(explainTerm("effectiveness", facts, defaultRewardConfig)).toEqual({
      formula: "I_eff = tier: right→right +0.25 · wrong→right +0.5 · wrong→wrong ±0 · right→wrong −0.25",
      substituted: "I_eff(right→right) = 0.25",
      sentence: "Kept a right answer: +0.25.",
    });
  });
  it("f_len puts this row's tokens into the formula", () => {
    const { substituted, sentence } = explainTerm("length", facts, defaultRewardConfig);
    expect(facts).toMatchObject({ lengthTokens: 37, baseTokens: 14 });
    expect(substituted).toBe("x = (37 − 28)/(35 − 28) = 1.286;  α·f_len = 0.1·exp(−1.286²) = 0.1·0.191 = 0.019");
    expect(sentence).toBe("37 tokens, 9 over the target of 28: +0.019.");
  });
  it("the total is the sum of its terms", () => {
    expect(explainTotal(terms, defaultRewardConfig).substituted).toBe("R = 0.5 + 0.5 + 0.25 + 0.25 + 0.019 = 1.519");
  });
  it("the advantage puts in mean and std, and names its direction", () => {
    expect(explainAdvantage([1.5, 1, 0.5, 1], 0, "openrlhf")).toEqual({
      formula: "A = (r − mean) / (std + ε),  std with divisor n − 1",
      substituted: "A = (1.5 − 1) / (0.408 + 1·10⁻⁹) = 1.225",
      sentence: "1.225 standard deviations above the group's mean: its tokens become more likely.",
    });
    expect(explainAdvantage([1, 1, 1], 1, "srpo").sentence).toMatch(/equal/);
    expect(explainAdvantage([1, null, 2], 1, "srpo").sentence).toMatch(/could not be scored/);
    expect(explainAdvantage([0, 1, 2], 1, "srpo").sentence).toBe("Exactly at the group's mean: no push either way.");
    expect(() => explainAdvantage([1, 2], 5, "srpo")).toThrow(/Row 5/);
  });
  it("says why a term is zero", () => {
    const lone = scoreResponse("<think> a </think> <answer> 3 </answer>", "8", defaultRewardConfig).facts;
    expect(explainTerm("format", lone, defaultRewardConfig).sentence).toMatch(/not well formed/);
    expect(explainTerm("accuracy", lone, defaultRewardConfig).sentence).toMatch(/wrong/);
    expect(explainTerm("effectiveness", lone, defaultRewardConfig).sentence).toMatch(/no second answer/);
    expect(explainTerm("length", lone, defaultRewardConfig).sentence).toMatch(/two thinks/);
  });
  it("explains the official variants by their own rules", () => {
    const official = { ...defaultRewardConfig, variant: "official" } as const;
    expect(explainTerm("accuracy", facts, official)).toMatchObject({
      substituted: "R_accuracy(right→right) = 0.5 + 0.25 = 0.75",
      sentence: "Kept a right answer: +0.75.",
    });
    const verl = { ...defaultRewardConfig, variant: "official-verl" } as const;
    const wrong = scoreResponse(text, "9", verl);
    expect(explainTerm("accuracy", wrong.facts, verl).sentence).toMatch(/−0.25 \(a precedence slip/);
    expect(explainTotal(wrong.terms, verl).substituted).toBe("R = 0.5·(−0.25) + 0.5·0.5 + 0.019 = 0.144");
  });
});
