import { expect, test } from "vitest";
import { medianRatio, quantile, spread } from "./statistics";

test("quantiles lie between order statistics", () => {
  expect([0, 0.25, 0.5, 0.75, 1].map((q) => quantile([4, 1, 3, 2], q))).toEqual([1, 1.75, 2.5, 3.25, 4]);
  expect(spread([7])).toEqual({ median: 7, q1: 7, q3: 7, repetitions: 1 });
  expect(() => quantile([], 0.5)).toThrow(/no value/);
});

test("a ratio compares neighbouring repetitions, so that a machine that slows down does not change it", () => {
  expect(medianRatio([20, 40, 80], [10, 20, 40])).toBe(2);
  expect(() => medianRatio([1, 2], [1])).toThrow(/2 repetitions against 1/);
});
