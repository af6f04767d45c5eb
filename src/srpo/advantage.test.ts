import { describe, expect, it } from "vitest";
import { ADVANTAGE_EPSILON, fractionFlat, groupAdvantages, normaliseGroup } from "./advantage";
import {
  batchScaledAdvantages,
  centredAdvantages,
  groupsOf,
  leaveOneOutAdvantages,
  normaliseThenSum,
} from "./estimators";
import { vector, vectors } from "./golden/vectors";
import type { AdvantagePreset } from "./types";

const { rewards, shape } = vectors;
const byGroup = (advantages: (group: readonly number[]) => readonly number[]): readonly number[] =>
  groupsOf(rewards, shape.G).flatMap(advantages);
const preset = (name: AdvantagePreset): readonly number[] => byGroup((g) => groupAdvantages(g, name).advantages);

/** Every list of advantages in the vectors, and how it is made here. */
const TABLE: Readonly<Record<string, readonly number[]>> = {
  "trl.scale_rewards=group": preset("trl"),
  "trl.scale_rewards=batch": batchScaledAdvantages(rewards, shape.G),
  "trl.scale_rewards=none": byGroup(centredAdvantages),
  "trl.normalize_then_sum(2 funcs: rewards,[0,1,0,1,1,0,0,0])": normaliseThenSum(
    [rewards, [0, 1, 0, 1, 1, 0, 0, 0]],
    [1, 1],
    shape.G,
  ),
  "verl.grpo": preset("verl"),
  "verl.grpo norm_adv_by_std=False": byGroup(centredAdvantages),
  "verl.grpo_vectorized": preset("verl"),
  "verl.rloo": byGroup(leaveOneOutAdvantages),
  "easyr1.grpo": preset("easyr1"),
  "openrlhf.group_norm (line re-typed: mean, std(ddof=1)+1e-9)": preset("openrlhf"),
  "openrlhf.dr_grpo": byGroup(centredAdvantages),
  "population std (GRPO-Zero, nano-aha; +1e-4)": byGroup(
    (g) => normaliseGroup(g, { epsilon: 1e-4, std: "population" }).advantages,
  ),
};

describe("advantages of four trainers", () => {
  it("covers every list", () => {
    const lists = Object.keys(vectors.advantages).filter((name) => Array.isArray(vectors.advantages[name]));
    expect(Object.keys(TABLE).sort()).toEqual(lists.sort());
  });
  it.each(Object.entries(TABLE))("%s to 1e-6", (name, advantages) => {
    const expected = vector("advantages", name);
    expect(advantages).toHaveLength(expected.length);
    advantages.forEach((a, i) => expect(Math.abs(a - (expected[i] ?? NaN))).toBeLessThanOrEqual(1e-6));
  });
  it("counts flat groups: frac_reward_zero_std", () => {
    const groups = groupsOf(rewards, shape.G).map((g) => groupAdvantages(g, "trl"));
    expect(fractionFlat(groups)).toBe(vectors.advantages["trl.group.frac_reward_zero_std"]);
    expect(fractionFlat(groups)).toBe(vectors.advantages["trl.none.frac_reward_zero_std"]);
    // TRL's batch figure asks whether the whole batch is flat, which would hide the flat group here.
    expect(fractionFlat([groupAdvantages(rewards, "trl")])).toBe(vectors.advantages["trl.batch.frac_reward_zero_std"]);
  });
});

describe("flat groups", () => {
  it.each(Object.keys(ADVANTAGE_EPSILON) as AdvantagePreset[])("are exactly 0 in %s, residue or not", (name) => {
    for (const group of [Array<number>(8).fill(0.7), [0.7, 0.7 + 1e-12, 0.1 + 0.6], [5e8, 5e8 + 0.1], [3], []]) {
      const { advantages, std, flat } = groupAdvantages(group, name);
      expect(flat).toBe(true);
      expect(std).toBe(0);
      expect(advantages).toEqual(group.map(() => 0));
    }
  });
  it("are not those with a small real difference", () => {
    expect(groupAdvantages([1, 1 + 1e-6], "srpo").flat).toBe(false);
  });
});

describe("properties", () => {
  const group = [1.5, 0.75, 1, 1.25, 0, 0.75, 1.5, 0.5];
  it("moving every reward alike changes nothing; the order of rows is only carried along", () => {
    const { advantages } = groupAdvantages(group, "openrlhf");
    groupAdvantages(
      group.map((r) => r + 10),
      "openrlhf",
    ).advantages.forEach((a, i) => expect(a).toBeCloseTo(advantages[i] ?? NaN, 9));
    expect(
      [...groupAdvantages([...group].reverse(), "openrlhf").advantages].reverse().map((a) => a.toFixed(12)),
    ).toEqual(advantages.map((a) => a.toFixed(12)));
  });
  it("scaling every reward changes nothing but the share of e", () => {
    const { advantages } = groupAdvantages(group, "openrlhf");
    groupAdvantages(
      group.map((r) => 3 * r),
      "openrlhf",
    ).advantages.forEach((a, i) => expect(a).toBeCloseTo(advantages[i] ?? NaN, 7));
  });
  it("sum to 0", () => expect(groupAdvantages(group, "srpo").advantages.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 12));
  it("a row whose scoring failed takes no part, and is not scored 0", () => {
    const { advantages, mean } = groupAdvantages([1, null, 2], "srpo");
    expect(mean).toBe(1.5);
    expect(advantages[1]).toBe(0);
    expect([advantages[0], advantages[2]]).toEqual(groupAdvantages([1, 2], "srpo").advantages);
  });
  it("refuses rewards that are not finite", () =>
    expect(() => groupAdvantages([1, NaN], "srpo")).toThrow(/reward is NaN/));
  it("RLOO gives a lone row 0", () => expect(leaveOneOutAdvantages([3])).toEqual([0]));
  it("groups must divide the rows", () => expect(() => groupsOf([1, 2, 3], 2)).toThrow(/3 rows/));
});
