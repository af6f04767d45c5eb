import { describe, expect, it } from "vitest";
import { evaluateObjective, objectiveOf } from "./objective";
import { keepsGroup, PAPER_BAND } from "./onlineFilter";
import { nanoSettings, RECIPE_NAMES, RECIPES, type RecipeName } from "./recipe";
import { defaultRewardConfig } from "./reward";
import { scoreResponse } from "./score";
import type { RewardConfig } from "./types";

const fixed =
  "<think> a b c </think> <answer> 3 </answer> <reflection> check </reflection> <think> d </think> <answer> 8 " +
  "</answer>";

const rewardOf = (recipe: RecipeName): RewardConfig => ({ ...defaultRewardConfig, ...RECIPES[recipe].settings.reward });

describe("recipes", () => {
  it.each(Object.values(RECIPES))("$name names a source for every setting", ({ settings, sources }) => {
    expect(Object.keys(sources).sort()).toEqual(["coldStart", ...Object.keys(settings)].sort());
    expect(Object.keys(sources.grpo).sort()).toEqual(Object.keys(settings.grpo).sort());
    const { grpo, ...others } = sources;
    for (const source of [...Object.values(others), ...Object.values(grpo)]) expect(source.length).toBeGreaterThan(3);
  });

  it("are under their own names, each with a title and a sentence of its own", () => {
    expect(Object.keys(RECIPES)).toEqual(RECIPE_NAMES);
    for (const name of RECIPE_NAMES) expect(RECIPES[name].name).toBe(name);
    const all = Object.values(RECIPES);
    expect(new Set(all.map(({ title }) => title)).size).toBe(all.length);
    expect(new Set(all.map(({ summary }) => summary)).size).toBe(all.length);
    for (const { summary } of all) expect(summary).toMatch(/^[A-Z].*\.$/);
  });

  it("SRPO pays for fixing an answer, GRPO does not", () => {
    expect(scoreResponse(fixed, "8", rewardOf("srpo")).terms.total).toBeCloseTo(1.25, 2);
    expect(scoreResponse(fixed, "8", rewardOf("grpo")).terms.total).toBe(0.5);
  });

  it("SRPO bounds what an outlier can do, GRPO does not; GRPO pulls towards the reference", () => {
    const outlier = { length: 1, logp: [0], oldLogp: [-3], refLogp: [-1], advantage: -1 };
    expect(evaluateObjective([outlier], objectiveOf(RECIPES.srpo.settings.grpo, 104))).toMatchObject({
      loss: 3,
      gradNorm: 0,
    });
    const free = evaluateObjective([outlier], objectiveOf(RECIPES.grpo.settings.grpo, 104));
    expect(free.loss).toBeCloseTo(Math.exp(3) + 0.04 * Math.exp(-1), 12);
  });
});

describe("the nano policy", () => {
  it.each(RECIPE_NAMES)("%s: departs only where the record says why", (name) => {
    const { settings, coldStart, nano } = RECIPES[name];
    expect(nanoSettings(RECIPES[name]).grpo).toEqual({ ...settings.grpo, ...nano.grpo });
    const starts = nano.coldStart === undefined ? [] : ["coldStart"];
    expect(Object.keys(nano.whys).sort()).toEqual([...Object.keys(nano.grpo), ...starts].sort());
    expect(nano.coldStart).not.toBe(coldStart);
    for (const key of Object.keys(nano.grpo) as (keyof typeof nano.grpo)[])
      expect(nano.grpo[key], key).not.toEqual(settings.grpo[key]);
    for (const why of Object.values(nano.whys)) expect(nano.why).toContain(why);
    expect(nano.why === "").toBe(Object.keys(nano.grpo).length === 0);
  });

  it.each(RECIPE_NAMES.filter((name) => name !== "srpo"))(
    "%s: makes several updates a rollout exactly where its source does",
    (name) => {
      const { grpo } = RECIPES[name].settings;
      const here = nanoSettings(RECIPES[name]).grpo;
      expect(here.updatesPerRollout > 1).toBe(grpo.updatesPerRollout > 1);
      expect(here.epochs).toBe(grpo.epochs);
    },
  );

  it("SRPO's stays on-policy, and says so", () => {
    expect(RECIPES.srpo.settings.grpo.updatesPerRollout).toBe(8);
    expect(nanoSettings(RECIPES.srpo).grpo.updatesPerRollout).toBe(1);
    expect(RECIPES.srpo.nano.whys.updatesPerRollout).toMatch(/on-policy/);
  });
});

describe("online filter", () => {
  const group = (right: number, size: number): boolean[] => Array.from({ length: size }, (_, i) => i < right);
  it.each([
    [0, 8, false],
    [1, 8, true],
    [7, 8, true],
    [8, 8, false],
    [1, 10, true],
    [9, 10, true],
    [1, 16, false],
  ])("%d of %d right: %s", (right, size, kept) => expect(keepsGroup(group(right, size), PAPER_BAND)).toBe(kept));
  it("without a band keeps all; with one, a group nobody could score goes", () => {
    expect(keepsGroup(group(8, 8), null)).toBe(true);
    expect(keepsGroup([], PAPER_BAND)).toBe(false);
  });
  it("says when the band is upside down", () =>
    expect(() => keepsGroup([true], [0.9, 0.1])).toThrow(/from 0.9 to 0.1/));
});
