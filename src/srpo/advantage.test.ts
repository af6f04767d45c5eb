import { describe, expect, it } from "vitest";
import { groupAdvantages, stdOf } from "./advantage";
import { vector, vectors } from "./golden/vectors";
import { TRAINERS, type Trainer } from "./types";

const { rewards, shape } = vectors;
const groups = Array.from({ length: rewards.length / shape.G }, (_, g) =>
  rewards.slice(g * shape.G, (g + 1) * shape.G),
);
const preset = (name: Trainer): readonly number[] => groups.flatMap((g) => groupAdvantages(g, name).advantages);

/** The lists of group-normalised advantages in the vectors, and how each is made here. */
const TABLE: Readonly<Record<string, readonly number[]>> = {
  "trl.scale_rewards=group": preset("trl"),
  "verl.grpo": preset("verl"),
  "verl.grpo_vectorized": preset("verl"),
  "easyr1.grpo": preset("easyr1"),
  "openrlhf.group_norm (line re-typed: mean, std(ddof=1)+1e-9)": preset("openrlhf"),
};

describe("advantages of four trainers", () => {
  it.each(Object.entries(TABLE))("%s to 1e-6", (name, advantages) => {
    const expected = vector("advantages", name);
    expect(advantages).toHaveLength(expected.length);
    advantages.forEach((a, i) => {
      expect(Math.abs(a - (expected[i] ?? NaN))).toBeLessThanOrEqual(1e-6);
    });
  });
  it("counts flat groups: frac_reward_zero_std", () => {
    const flat = groups.filter((g) => groupAdvantages(g, "trl").flat);
    expect(flat.length / groups.length).toBe(vectors.advantages["trl.group.frac_reward_zero_std"]);
  });
  it("takes the std with n − 1", () => {
    expect(stdOf([1, 2, 3, 4])).toBeCloseTo(Math.sqrt(5 / 3), 12);
    expect(stdOf([3])).toBe(0);
  });
});

describe("flat groups", () => {
  it.each(TRAINERS)("are exactly 0 in %s, residue or not", (name) => {
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
});
