import { describe, expect, it, test } from "vitest";
import { groupAdvantages } from "./advantage";
import {
  ADVANTAGE_ESTIMATORS,
  type EstimatorOptions,
  type ScoredGroup,
  stepAdvantages,
  whiteningScale,
} from "./advantageEstimators";
import { type AdvantageBatch, recipeVectors } from "./golden/recipeVectors";
import { TRAINERS } from "./types";

/** Our name for each estimator of recipe_vectors.json. */
const SOURCES: Readonly<Record<string, EstimatorOptions>> = {
  "trl.scale_rewards=group": { estimator: "group", trainer: "trl" },
  "trl.scale_rewards=none": { estimator: "centred", trainer: "trl" },
  "trl.scale_rewards=batch": { estimator: "batch-std", trainer: "trl" },
  "trl.RLOOTrainer": { estimator: "leave-one-out", trainer: "trl" },
  "trl.normalize_then_sum": { estimator: "gdpo", trainer: "trl" },
  "verl.grpo": { estimator: "group", trainer: "verl" },
  "verl.grpo.norm_adv_by_std_in_grpo=False": { estimator: "centred", trainer: "verl" },
  "verl.rloo": { estimator: "leave-one-out", trainer: "verl" },
  "verl.reinforce_plus_plus_baseline": { estimator: "whitened", trainer: "verl" },
  "verl.gdpo": { estimator: "gdpo", trainer: "verl" },
  "openrlhf.group_norm": { estimator: "group", trainer: "openrlhf" },
  "openrlhf.dr_grpo": { estimator: "centred", trainer: "openrlhf" },
  "openrlhf.rloo": { estimator: "leave-one-out", trainer: "openrlhf" },
  "openrlhf.reinforce_baseline": { estimator: "whitened", trainer: "openrlhf" },
};

function groupsOf({ groupSize, lengths, rewards, terms }: AdvantageBatch): readonly ScoredGroup[] {
  const rows = lengths.map((length, row) => {
    const named = Object.fromEntries(Object.entries(terms ?? {}).map(([name, values]) => [name, values[row] ?? NaN]));
    const total = Object.values(named).reduce((a, b) => a + b, 0);
    const reward = rewards ? (rewards[row] ?? null) : total;
    return { reward, terms: reward === null ? null : named, length };
  });
  return Array.from({ length: rows.length / groupSize }, (_, g) => {
    const group = rows.slice(g * groupSize, (g + 1) * groupSize);
    return {
      rewards: group.map((r) => r.reward),
      terms: group.map((r) => r.terms),
      lengths: group.map((r) => r.length),
    };
  });
}

const batchNamed = (name: string): readonly ScoredGroup[] => {
  const found = recipeVectors.advantages.batches.find((b) => b.name === name);
  if (!found) throw new Error(`recipe_vectors.json has no batch "${name}".`);
  return groupsOf(found);
};

const rewardsOnly = (...groups: (number | null)[][]): readonly ScoredGroup[] =>
  groups.map((rewards) => ({
    rewards,
    terms: rewards.map((total) => (total === null ? null : { total })),
    lengths: rewards.map(() => 5),
  }));

describe("advantages of three trainers", () => {
  const cases = recipeVectors.advantages.cases.filter((c) => c.source !== "trl.RLOOTrainer.normalize_advantages");
  test("every source has a case, and every case a source", () => {
    expect([...new Set(cases.map((c) => c.source))].sort()).toEqual(Object.keys(SOURCES).sort());
  });
  it.each(cases)("$source, $batch $termWeights", ({ source, batch, termWeights, advantages: expected }) => {
    const settings = SOURCES[source]!;
    const groups = batchNamed(batch);
    const options = { ...settings, ...(termWeights ? { termWeights } : {}) };
    const results = stepAdvantages(groups, options);
    const { mean, scale } = whiteningScale(groups, options);
    const departs = options.estimator === "whitened" || options.estimator === "gdpo";
    let at = 0;
    for (const { advantages, flat } of results)
      for (const a of advantages) {
        // The named departure: here 0, there −mean/scale.
        if (flat) expect(a).toBe(0);
        expectClose(flat && departs ? -mean / scale : a, expected[at++]);
      }
    expect(at).toBe(expected.length);
  });
  it("whitens RLOO's advantages over responses with TRL's preset", () => {
    // TRL normalises r − mean of the others: with groups of one size that is c·n/(n − 1), and differs only by e.
    for (const { batch, advantages } of recipeVectors.advantages.cases.filter(
      (c) => c.source === "trl.RLOOTrainer.normalize_advantages" && c.batch !== "one response unscored",
    )) {
      const results = stepAdvantages(batchNamed(batch), { estimator: "whitened", trainer: "trl" });
      results
        .flatMap((r) => r.advantages)
        .forEach((a, i) => expect(Math.abs(a - (advantages[i] ?? NaN))).toBeLessThan(1e-3));
    }
  });
});

