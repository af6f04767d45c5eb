import { expect, it } from "vitest";
import { responseKl } from "./klPenalty";

it("sums the estimates of the tokens", () => {
  expect(responseKl([-1, -2], [-1.5, -1.75], "k1", "trl")).toBeCloseTo(0.25, 12);
  expect(responseKl([-1, -2], [-1.5, -1.75], "k2", "trl")).toBeCloseTo((0.25 + 0.0625) / 2, 12);
});

it("clamps each token as the trainer does", () => expect(responseKl([0, 0], [-30, -30], "k1", "openrlhf")).toBe(20));

it("refuses log-probabilities of other tokens", () =>
  expect(() => responseKl([-1], [-1, -1], "k1", "trl")).toThrow(/1 log-probabilities, and 2/));
