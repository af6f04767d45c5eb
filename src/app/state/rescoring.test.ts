import { describe, expect, test } from "vitest";
import { REWARD_VARIANTS } from "../../srpo/types";
import { defaultSettings, overlay } from "../../worker/protocol";
import { group } from "../testing/fixture";
import { rescore } from "./rescoring";

const scored = group({ seed: 5, skill: 0.3, groupSize: 8, phase: "update", reward: defaultSettings.reward });

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
    expect(rescore(broken, defaultSettings).rows[1]?.advantage).toBeNull();
  });
});