describe("truncated responses", () => {
  it("count in their group as TRL has it; only the loss leaves them out", () => {
    const { rewards, lengths, advantages, truncated, lossTokens } = recipeVectors.truncation.group;
    const [group] = stepAdvantages(
      [{ rewards, lengths, terms: rewards.map(() => ({})) }],
      SOURCES["trl.scale_rewards=group"]!,
    );
    group?.advantages.forEach((a, i) => expectClose(a, advantages[i]));
    expect(lossTokens).toEqual(lengths.map((n, i) => (truncated.includes(i) ? 0 : n)));
  });
});

describe("by hand", () => {
  const groups = rewardsOnly([1, 0, 0, 1], [0.5, 0.5, 0.5, 0.5]);
  it("centred: r − mean", () => {
    const [first] = stepAdvantages(groups, { estimator: "centred", trainer: "verl" });
    expect(first).toEqual({ advantages: [0.5, -0.5, -0.5, 0.5], mean: 0.5, std: Math.sqrt(1 / 3), flat: false });
  });
  it("leave-one-out: 1 − 1/3 and 0 − 2/3", () => {
    const [first] = stepAdvantages(groups, { estimator: "leave-one-out", trainer: "trl" });
    [2 / 3, -2 / 3, -2 / 3, 2 / 3].forEach((a, i) => expect(first?.advantages[i]).toBeCloseTo(a, 14));
  });
  it("batch-std: the std of all eight rewards, 1/√7", () => {
    const [first] = stepAdvantages(groups, { estimator: "batch-std", trainer: "openrlhf" });
    expect(first?.advantages[0]).toBeCloseTo(0.5 * Math.sqrt(7), 7);
  });
  it("whitened: one long wrong answer moves the mean of the tokens", () => {
    // c = ½ on 1 token, −½ on 3: mean −¼, variance (1·(¾)² + 3·(¼)²)/4 = 3/16, or ¼ with divisor 3.
    const long = [{ rewards: [1, 0], terms: [{}, {}], lengths: [1, 3] }];
    const [population] = stepAdvantages(long, { estimator: "whitened", trainer: "openrlhf" });
    expect(population?.advantages[0]).toBeCloseTo(0.75 / Math.sqrt(3 / 16), 12);
    expect(population?.advantages[1]).toBeCloseTo(-0.25 / Math.sqrt(3 / 16), 12);
    const [sample] = stepAdvantages(long, { estimator: "whitened", trainer: "verl" });
    expect(sample?.advantages[0]).toBeCloseTo(0.75 / Math.sqrt(0.25 + 1e-8), 12);
  });
  it("gdpo: a term counts alike at any size; a sum would hear only the larger one", () => {
    const group: ScoredGroup = {
      rewards: [10, 0.1, 0],
      terms: [
        { big: 10, small: 0 },
        { big: 0, small: 0.1 },
        { big: 0, small: 0 },
      ],
      lengths: [5, 5, 5],
    };
    const [gdpo] = stepAdvantages([group], { estimator: "gdpo", trainer: "openrlhf" });
    expect(gdpo?.advantages[0]).toBeCloseTo(gdpo?.advantages[1] ?? NaN, 5);
    const [alone] = stepAdvantages([group], { estimator: "gdpo", trainer: "openrlhf", termWeights: { small: 0 } });
    expect(alone?.advantages[1]).toBeCloseTo(alone?.advantages[2] ?? NaN, 12);
    const [group0] = stepAdvantages([group], { estimator: "group", trainer: "openrlhf" });
    expect(group0?.advantages[1]).toBeLessThan(-0.5);
  });
});

