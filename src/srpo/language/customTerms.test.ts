import { describe, expect, test } from "vitest";
import { explainCustomTerm, explainTerm, explainTotal } from "../explain";
import { contributions, defaultRewardConfig, rewardTerms } from "../reward";
import { responseFacts, scoreResponse } from "../score";
import { type CustomTerm, REWARD_VARIANTS, type RewardConfig } from "../types";
import { nameFault, RewardTermError } from "./customTerms";

const text =
  "<think> A = 3 ; C = 5 ; 3 + 5 = 8 </think> <answer> 8 </answer> <reflection> A is 3 ; C is 5 </reflection> " +
  "<think> 3 + 5 = 8 </think> <answer> 8 </answer>";
const facts = responseFacts(text, "8");
const withTerms = (...customTerms: CustomTerm[]): RewardConfig => ({ ...defaultRewardConfig, customTerms });
const brief: CustomTerm = { name: "brief", expression: "length < 2.75 * base", weight: 0.2 };
const lengthy: CustomTerm = { name: "lengthy", expression: "reflection.tokens / 10", weight: -0.5 };

describe("terms of one's own", () => {
  test("add weight × value to the total of every variant", () => {
    for (const variant of REWARD_VARIANTS) {
      const without = rewardTerms(facts, { ...defaultRewardConfig, variant });
      const terms = rewardTerms(facts, { ...withTerms(brief, lengthy), variant });
      // 37 < 2.75 · 14; a reflection of 7 words: 0.2 · 1 − 0.5 · 0.7.
      expect(without.custom).toBeUndefined();
      expect(terms.custom).toEqual({ brief: 0.2, lengthy: expect.closeTo(-0.35, 12) });
      expect(terms.total).toBeCloseTo(without.total - 0.15, 12);
      const parts = contributions(terms, variant);
      expect(Object.keys(parts).slice(-2)).toEqual(["brief", "lengthy"]);
      expect(Object.values(parts).reduce((a, b) => a + b, 0)).toBeCloseTo(terms.total, 12);
    }
  });

  test("read the verdict of the grader that scores", () => {
    const right = withTerms({ name: "right", expression: "first.right", weight: 1 });
    const half = responseFacts(text.replace("<answer> 8 ", "<answer> 16/2 "), "8");
    expect(rewardTerms(half, right, "equivalent").custom).toEqual({ right: 1 });
    expect(rewardTerms(half, right, "exact").custom).toEqual({ right: 0 });
  });

  test("fail by name, with the facts to score again; a term with weight 0 is off", () => {
    const failing: CustomTerm = { name: "odd", expression: "log(-length)", weight: 1 };
    const scored = (): unknown => scoreResponse(text, "8", withTerms(brief, failing));
    expect(scored).toThrow(RewardTermError);
    expect(scored).toThrow('reward term "odd": column 1: log(-length) is not a number here');
    try {
      scored();
    } catch (error) {
      if (!(error instanceof RewardTermError)) throw error;
      expect(rewardTerms(error.facts, withTerms(brief)).custom).toEqual({ brief: 0.2 });
    }
    expect(rewardTerms(facts, withTerms({ ...failing, weight: 0 })).custom).toEqual({ odd: 0 });
  });

  test("values of a reward file are facts like the others", () => {
    const config = withTerms({ name: "half", expression: "file.half", weight: 2 });
    const measured = scoreResponse(text, "8", config, undefined, undefined, undefined, ({ base }) => ({
      half: base / 28,
    }));
    expect(measured.terms.custom).toEqual({ half: 1 });
    expect(rewardTerms(measured.facts, withTerms({ name: "less", expression: "file.half", weight: 1 })).custom).toEqual(
      { less: 0.5 },
    );
    const failed = (): unknown =>
      scoreResponse(text, "8", config, undefined, undefined, undefined, () => ({
        half: { error: "it threw: no luck" },
      }));
    expect(failed).toThrow('reward term "half": it threw: no luck');
  });
});

test.each(["format", "total", "constructor", "toString", "__proto__", "1st", "", "a".repeat(25), "a-b", "ä"])(
  "%j is no name of a term",
  (name) => expect(nameFault(name)).toMatch(/taken|not a name/),
);

describe("explanations", () => {
  test("of a term: expression, with this response's facts, value", () => {
    expect(explainCustomTerm(brief, facts, withTerms(brief))).toEqual({
      formula: "brief = 0.2 · (length < 2.75 * base)",
      substituted: "brief = 0.2 · (37 < 2.75 * 14) = 0.2 · 1 = 0.2",
      sentence: "Your own term has the value 1: +0.2.",
    });
    const wordy = { name: "wordy", expression: 'first.right and count(text, "so") == 0', weight: 1 };
    expect(explainCustomTerm(wordy, facts, withTerms(wordy)).substituted).toBe(
      'wordy = 1 · (true and count("<think> A = 3 ; C = 5 ; …", "so") == 0) = 1 · 1 = 1',
    );
  });

  test("of a built-in term, beside one of one's own that fails", () => {
    const failing = withTerms({ name: "odd", expression: "log(-1)", weight: 1 });
    expect(explainTerm("accuracy", facts, failing)).toEqual(explainTerm("accuracy", facts, defaultRewardConfig));
  });

  test("of the total, in every variant", () => {
    const of = (variant: RewardConfig["variant"]) => {
      const config = { ...withTerms(brief, lengthy), variant };
      return explainTotal(rewardTerms(facts, config), config);
    };
    expect(of("paper")).toMatchObject({
      formula: "R = R_format + R_accuracy + I_eff + I_ref + α·f_len + brief + lengthy",
      substituted: "R = 0.5 + 0.5 + 0.25 + 0.25 + 0.019 + 0.2 − 0.35 = 1.369",
    });
    expect(of("official").substituted).toBe("R = 0.5 + 0.75 + 0.019 + 0.2 − 0.35 = 1.119");
    expect(of("official-verl").substituted).toBe("R = 0.5·0.75 + 0.5·0.5 + 0.019 + 0.2 − 0.35 = 0.494");
  });
});
