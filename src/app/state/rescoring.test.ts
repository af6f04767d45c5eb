import { describe, expect, test } from "vitest";
import { ADVANTAGE_ESTIMATORS } from "../../srpo/advantageEstimators";
import { REWARD_VARIANTS } from "../../srpo/types";
import { normaliseGroups } from "../../training/normalise";
import type { SampleRecord, Settings } from "../../worker/protocol";
import { defaultSettings, overlay } from "../../worker/protocol";
import { group } from "../testing/fixture";
import { factsOf, rescore, rewardIn } from "./rescoring";

const scored = group({ seed: 5, skill: 0.3, groupSize: 8, phase: "update", reward: defaultSettings.reward });

function sampleAt(row: number): SampleRecord {
  const sample = scored.samples[row];
  if (sample === undefined) throw new Error(`The fixture has no row ${row}.`);
  return sample;
}

describe("re-scoring the group on show", () => {
  test("under unchanged weights gives what training used, and no ghosts", () => {
    const { rows, moved, normalised } = rescore(scored, defaultSettings);
    expect(moved).toBe(false);
    expect(normalised?.mean).toBeCloseTo(scored.normalised?.mean ?? NaN, 12);
    rows.forEach((row, at) => {
      expect(row.advantage).toBeCloseTo(scored.samples[at]?.advantage ?? NaN, 12);
      expect(row.ghostAdvantage).toBeNull();
    });
  });

  test("under moved weights shows new totals and keeps the old ones beside them", () => {
    const wanted = overlay(defaultSettings, { reward: { accuracyWeight: 0 } });
    const { rows, moved } = rescore(scored, wanted);
    expect(moved).toBe(true);
    scored.samples.forEach((sample, at) => {
      if (!sample.score || !("terms" in sample.score)) throw new Error("The fixture scores every row.");
      const { firstRight, terms } = sample.score;
      expect(rows[at]?.terms?.total).toBeCloseTo(terms.total - (firstRight ? 0.5 : 0), 12);
      expect(rows[at]?.ghostTotal).toBe(firstRight ? terms.total : null);
    });
  });

  test("with adaptive tiers pays the factors of the group's step, and follows the sliders", () => {
    const rule = { window: 5, strength: 1, bound: 4 };
    const adaptive = { ...defaultSettings.reward, adaptiveTiers: rule };
    const factors = { kept: 0.5, fixed: 2 };
    const trained = {
      ...group({
        seed: 5,
        skill: 0.3,
        groupSize: 8,
        phase: "update",
        reward: { ...adaptive, adaptiveTiers: { ...rule, factors } },
      }),
      tierFactors: factors,
    };
    const shown = (reward: Settings["reward"]) =>
      rescore(trained, { ...defaultSettings, reward: rewardIn(trained, reward) });
    expect(shown(adaptive).moved).toBe(false);
    const fixedRow = trained.samples.findIndex(
      ({ score }) => score !== undefined && "terms" in score && score.transition === "fixed" && score.wellFormed,
    );
    expect(shown(adaptive).rows[fixedRow]?.terms?.effectiveness).toBe(1);
    const higher = { ...adaptive, effectiveness: { ...adaptive.effectiveness, fixed: 0.6 } };
    expect(shown(higher).rows[fixedRow]?.terms?.effectiveness).toBeCloseTo(1.2, 12);
    expect(shown(defaultSettings.reward).rows[fixedRow]?.terms?.effectiveness).toBe(0.5);
    expect(rewardIn(scored, adaptive)).toBe(adaptive);
  });

  test("keeps an old value only where it is written differently from the new one", () => {
    const { rows } = rescore(
      scored,
      overlay(defaultSettings, { reward: { lengthWeight: defaultSettings.reward.lengthWeight + 0.004 } }),
    );
    rows.forEach(({ terms, ghostTotal, advantage, ghostAdvantage }) => {
      for (const [now, ghost] of [
        [terms?.total, ghostTotal],
        [advantage, ghostAdvantage],
      ])
        if (ghost != null) expect(ghost.toFixed(2)).not.toBe(now?.toFixed(2));
    });
  });

  test("parts add up to the total in every variant", () => {
    for (const variant of REWARD_VARIANTS) {
      for (const { parts, terms } of rescore(scored, overlay(defaultSettings, { reward: { variant } })).rows) {
        expect(Object.values(parts ?? {}).reduce((sum, part) => sum + part, 0)).toBeCloseTo(terms?.total ?? NaN, 12);
      }
    }
  });

  describe("with terms of one's own", () => {
    const withTerm = (expression: string, weight = 1) =>
      overlay(defaultSettings, { reward: { customTerms: [{ name: "own", expression, weight }] } });

    test("adds weight × value to every row", () => {
      const { rows, moved } = rescore(scored, withTerm("first.right", 0.25));
      expect(moved).toBe(true);
      scored.samples.forEach((sample, at) => {
        if (!sample.score || !("terms" in sample.score)) throw new Error("The fixture scores every row.");
        const { firstRight, terms } = sample.score;
        expect(rows[at]?.parts?.own).toBe(firstRight ? 0.25 : 0);
        expect(rows[at]?.terms?.total).toBeCloseTo(terms.total + (firstRight ? 0.25 : 0), 12);
      });
    });

    test("a term without a value leaves its row out, by name", () => {
      const { rows, totals, normalised } = rescore(scored, withTerm("log(first.right - 0.5)"));
      scored.samples.forEach((sample, at) => {
        const right = sample.score && "terms" in sample.score && sample.score.firstRight;
        expect(rows[at]?.error).toBe(
          right ? null : "Your term “own” has no value: column 1: log(first.right - 0.5) is not a number here",
        );
        expect(totals[at] === null).toBe(!right);
      });
      expect(new Set(rows.map(({ error }) => error)).size).toBe(2);
      expect(normalised?.mean).not.toBeNaN();
    });

    test("a row whose term failed in training is scored again under another", () => {
      const facts = factsOf(sampleAt(1));
      if (facts === null) throw new Error("The fixture scores every row.");
      const failed = {
        ...scored,
        samples: scored.samples.map((sample, at) =>
          at === 1 ? { ...sample, score: { error: "b, response 2: no value", facts } } : sample,
        ),
      };
      const { rows, moved } = rescore(failed, withTerm("1", 0.5));
      expect(rows[1]).toMatchObject({ error: null, terms: { custom: { own: 0.5 } } });
      expect(moved).toBe(true);
      expect(rescore(failed, withTerm("log(-1)")).rows[1]?.error).toContain("log(-1)");
    });
  });

  test("all weights at zero make the group flat, with advantages of exactly 0", () => {
    const wanted = overlay(defaultSettings, {
      reward: {
        formatWeight: 0,
        accuracyWeight: 0,
        effectivenessWeight: 0,
        reflectionFormatWeight: 0,
        lengthWeight: 0,
      },
    });
    const { rows, normalised } = rescore(scored, wanted);
    expect(normalised?.flat).toBe(true);
    expect(rows.map((row) => row.advantage)).toEqual(rows.map(() => 0));
  });

  test("shows only what the phases so far have made; a row that failed stays out of mean and spread", () => {
    expect(
      rescore(
        group({ seed: 5, skill: 0.3, groupSize: 4, phase: "rollout", reward: defaultSettings.reward }),
        defaultSettings,
      ).rows.every((row) => row.terms === null),
    ).toBe(true);
    expect(
      rescore(
        group({ seed: 5, skill: 0.3, groupSize: 4, phase: "score", reward: defaultSettings.reward }),
        defaultSettings,
      ).rows.every((row) => row.terms !== null && row.advantage === null),
    ).toBe(true);
    const broken = {
      ...scored,
      samples: scored.samples.map((sample, at) => (at === 1 ? { ...sample, score: { error: "unreadable" } } : sample)),
    };
    expect(rescore(broken, defaultSettings).totals[1]).toBeNull();
    expect(rescore(broken, defaultSettings).rows[1]).toMatchObject({ advantage: null, error: "unreadable" });
  });
});

