import { expect, test } from "vitest";
import { cosineWithWarmup, heldThenFalling } from "./schedule";

test("warm-up rises linearly to 1, then half a cosine falls to 0", () => {
  expect(cosineWithWarmup(0, 100, 0.1)).toBeCloseTo(0.1, 12);
  expect(cosineWithWarmup(9, 100, 0.1)).toBe(1);
  expect(cosineWithWarmup(10, 100, 0.1)).toBe(1);
  expect(cosineWithWarmup(55, 100, 0.1)).toBeCloseTo(0.5, 12);
  expect(cosineWithWarmup(100, 100, 0.1)).toBeCloseTo(0, 12);
});

test("steps past the plan stay at 0, and no warm-up starts at 1", () => {
  expect(cosineWithWarmup(140, 100, 0.1)).toBeCloseTo(0, 12);
  expect(cosineWithWarmup(0, 100, 0)).toBe(1);
});

test("a GRPO run learns at full rate for its first half, then settles", () => {
  expect([0, 74, 75].map((step) => heldThenFalling(step, 150, 0.1))).toEqual([1, 1, 1]);
  expect(heldThenFalling(112.5, 150, 0.1)).toBeCloseTo(0.55, 12);
  expect(heldThenFalling(150, 150, 0.1)).toBeCloseTo(0.1, 12);
  expect(heldThenFalling(1000, 150, 0.1)).toBeCloseTo(0.1, 12);
  expect(heldThenFalling(140, 150, 1)).toBe(1);
});