describe("gdpo", () => {
  const mixed: ScoredGroup = {
    rewards: [1, 0],
    terms: [
      { a: 1, b: 0 },
      { a: 0, b: 0 },
    ],
    lengths: [1, 9],
  };
  const across: ScoredGroup = {
    rewards: [1, 1],
    terms: [
      { a: 1, b: 0 },
      { a: 0, b: 1 },
    ],
    lengths: [4, 2],
  };
  const options: EstimatorOptions = { estimator: "gdpo", trainer: "verl" };
  it("a group whose terms cancel out is flat; with other weights it is not", () => {
    expect(stepAdvantages([mixed, across], options)[1]).toMatchObject({ advantages: [0, 0], flat: true });
    expect(stepAdvantages([mixed, across], { ...options, termWeights: { b: 0.5 } })[1]?.flat).toBe(false);
  });
  it("a group that differs only in a term of weight 0 is flat", () => {
    const groups = [
      mixed,
      {
        ...across,
        terms: [
          { a: 1, b: 0 },
          { a: 1, b: 1 },
        ],
      },
    ];
    expect(stepAdvantages(groups, { ...options, termWeights: { b: 0 } })[1]).toMatchObject({ advantages: [0, 0] });
  });
});

describe.each(ADVANTAGE_ESTIMATORS)("%s", (estimator) => {
  it.each(TRAINERS)("a flat group is exactly 0 with residue, alone and beside another (%s)", (trainer) => {
    const residue = [0.7, 0.7 + 1e-12, 0.1 + 0.6, 0.7];
    for (const groups of [rewardsOnly(residue), rewardsOnly([0, 1, 0, 0], residue), rewardsOnly([null, 3], [])]) {
      const results = stepAdvantages(
        groups.map((g, i) => ({ ...g, lengths: g.lengths.map((_, row) => 1 + ((7 * row + i) % 5)) })),
        { estimator, trainer },
      );
      const flat = results.filter((r) => r.flat);
      expect(flat.length).toBeGreaterThan(0);
      for (const { advantages, std } of flat) {
        expect(advantages.every((a) => Object.is(a, 0))).toBe(true);
        expect(std).toBe(0);
      }
      for (const { advantages } of results) expect(advantages.every(Number.isFinite)).toBe(true);
    }
  });
  it("a response whose scoring failed gets 0 and changes nothing for the others", () => {
    const options: EstimatorOptions = { estimator, trainer: "verl" };
    const [withNull, other] = stepAdvantages(rewardsOnly([1, null, 2, 4], [0, 1, 0]), options);
    const [without, same] = stepAdvantages(rewardsOnly([1, 2, 4], [0, 1, 0]), options);
    expect(withNull).toEqual({
      ...without,
      advantages: [without?.advantages[0], 0, without?.advantages[1], without?.advantages[2]],
    });
    expect(other).toEqual(same);
  });
  it("group mean and std are those of the rewards", () => {
    const groups = rewardsOnly([1, null, 2, 4], [0, 1, 0]);
    const { mean, std } = groupAdvantages([1, 2, 4], "srpo");
    expect(stepAdvantages(groups, { estimator, trainer: "srpo" })[0]).toMatchObject({ mean, std });
  });
  it("gives nothing for no groups and refuses rewards that are not finite", () => {
    expect(stepAdvantages([], { estimator, trainer: "trl" })).toEqual([]);
    expect(() => stepAdvantages(rewardsOnly([1, NaN]), { estimator, trainer: "trl" })).toThrow(/reward is NaN/);
  });
});

describe("refuses", () => {
  const options: EstimatorOptions = { estimator: "gdpo", trainer: "trl" };
  it("responses of a group with different terms", () => {
    const group: ScoredGroup = { rewards: [1, 2], terms: [{ a: 1 }, { b: 2 }], lengths: [1, 1] };
    expect(() => stepAdvantages([group], options)).toThrow("Response 1 of a group has the reward terms b; expected a");
    expect(() => stepAdvantages([{ ...group, terms: [{ a: 1 }, null] }], options)).toThrow(/terms null/);
  });
  it("lists of different lengths and lengths that are none", () => {
    expect(() => stepAdvantages([{ rewards: [1], terms: [], lengths: [1] }], options)).toThrow(/0 terms/);
    expect(() => stepAdvantages([{ rewards: [1], terms: [{}], lengths: [1.5] }], options)).toThrow(/length 1.5/);
  });
});

function expectClose(actual: number, expected: number | undefined): void {
  const size = Math.max(1e-3, Math.abs(expected ?? NaN));
  expect(Math.abs(actual - (expected ?? NaN)), `${actual} against ${expected}`).toBeLessThanOrEqual(1e-6 * size);
}
