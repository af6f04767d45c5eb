import { describe, expect, it } from "vitest";
import { tierFactors, tiersRefusal, withTierFactors } from "./adaptiveTiers";
import { explainTerm } from "./explain";
import { defaultRewardConfig, tierOf } from "./reward";
import { scoreResponse } from "./score";
import { TRANSITIONS } from "./types";

const shares = (kept: number, fixed: number, stillWrong: number, spoilt: number) => ({
  kept,
  fixed,
  stillWrong,
  spoilt,
});
const rule = { window: 2, strength: 1, bound: 4 };

describe("the factor of a tier", () => {
  it("is a quarter over the share, worked out by hand", () => {
    // kept 0.5, fixed 0.1: 0.25/0.5 = 0.5 and 0.25/0.1 = 2.5.
    const { kept, fixed } = tierFactors([shares(0.5, 0.1, 0.3, 0.1)], rule);
    expect(kept).toBeCloseTo(0.5, 12);
    expect(fixed).toBeCloseTo(2.5, 12);
  });
  it("takes a power of it: at ½ the square root", () => {
    const { kept, fixed } = tierFactors([shares(0.5, 0.1, 0.3, 0.1)], { ...rule, strength: 0.5 });
    expect(kept).toBeCloseTo(Math.SQRT1_2, 12);
    expect(fixed).toBeCloseTo(1.58113883008419, 12);
    expect(tierFactors([shares(0.9, 0, 0.1, 0)], { ...rule, strength: 0 })).toEqual({ kept: 1, fixed: 1 });
  });
  it("stays within the bound on both sides, also for a transition that was never seen", () => {
    expect(tierFactors([shares(1, 0, 0, 0)], { ...rule, strength: 3 })).toEqual({ kept: 0.25, fixed: 4 });
    expect(tierFactors([shares(1, 0, 0, 0)], { ...rule, bound: 1 })).toEqual({ kept: 1, fixed: 1 });
  });
  it("counts the steps of the window alike, and none before it", () => {
    // The last two: kept (0.4 + 0.6)/2 = 0.5, fixed (0.3 + 0.1)/2 = 0.2.
    const steps = [shares(1, 0, 0, 0), shares(0.4, 0.3, 0.2, 0.1), shares(0.6, 0.1, 0.2, 0.1)];
    const { kept, fixed } = tierFactors(steps, rule);
    expect(kept).toBeCloseTo(0.5, 12);
    expect(fixed).toBeCloseTo(1.25, 12);
  });
  it("leaves out responses without a second answer", () => {
    // Half of the responses have a transition: kept 0.25 of all is 0.5 of those.
    expect(tierFactors([shares(0.25, 0.125, 0.125, 0)], rule)).toEqual({ kept: 0.5, fixed: 1 });
  });
  it("is 1 before the first step, and where no response reflected", () => {
    expect(tierFactors([], rule)).toEqual({ kept: 1, fixed: 1 });
    expect(tierFactors([shares(0, 0, 0, 0)], rule)).toEqual({ kept: 1, fixed: 1 });
  });
});

describe("a step", () => {
  const adaptiveTiers = rule;
  const begun = withTierFactors({ ...defaultRewardConfig, adaptiveTiers }, [shares(0.5, 0.125, 0.25, 0.125)]);
  it("keeps its factors, and only kept and fixed are scaled by them", () => {
    expect(begun.adaptiveTiers).toEqual({ ...rule, factors: { kept: 0.5, fixed: 2 } });
    expect(TRANSITIONS.map((transition) => tierOf(begun, transition))).toEqual([0.125, 1, 0, -0.25]);
    expect(begun.effectiveness).toBe(defaultRewardConfig.effectiveness);
  });
  it("pays by them, and says so", () => {
    const solution = (answer: string): string => `<think> t </think> <answer> ${answer} </answer>`;
    const fixed = `${solution("7")} <reflection> r </reflection> ${solution("8")}`;
    const { terms, facts } = scoreResponse(fixed, "8", begun);
    expect(terms.effectiveness).toBe(1);
    expect(explainTerm("effectiveness", facts, begun)).toEqual({
      formula: "I_eff = tier: right→right +0.125 · wrong→right +1 · wrong→wrong ±0 · right→wrong −0.25",
      substituted: "I_eff(wrong→right) = 2 · 0.5 = 1",
      sentence: "Fixed a wrong answer: +1. Adaptive tiers pay 2 times the set tier in this step.",
    });
  });
  it("is left alone where adaptive tiers are off", () => {
    expect(withTierFactors(defaultRewardConfig, [shares(1, 0, 0, 0)])).toBe(defaultRewardConfig);
    expect(tierOf({ ...defaultRewardConfig, adaptiveTiers }, "fixed")).toBe(0.5);
  });
});

it("says why it cannot act", () => {
  expect(tiersRefusal(defaultRewardConfig)).toBeNull();
  expect(tiersRefusal({ ...defaultRewardConfig, variant: "official" })).toMatch(/the variant official does not have/);
  expect(tiersRefusal({ ...defaultRewardConfig, effectivenessWeight: 0 })).toMatch(/effectivenessWeight 0/);
});
