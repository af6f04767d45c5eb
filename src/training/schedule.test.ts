import { expect, test } from "vitest";
import { cosineWithWarmup } from "./schedule";

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
