import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { contributions, defaultRewardConfig, rewardTerms } from "./reward";
import { responseFacts, scoreResponse } from "./score";
import { type RewardConfig, type RewardVariant, TRANSITIONS } from "./types";

interface RewardCase {
  readonly id: string;
  readonly response: string;
  readonly answer: string;
  readonly paper: {
    readonly format: number;
    readonly accuracy: number;
    readonly effectiveness: number;
    readonly reflectionFormat: number;
    readonly length: number;
    readonly lengthWeighted: number;
    readonly total: number;
  };
  /** `length` is weighted here. */
  readonly official: {
    readonly accuracy: number;
    readonly format: number;
    readonly length: number;
    readonly total: number;
    readonly note?: string;
  };
}

const cases = readFileSync(new URL("golden/reward_cases.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line): RewardCase => JSON.parse(line));
const config = (variant: RewardVariant, changes: Partial<RewardConfig> = {}): RewardConfig => ({
  ...defaultRewardConfig,
  variant,
  ...changes,
});
const response = (first: string, refined: string): string =>
  `<think> a b c </think> <answer> ${first} </answer> <reflection> check </reflection> <think> d </think> <answer> ` +
  `${refined} </answer>`;
/** Rows in the order kept, fixed, stillWrong, spoilt; the truth is 8. */
const rows = [response("8", "8"), response("3", "8"), response("3", "4"), response("8", "3")];

describe("reward vectors", () => {
  it("has the 48 rows", () => expect(cases).toHaveLength(48));

  it.each(cases)("paper, $id: every term to 1e-9, with either grader", ({ response: text, answer, paper }) => {
    for (const grader of ["exact", "equivalent"] as const) {
      const { terms } = scoreResponse(text, answer, config("paper"), undefined, undefined, grader);
      for (const key of Object.keys(paper) as (keyof typeof paper)[])
        expect(Math.abs(terms[key] - paper[key]), key).toBeLessThanOrEqual(1e-9);
      expect(terms.note).toBeUndefined();
    }
  });

  it.each(cases.filter((c) => !c.official.note))(
    "official, $id: every term to 1e-9",
    ({ response: text, answer, official }) => {
      const { terms } = scoreResponse(text, answer, config("official"));
      expect(terms.format).toBeCloseTo(official.format, 9);
      expect(terms.accuracy).toBeCloseTo(official.accuracy, 9);
      expect(terms.lengthWeighted).toBeCloseTo(official.length, 9);
      expect(Math.abs(terms.total - official.total)).toBeLessThanOrEqual(1e-9);
      expect(terms.note).toBeUndefined();
    },
  );

  it.each(cases.filter((c) => c.official.note))(
    "official, $id: scored by the same rules where the released scorer crashed",
    ({ response: text, answer, paper }) => {
      const { terms, firstRight } = scoreResponse(text, answer, config("official"));
      expect(terms.note).toMatch(/raises here .* gives 0/);
      // One answer: 0.5 where it is right; no answer: nothing.
      expect(terms).toMatchObject({ format: 0, accuracy: paper.accuracy, length: 0, total: firstRight ? 0.5 : 0 });
    },
  );
});

describe("totals without f_len", () => {
  const totals = (variant: RewardVariant): number[] =>
    rows.map((text) => scoreResponse(text, "8", config(variant, { lengthWeight: 0 })).terms.total);
  it("paper", () => expect(totals("paper")).toEqual([1.5, 1.25, 0.75, 1.0]));
  it("official pays a wrong first answer most", () => expect(totals("official")).toEqual([1.25, 1.5, 0.5, 0.75]));
  it("official-verl: both wrong loses, a fix or a spoilt answer pays nothing", () => {
    const terms = rows.map((text) => scoreResponse(text, "8", config("official-verl", { lengthWeight: 0 })).terms);
    expect(terms.map((t) => t.accuracy)).toEqual([0.75, 0, -0.25, 0]);
    expect(terms.map((t) => t.total)).toEqual([0.625, 0.25, 0.125, 0.25]);
  });
  it("official-verl: overall = 0.5·accuracy + 0.5·format + α·f_len", () => {
    for (const c of cases) {
      const t = scoreResponse(c.response, c.answer, config("official-verl")).terms;
      expect(t.total).toBeCloseTo(0.5 * t.accuracy + 0.5 * t.format + 0.1 * t.length, 12);
    }
  });
});

describe("weights and tiers", () => {
  it("scales with all weights together, in every variant", () => {
    for (const variant of ["paper", "official", "official-verl"] as const) {
      const base = config(variant);
      const tripled = config(variant, {
        formatWeight: 3 * base.formatWeight,
        accuracyWeight: 3 * base.accuracyWeight,
        effectivenessWeight: 3,
        reflectionFormatWeight: 3 * base.reflectionFormatWeight,
        lengthWeight: 3 * base.lengthWeight,
      });
      for (const c of cases) {
        const facts = responseFacts(c.response, c.answer);
        expect(rewardTerms(facts, tripled).total).toBeCloseTo(3 * rewardTerms(facts, base).total, 12);
      }
    }
  });

  it("each tier moves its own transition only", () => {
    TRANSITIONS.forEach((tier) => {
      const moved = config("paper", { effectiveness: { ...defaultRewardConfig.effectiveness, [tier]: 7 } });
      const inOrder = ["kept", "fixed", "stillWrong", "spoilt"];
      rows.forEach((text, i) => {
        const before = scoreResponse(text, "8", config("paper")).terms.effectiveness;
        const after = scoreResponse(text, "8", moved).terms.effectiveness;
        expect(after).toBe(inOrder[i] === tier ? 7 : before);
      });
    });
  });

  it("effectivenessWeight 0 turns I_eff off", () => {
    for (const text of rows)
      expect(Math.abs(scoreResponse(text, "8", config("paper", { effectivenessWeight: 0 })).terms.effectiveness)).toBe(
        0,
      );
  });

  it("contributions sum to the total", () => {
    for (const variant of ["paper", "official", "official-verl"] as const)
      for (const c of cases) {
        const { terms } = scoreResponse(c.response, c.answer, config(variant));
        expect(Object.values(contributions(terms, variant)).reduce((a, b) => a + b, 0)).toBeCloseTo(terms.total, 12);
      }
  });
});

describe("f_len", () => {
  // 3 + 1 tokens of first solution → target 8, max 10.
  const facts = { ...responseFacts(rows[0] ?? "", "8"), baseTokens: 4 };
  const at = (lengthTokens: number, changes: Partial<RewardConfig> = {}): number =>
    rewardTerms({ ...facts, lengthTokens }, config("paper", changes)).length;
  it("is 1 at the target and symmetric around it", () => {
    expect(at(8)).toBe(1);
    expect(at(6)).toBe(at(10));
  });
  it("gaussian squares inside the exponent; laplace squares outside", () => {
    expect(at(10)).toBeCloseTo(Math.exp(-1), 12);
    expect(at(9)).toBeCloseTo(Math.exp(-0.25), 12);
    expect(at(9, { lengthShape: "laplace" })).toBeCloseTo(Math.exp(-0.5) ** 2, 12);
  });
  it("takes other factors, and any token counter", () => {
    expect(at(12, { targetFactor: 3, maxFactor: 4 })).toBe(1);
    expect(at(12, { targetFactor: 3, maxFactor: 3 })).toBe(1);
    expect(at(13, { targetFactor: 3, maxFactor: 3 })).toBe(0);
    const characters = scoreResponse(rows[0] ?? "", "8", config("paper"), (text) => text.length);
    expect(characters.facts.baseTokens).toBe("a b c".length + 1);
  });
  it("is 0 with an empty first solution", () =>
    expect(rewardTerms({ ...facts, baseTokens: 0 }, config("paper")).length).toBe(0));
});
