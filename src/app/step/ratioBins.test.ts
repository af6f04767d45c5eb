import { describe, expect, test } from "vitest";
import { defaultSettings, type StepMetrics } from "../../worker/protocol";
import { BINS, placeOf, ratioBins, ratioBounds } from "./ratioBins";

describe("the axis of the ratio histogram", () => {
  test("an edge stands between its bins, ratio 1 in the middle, and the sides mirror each other", () => {
    expect(placeOf(0)).toBeCloseTo(BINS / 2, 12);
    expect(placeOf(0.1)).toBeCloseTo(10, 12);
    expect(placeOf(-0.1)).toBeCloseTo(3, 12);
    for (const logRatio of [0.001, 0.02, 0.18, 0.7, 2])
      expect(placeOf(logRatio) + placeOf(-logRatio)).toBeCloseTo(BINS, 12);
  });

  test("within a bin by logarithm, within the middle one linearly, and never outside", () => {
    expect(placeOf(Math.sqrt(0.1 * 0.3))).toBeCloseTo(10.5, 12);
    expect(placeOf(0.0015)).toBeCloseTo(6.75, 12);
    expect([placeOf(-50), placeOf(50)]).toEqual([0, BINS]);
  });
});

test("bins are read from the metrics; a step with one update has none", () => {
  const step: StepMetrics = { step: 3, stage: "grpo" };
  expect(ratioBins(step)).toBeNull();
  const keys = Array.from({ length: BINS }, (_, bin) => [`ratio_histogram/${String(bin).padStart(2, "0")}`, bin / 78]);
  expect(ratioBins({ ...step, ...Object.fromEntries(keys) })?.[12]).toBeCloseTo(12 / 78, 12);
});

test("bounds of each surrogate", () => {
  const { grpo } = defaultSettings;
  expect(ratioBounds({ ...grpo, clipHigh: 0.28 })).toEqual({ low: 0.8, high: 1.28 });
  expect(ratioBounds({ ...grpo, surrogate: "cispo" })).toEqual({ low: null, high: 5 });
  expect(ratioBounds({ ...grpo, surrogate: "sapo" })).toEqual({ low: null, high: null });
});
