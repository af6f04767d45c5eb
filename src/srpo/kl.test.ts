import { describe, expect, it } from "vitest";
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
