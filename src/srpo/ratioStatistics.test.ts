import { describe, expect, it } from "vitest";
import { LOG_RATIO_EDGES, ratioStatistics } from "./ratioStatistics";

const clip = { kind: "clip", clipLow: 0.2, clipHigh: 0.2, ratioMax: null, dualClip: null } as const;
const row = (logRatios: readonly number[], advantage = 1) => ({
  logp: logRatios.map((d) => d - 2),
  oldLogp: logRatios.map(() => -2),
  advantage,
});

describe("the histogram of log ρ", () => {
  it("counts tokens between the edges, each bin closed below", () => {
    const found = ratioStatistics([row([0, 0.02, -0.02]), row([5, -5])], {
      surrogate: clip,
      level: "token",
      logRatioLimit: null,
    });
    const expected = new Array<number>(LOG_RATIO_EDGES.length + 1).fill(0);
    for (const bin of [0, 4, 6, 8, 12]) expected[bin] = 0.2;
    expect(found?.histogram).toEqual(expected);
    expect(found?.min).toBeCloseTo(Math.exp(-5), 12);
    expect(found?.max).toBeCloseTo(Math.exp(5), 9);
    expect(found?.tokens).toBe(5);
    expect(found?.gate).toBeNull();
  });

  it("at sequence level every token has the ratio of its response", () => {
    const found = ratioStatistics([row([0.4, -0.4]), row([0.2, 0.2])], {
      surrogate: clip,
      level: "sequence",
      logRatioLimit: null,
    });
    expect(found?.histogram[6]).toBe(0.5);
    expect(found?.histogram[10]).toBe(0.5);
  });

  it("a clamped log-ratio counts as clamped", () => {
    const found = ratioStatistics([row([30])], { surrogate: clip, level: "token", logRatioLimit: 20 });
    expect(Math.log(found?.max ?? 0)).toBeCloseTo(20, 12);
  });

  it("has nothing to say of no token", () =>
    expect(ratioStatistics([row([])], { surrogate: clip, level: "token", logRatioLimit: null })).toBeNull());
});

it("SAPO's gates are open at ρ = 1 and close on either side", () => {
  const sapo = { kind: "sapo", tauPositive: 1, tauNegative: 1.05 } as const;
  const gate = (logRatio: number, advantage: number): number =>
    ratioStatistics([row([logRatio], advantage)], { surrogate: sapo, level: "token", logRatioLimit: null })?.gate ??
    NaN;
  expect(gate(0, 1)).toBe(1);
  const sigma = 1 / (1 + Math.exp(-1.05));
  expect(gate(Math.log(2), -1)).toBeCloseTo(4 * sigma * (1 - sigma), 12);
  expect(gate(Math.log(2), 1)).toBeGreaterThan(gate(Math.log(2), -1));
});
