import { describe, expect, it } from "vitest";
import { AGGREGATIONS, type Aggregation, type AggregationOptions, rowWeights } from "./aggregation";

const losses = [[1, 2, 3, 4], [-5, 6], [], [7]];
const lengths = losses.map((row) => row.length);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** One weight a token, rows one after the other. */
const tokenWeights = (of: readonly number[], aggregation: Aggregation, options?: AggregationOptions): number[] =>
  rowWeights(of, aggregation, options).flatMap((weight, row) => Array<number>(of[row] ?? 0).fill(weight));

describe("aggregations as weights", () => {
  const direct = {
    "token-mean": sum(losses.flat()) / 7,
    "seq-mean-token-sum": sum(losses.map(sum)) / 4,
    "seq-mean-token-mean": (2.5 + 0.5 + 0 + 7) / 4,
    "seq-mean-token-sum-norm": sum(losses.map(sum)) / 4 / 10,
  };
  it.each(AGGREGATIONS)("%s: Σ w·loss is the aggregate", (aggregation) => {
    const weights = tokenWeights(lengths, aggregation, { horizon: 10 });
    expect(sum(losses.flat().map((loss, i) => loss * (weights[i] ?? NaN)))).toBeCloseTo(direct[aggregation], 6);
  });

  it.each(AGGREGATIONS)("%s: the weights do not know about micro-batches", (aggregation) => {
    const weights = tokenWeights(lengths, aggregation, { horizon: 10 });
    const flat = losses.flat();
    const whole = sum(flat.map((loss, i) => loss * (weights[i] ?? NaN)));
    for (const cut of [1, 3, 6]) {
      const part = (from: number, to: number): number =>
        sum(flat.slice(from, to).map((loss, i) => loss * (weights[from + i] ?? NaN)));
      expect(part(0, cut) + part(cut, flat.length)).toBeCloseTo(whole, 12);
    }
  });

  it("lays tokens out row by row", () => {
    expect(Array.from(tokenWeights([2, 1], "seq-mean-token-mean"))).toEqual([0.25, 0.25, 0.5]);
    expect(rowWeights([2, 1], "seq-mean-token-sum-norm")).toEqual([0.25, 0.25]);
    expect(tokenWeights([], "token-mean")).toHaveLength(0);
  });

  it("refuses lengths that are none, and an empty horizon", () => {
    expect(() => rowWeights([1.5], "token-mean")).toThrow(/length 1.5/);
    expect(() => rowWeights([1], "seq-mean-token-sum-norm", { horizon: 0 })).toThrow(/horizon/);
  });
});
