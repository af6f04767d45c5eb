import { describe, expect, it } from "vitest";
import { randomUniform } from "../tensor/random";
import { type FailureOptions, failureDraws, failureGroups, undrawnFailures } from "./failureBuffer";

const options: FailureOptions = { share: 0.4, capacity: 250, maxAge: 50, minimum: 4, wrongShare: 0.9, perGroup: 3 };
const uniform = (draw: number, what: "kind" | "entry"): number => randomUniform(1, 2, draw, what === "kind" ? 0 : 1);
const entries = (count: number, right: (index: number) => boolean, step = 10) =>
  Array.from({ length: count }, (_, index) => ({ right: right(index), step }));

describe("the failure buffer", () => {
  it("says where its share rounds to no group, and which share does not", () => {
    expect(failureGroups({ share: 0.4 }, 16)).toBe(6);
    expect(undrawnFailures({ share: 0.4 }, 16)).toBeNull();
    expect(undrawnFailures(null, 1)).toBeNull();
    expect(undrawnFailures({ share: 0.4 }, 1)).toMatch(/share 0\.4 of 1 prompt rounds to 0 groups: nothing is ever/);
    const raised = Number(/Raise the share to (\S+) or/.exec(undrawnFailures({ share: 0.02 }, 16) ?? "")?.[1]);
    expect(failureGroups({ share: raised }, 16)).toBe(1);
  });

  it("draws nine wrong ones in ten, each once", () => {
    const buffer = entries(4000, (index) => index % 2 === 0);
    const drawn = failureDraws(buffer, 20, 1000, options, uniform);
    expect(new Set(drawn).size).toBe(1000);
    expect(drawn.filter((index) => buffer[index]?.right === false).length / 1000).toBeCloseTo(0.9, 1.5);
  });

  it("waits for its minimum", () =>
    expect(
      failureDraws(
        entries(3, () => false),
        20,
        2,
        options,
        uniform,
      ),
    ).toEqual([]));

  it("leaves old entries alone", () => {
    expect(
      failureDraws(
        entries(8, () => false, 10),
        61,
        2,
        options,
        uniform,
      ),
    ).toEqual([]);
    expect(
      failureDraws(
        entries(8, () => false, 10),
        60,
        2,
        options,
        uniform,
      ),
    ).toHaveLength(2);
  });

  it("takes the other kind where one has run out, and stops where both have", () =>
    expect(
      failureDraws(
        entries(5, () => true),
        20,
        9,
        options,
        uniform,
      ).sort(),
    ).toEqual([0, 1, 2, 3, 4]));
});
