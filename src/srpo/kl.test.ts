import { describe, expect, it } from "vitest";
import { type AdvantageEstimator, type ScoredGroup, stepAdvantages } from "./advantageEstimators";
import { recipeVectors } from "./golden/recipeVectors";
import { vector } from "./golden/vectors";
import { estimateKl } from "./kl";
import type { KlEstimator, Trainer } from "./types";

/** name in the vectors → estimator and trainer; the names with + are verl's straight-through forms: same value. */
const TABLE: readonly (readonly [string, KlEstimator, Trainer])[] = [
  ["verl.k1", "k1", "verl"],
  ["verl.abs", "abs", "verl"],
  ["verl.k2", "k2", "verl"],
  ["verl.k3", "k3", "verl"],
  ["verl.k1+", "k1", "verl"],
  ["verl.k3+", "k3", "verl"],
  ["verl.low_var_kl+", "k3", "verl"],
  ["easyr1.kl", "k1", "easyr1"],
  ["easyr1.abs", "abs", "easyr1"],
  ["easyr1.mse", "k2", "easyr1"],
  ["easyr1.low_var_kl", "k3", "easyr1"],
  ["openrlhf.k1", "k1", "openrlhf"],
  ["openrlhf.k2", "k2", "openrlhf"],
  ["openrlhf.k3", "k3", "openrlhf"],
  ["trl.k3 (exp(ref-lp)-(ref-lp)-1, no clamp)", "k3", "trl"],
];
const logp = vector("kl", "logp");
const ref = vector("kl", "ref");

describe("KL estimators of four trainers", () => {
  it.each(TABLE)("%s", (name, estimator, trainer) => {
    vector("kl", name).forEach((expected, i) => {
      const { value } = estimateKl(logp[i] ?? NaN, ref[i] ?? NaN, estimator, trainer);
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(expected)));
    });
  });

  it.each(TABLE)("%s: slope agrees with finite differences", (_, estimator, trainer) => {
    const h = 1e-6;
    logp.forEach((p, i) => {
      const at = (by: number): number => estimateKl(p + by, ref[i] ?? NaN, estimator, trainer).value;
      if (estimator === "abs" && p === ref[i]) return;
      const { slope } = estimateKl(p, ref[i] ?? NaN, estimator, trainer);
      expect(Math.abs(slope - (at(h) - at(-h)) / (2 * h))).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(slope)));
    });
  });

  it("is 0 where the policies agree, and stays finite far away", () => {
    for (const [, estimator, trainer] of TABLE) expect(estimateKl(-3, -3, estimator, trainer).value).toBeCloseTo(0, 15);
    expect(estimateKl(-500, 0, "k3", "verl")).toEqual({ value: 10, slope: 0 });
    expect(estimateKl(0, -500, "k3", "srpo").value).toBe(10);
  });
});

describe("KL in the reward of three trainers", () => {
  const { beta, groupSize, rewards, cases } = recipeVectors.klInReward;
  const { lengths, logp: oldLogp, refLogp } = recipeVectors.policyLosses;
  /** −β·KL of each token, and the reward on the last one: verl's and OpenRLHF's placement. */
  const tokenRewards = (estimator: KlEstimator, trainer: Trainer): number[][] =>
    lengths.map((length, row) =>
      Array.from({ length }, (_, t) => {
        const { value } = estimateKl(oldLogp[row]?.[t] ?? NaN, refLogp[row]?.[t] ?? NaN, estimator, trainer);
        return (t === length - 1 ? (rewards[row] ?? NaN) : 0) - beta * value;
      }),
    );
  const trainerOf = (source: string): Trainer =>
    source.startsWith("verl") ? "verl" : source.startsWith("trl") ? "trl" : "openrlhf";

  it.each(cases)("$source: token rewards, their sums, and the advantages made of the sums", (golden) => {
    const trainer = trainerOf(golden.source);
    const tokens = tokenRewards(golden.kl, trainer);
    const sums = tokens.map((row) => row.reduce((a, b) => a + b, 0));
    golden.tokenRewards?.forEach((row, i) => row.forEach((r, t) => expect(tokens[i]?.[t]).toBeCloseTo(r, 7)));
    golden.rewards?.forEach((r, i) => expect(sums[i]).toBeCloseTo(r, 9));
    for (const [name, expected] of Object.entries(golden.advantages ?? {})) {
      const estimator = ESTIMATORS[name];
      if (!estimator) throw new Error(`no estimator of ours is named for ${name}`);
      const groups: ScoredGroup[] = [];
      for (let at = 0; at < sums.length; at += groupSize)
        groups.push({
          rewards: sums.slice(at, at + groupSize),
          terms: sums.slice(at, at + groupSize).map(() => ({})),
          lengths: lengths.slice(at, at + groupSize),
        });
      const advantages = stepAdvantages(groups, { estimator, trainer }).flatMap((g) => g.advantages);
      expected.forEach((a, i) => expect(advantages[i]).toBeCloseTo(a, 7));
    }
  });

  it("OpenRLHF: baseline from rewards without KL; a token bears the penalty of itself and those after it", () => {
    const golden = cases.find((c) => c.source === "openrlhf.compute_reward.k1")?.tokenAdvantages?.["openrlhf.rloo"];
    const penalties = tokenRewards("k1", "openrlhf").map((row, i) =>
      row.map((r, t) => (t === row.length - 1 ? r - (rewards[i] ?? NaN) : r)),
    );
    expect(golden).toHaveLength(rewards.length);
    golden?.forEach((row, i) => {
      const start = i - (i % groupSize);
      const others = rewards.slice(start, start + groupSize).filter((_, j) => start + j !== i);
      const own = (rewards[i] ?? NaN) - others.reduce((a, b) => a + b, 0) / others.length;
      row.forEach((a, t) => {
        const after = (penalties[i] ?? []).slice(t).reduce((sum, p) => sum + p, 0);
        expect(own + after).toBeCloseTo(a, 6);
      });
    });
  });
});

const ESTIMATORS: Readonly<Record<string, AdvantageEstimator>> = {
  "verl.rloo": "leave-one-out",
  "verl.grpo": "group",
  "verl.reinforce_plus_plus_baseline": "whitened",
  "trl.RLOOTrainer": "leave-one-out",
};
