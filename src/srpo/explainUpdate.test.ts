import { describe, expect, it } from "vitest";
import { explainClip, explainK3, explainLoss, explainRatio } from "./explainUpdate";

const clip = { kind: "clip", clipLow: 0.2, clipHigh: 0.2, ratioMax: null, dualClip: null } as const;

describe("the update answers why", () => {
  it("the ratio", () => {
    expect(explainRatio(-0.5, -0.7)).toEqual({
      formula: "ρ = π/π_old = exp(log π − log π_old)",
      substituted: "ρ = exp(−0.5 − (−0.7)) = 1.221",
      sentence: "This token is now 1.221 times as likely as when it was sampled.",
    });
    expect(explainRatio(-0.5, -0.5).sentence).toMatch(/every ratio is 1/);
    expect(explainRatio(-1, -0.5).sentence).toMatch(/fallen to 0.607/);
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

  it("k3", () => {
    expect(explainK3(-1, -0.4, "trl").substituted).toBe("d = −1 − (−0.4) = −0.6;  k3 = exp(0.6) − 1 − 0.6 = 0.222");
    expect(explainK3(-1, -1, "trl").sentence).toMatch(/agree/);
  });

  it("loss 0 and clip 0 in the first inner epoch", () => {
    expect(explainLoss(0, 0, 0).sentence).toMatch(/The gradient is not 0/);
    expect(explainLoss(-0.01, 0.12, 1).sentence).toMatch(/inner epoch 2 .* 12 % of tokens/);
  });
});
