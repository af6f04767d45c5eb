import { describe, expect, it } from "vitest";
import { explainRatio, explainSurrogate } from "./explainUpdate";
import type { Surrogate } from "./surrogate";

const clip = { kind: "clip", clipLow: 0.2, clipHigh: 0.2, ratioMax: null, dualClip: null } as const;

const explainClip = (ratio: number, advantage: number, surrogate: Surrogate) =>
  explainSurrogate(ratio, advantage, -1, surrogate, "token");

describe("the update answers why", () => {
  it("the ratio", () => {
    expect(explainRatio(-0.5, -0.7, Math.exp(0.2), "token")).toEqual({
      formula: "ρ = π/π_old = exp(log π − log π_old)",
      substituted: "ρ = exp(−0.5 − (−0.7)) = 1.221",
      sentence: "This token is now 1.221 times as likely as when it was sampled.",
    });
    expect(explainRatio(-0.5, -0.5, 1, "token").sentence).toMatch(/not moved/);
    expect(explainRatio(-0.5, -0.7, 1.1, "sequence").substituted).toMatch(/s = 1.1 for every token/);
    expect(explainRatio(-1, -0.5, Math.exp(-0.5), "token").sentence).toMatch(/fallen to 0.607/);
  });

  it("the clip", () => {
    expect(explainClip(1.5, 0.4, clip)).toEqual({
      formula: "L = −min(ρ·A, clip(ρ, 0.8, 1.2)·A)",
      substituted: "L = −min(1.5·0.4, 1.2·0.4) = −0.48",
      sentence: "Already more than 1.2 times as likely: the clip stops pushing it up.",
    });
    expect(explainClip(0.5, -1, clip).sentence).toMatch(/stops pushing it down/);
    expect(explainClip(1.1, 1, clip).sentence).toMatch(/more likely/);
    expect(explainClip(1.5, -1, clip).sentence).toMatch(/less likely/);
    expect(explainClip(1, 0, clip).sentence).toMatch(/no push/);
  });

  it("the bounds on outliers: SRPO's ratio clamp and the dual clip", () => {
    expect(explainClip(5, -1, { ...clip, ratioMax: 3 })).toMatchObject({
      formula: "L = −min(min(ρ, 3)·A, clip(ρ, 0.8, 1.2)·A)",
      substituted: "L = −min(3·(−1), 1.2·(−1)) = 3",
    });
    expect(explainClip(5, -1, { ...clip, dualClip: 3 })).toMatchObject({
      substituted: "L = −min(5·(−1), 1.2·(−1)), bounded by 3·1 = 3",
    });
    expect(explainClip(5, -1, { ...clip, dualClip: 3 }).sentence).toMatch(/outlier/);
  });

  it("a ratio clamp that binds a positive advantage leaves no gradient", () => {
    expect(explainClip(4.953, 1.234, { ...clip, clipHigh: 5, ratioMax: 3 }).sentence).toMatch(/no gradient/);
  });

  it("at sequence level the ratio is the response's, s", () => {
    const { formula, sentence } = explainSurrogate(1.5, 0.4, -1, clip, "sequence");
    expect(formula).toBe("L = −min(s·A, clip(s, 0.8, 1.2)·A)");
    expect(sentence).toMatch(/^The response is already more than 1.2 times as likely/);
  });

  it("SAPO's gate never passes more than all of the ratio", () => {
    const sapo = { kind: "sapo", tauPositive: 1, tauNegative: 1.05 } as const;
    expect(explainSurrogate(1.8, 1, -1, sapo, "token").sentence).toMatch(/passes 85\.56\d* % of the ratio/);
  });

  it("CISPO's weight and SAPO's gate", () => {
    const cispo = { kind: "cispo", ratioLow: 0, ratioHigh: 5 } as const;
    expect(explainSurrogate(7, 0.5, -1, cispo, "token")).toEqual({
      formula: "L = −sg(clamp(ρ, 0, 5))·A·log π",
      substituted: "L = −5·0.5·(−1) = 2.5",
      sentence:
        "The ratio is a weight that no gradient passes through, held at 5: this step makes the token more likely.",
    });
    const sapo = { kind: "sapo", tauPositive: 1, tauNegative: 1.05 } as const;
    expect(explainSurrogate(1, -2, -1, sapo, "token")).toEqual({
      formula: "L = −(4/τ)·σ(τ(ρ − 1))·A",
      substituted: "L = −(4/1.05)·σ(1.05·(1 − 1))·(−2) = 3.81",
      sentence: "The soft gate passes 100 % of the ratio: this step makes the token less likely.",
    });
  });
});