describe("advantages under every estimator are those that training computes", () => {
  const step = [5, 6, 7].map((seed) =>
    group({ seed, skill: 0.3, groupSize: 8, phase: "update", reward: defaultSettings.reward }),
  );
  test.each(ADVANTAGE_ESTIMATORS)("%s", (advantage) => {
    const grpo = { ...defaultSettings.grpo, advantage, preset: "verl" } as const;
    const filtered = step.map((each, i) => (i === 2 ? { ...each, filtered: true } : each));
    const trained = normaliseGroups(filtered, { ...grpo, variant: "paper" });
    trained.forEach((each, i) => {
      const shown = rescore(each, { ...defaultSettings, grpo }, trained);
      each.samples.forEach((sample, row) => {
        expect(shown.rows[row]?.advantage).toBeCloseTo(sample.advantage ?? NaN, 12);
        expect(shown.explainAdvantage(row).formula, `group ${i}`).toMatch(/^A = /);
      });
    });
  });

  test("a KL penalty is taken off, and a replayed response keeps its own", () => {
    const [first] = step;
    if (first === undefined) throw new Error("no group");
    const penalised = { ...first, samples: first.samples.map((s, i) => ({ ...s, klPenalty: i === 0 ? 5 : 0 })) };
    expect(rescore(penalised, defaultSettings).rows[0]?.advantage).toBeLessThan(-2);
    const replayed = { ...first, samples: first.samples.map((s) => ({ ...s, advantage: 1.25 })), replayedFrom: 3 };
    const shown = rescore(replayed, defaultSettings, [...step, replayed]);
    expect(shown.rows.map(({ advantage }) => advantage)).toEqual(first.samples.map(() => 1.25));
    expect(shown.explainAdvantage(0).substituted).toBe("A = 1.250, from step 3");
  });
});
