import { describe, expect, it } from "vitest";
import { randomUniform } from "../tensor/random";
import { replayDraws } from "./sampleReplay";

describe("selective sample replay", () => {
  const advantages = [2, -1, 0.5, -0.5];
  it.each([
    [1, [0.5, 0.25, 0.125, 0.125]],
    [2, [4 / 5.5, 1 / 5.5, 0.25 / 5.5, 0.25 / 5.5]],
    [0, [0.25, 0.25, 0.25, 0.25]],
  ])("α = %d draws with P ∝ |Â|^α", (alpha, expected) => {
    const draws = replayDraws(advantages, { episode: 8, alpha }, 20_000, (draw) => randomUniform(3, 1, draw, 0));
    expected.forEach((share, index) => {
      expect(draws.filter((drawn) => drawn === index).length / draws.length).toBeCloseTo(share, 1.7);
    });
  });

  it("walks the weights in order", () => {
    const at = (u: number) => replayDraws(advantages, { episode: 8, alpha: 1 }, 1, () => u)[0];
    expect([at(0), at(0.49), at(0.51), at(0.76), at(0.9), at(1)]).toEqual([0, 0, 1, 2, 3, 3]);
  });

  it("draws nothing from nothing", () => expect(replayDraws([], { episode: 8, alpha: 1 }, 5, () => 0.5)).toEqual([]));
});
