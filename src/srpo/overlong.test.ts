/** The overlong penalty against DAPO's line and other trainers' numbers. */
import { describe, expect, test } from "vitest";
import { explainTerm, explainTotal } from "./explain";
import { recipeVectors } from "./golden/recipeVectors";
import { overlongPenalty } from "./overlong";
import { defaultRewardConfig, rewardTerms } from "./reward";
import { responseFacts } from "./score";

describe("equals the trainers' up to the longest response", () => {
  test.each(recipeVectors.overlong.cases.map((each) => [`${each.source}, factor ${each.factor}`, each] as const))(
    "%s",
    (_name, { maxLength, cache, factor, lengths, penalties }) => {
      for (const [i, tokens] of lengths.entries()) {
        if (tokens > maxLength) continue; // no sampled response is longer; the trainers differ there
        const found =
          factor * overlongPenalty({ sampled: { tokens, limit: maxLength } }, { overlongCache: cache / maxLength });
        expect(found).toBeCloseTo(penalties[i] ?? NaN, 6);
      }
    },
  );
});

test("a response that was not sampled has none, and a cache of 0 leaves the limit itself", () => {
  expect(overlongPenalty({}, { overlongCache: 0.2 })).toBe(0);
  const at = (tokens: number) => overlongPenalty({ sampled: { tokens, limit: 104 } }, { overlongCache: 0 });
  expect([at(103), at(104)]).toEqual([0, 0]);
});

test("as a term it is added to the total and explained", () => {
  const facts = {
    ...responseFacts("<think> 3 + 5 </think> <answer> 8 </answer>", "8"),
    sampled: { tokens: 95, limit: 100 },
  };
  const config = { ...defaultRewardConfig, overlongWeight: 0.5 };
  const terms = rewardTerms(facts, config);
  expect(terms.overlong).toBeCloseTo(-0.375, 12);
  expect(terms.total).toBeCloseTo(0.5 - 0.375, 12);
  expect(explainTerm("overlong", facts, config).sentence).toBe("95 tokens of at most 100: −0.375.");
  expect(explainTotal(terms, config).formula).toMatch(/\+ R_overlong$/);
  expect(rewardTerms(facts, defaultRewardConfig).overlong).toBeUndefined();
});

describe("the gated variant", () => {
  const five = (first: string, last: string): string =>
    `<think> a </think> <answer> ${first} </answer> <reflection> b </reflection> ` +
    `<think> c </think> <answer> ${last} </answer>`;
  const tiers = { kept: -0.01, fixed: 0.09, stillWrong: 0, spoilt: 0 };
  const vrrl = {
    ...defaultRewardConfig,
    variant: "gated",
    formatWeight: 0.1,
    accuracyWeight: 0.9,
    effectiveness: tiers,
    lengthWeight: 0,
  } as const;
  test.each([
    ["kept", five("8", "8"), 0.99],
    ["fixed", five("7", "8"), 1.09],
    ["spoilt", five("8", "7"), 0.1],
    ["still wrong", five("7", "6"), 0.1],
    ["no reflection", "<think> a </think> <answer> 8 </answer>", 0],
  ])("%s", (_name, text, total) => {
    const facts = responseFacts(text, "8");
    expect(rewardTerms(facts, vrrl).total).toBeCloseTo(total, 12);
    expect(explainTotal(rewardTerms(facts, vrrl), vrrl).substituted).toContain("R = ");
  });
});
