import { describe, expect, it } from "vitest";
import { ADVANTAGE_ESTIMATORS, type EstimatorOptions, type ScoredGroup } from "./advantageEstimators";
import { explainAdvantage } from "./explain";
import { explainStepAdvantage } from "./explainEstimator";

const terms = (format: number, accuracy: number) => ({ format, accuracy });
const mixed: ScoredGroup = {
  rewards: [1, 0.5, null, 0],
  terms: [terms(0.5, 0.5), terms(0.5, 0), null, terms(0, 0)],
  lengths: [2, 6, 3, 4],
};
const flat: ScoredGroup = {
  rewards: [1, 1],
  terms: [terms(0.5, 0.5), terms(0.5, 0.5)],
  lengths: [4, 4],
};
const groups = [mixed, flat];
const explain = (estimator: EstimatorOptions["estimator"], trainer: EstimatorOptions["trainer"], row = 0, group = 0) =>
  explainStepAdvantage(groups, group, row, { estimator, trainer });

describe("an advantage under each estimator", () => {
  it("group is explained as before", () => {
    expect(explain("group", "verl")).toEqual(explainAdvantage(mixed.rewards, 0, "verl"));
  });
  it("centred", () => {
    expect(explain("centred", "trl")).toEqual({
      formula: "A = r − mean",
      substituted: "A = 1 − 0.5 = 0.5",
      sentence: "0.5 above the group's mean: its tokens become more likely.",
    });
    expect(explain("centred", "trl", 1).sentence).toBe("Exactly at the group's mean: no push either way.");
  });
  it("batch-std: the std of 1, 0.5, 0, 1, 1 is √0.2 = 0.447", () => {
    expect(explain("batch-std", "trl")).toEqual({
      formula: "A = (r − mean) / (std of the step + ε),  std with divisor n − 1",
      substituted: "A = (1 − 0.5) / (0.447 + 1·10⁻⁴) = 1.118",
      sentence:
        "1.118 standard deviations of the step's rewards above the group's mean: its tokens become more likely.",
    });
  });
  it("leave-one-out: the response that could not be scored is not among the others", () => {
    expect(explain("leave-one-out", "trl", 3)).toEqual({
      formula: "A = r − mean of the others",
      substituted: "A = 0 − 0.75 = −0.75",
      sentence: "0.75 below the mean of the 2 other responses: its tokens become less likely.",
    });
  });
  it("whitened: 2 tokens of ½, 14 of 0 and 4 of −½ have mean −0.05 and variance (1.5 − 20·0.05²)/20", () => {
    expect(explain("whitened", "openrlhf")).toEqual({
      formula: "A = (r − mean − m) / s,  m, s: mean and √variance of r − mean over the step's tokens",
      substituted: "A = (1 − 0.5 − (−0.05)) / 0.26926 = 2.043",
      sentence: "2.043 standard deviations above the mean over the step's tokens: its tokens become more likely.",
    });
    // One push where the group itself has none: the whole step's mean counts.
    expect(explain("whitened", "openrlhf", 1).sentence).toMatch(/above the mean over the step's tokens/);
    expect(explain("whitened", "trl").sentence).toMatch(/mean over the step's responses/);
  });
  it("gdpo: z of 0.5, 0.5, 0 is 0.577 and −1.155; z of 0.5, 0, 0 is 1.155 and −0.577", () => {
    const { substituted, sentence } = explain("gdpo", "openrlhf");
    expect(substituted).toMatch(/^Σ w·z = 0.577 \(R_format\) \+ 1.155 \(R_accuracy\) = 1.732; {2}A = \(1.7321 − /);
    expect(sentence).toMatch(/standard deviations above the mean over the step's tokens/);
    expect(
      explainStepAdvantage(groups, 0, 3, { estimator: "gdpo", trainer: "trl", termWeights: { format: 0.5 } })
        .substituted,
    ).toMatch(/^Σ w·z = 0.5·\(−1.154\) \(R_format\) \+ \(−0.577\) \(R_accuracy\) = −1.154;/);
  });
});

describe.each(ADVANTAGE_ESTIMATORS)("%s", (estimator) => {
  it("says that a flat group teaches nothing", () => {
    const { substituted, sentence } = explain(estimator, "verl", 1, 1);
    expect(substituted).toMatch(/ for every row → A = 0$/);
    expect(sentence).toMatch(/equal: nothing to prefer/);
  });
  it("says that a response could not be scored", () => {
    expect(explain(estimator, "verl", 2)).toMatchObject({
      substituted: "A = 0",
      sentence: "This response could not be scored, so it takes no part in the step.",
    });
  });
  it("refuses responses and groups that are not there", () => {
    expect(() => explain(estimator, "verl", 9)).toThrow(/Row 9 of a group of 4/);
    expect(() => explain(estimator, "verl", 0, 2)).toThrow(/Group 2 of a step of 2/);
  });
});
