import { describe, expect, test } from "vitest";
import { decimateLines, decimateRows, MAX_POINTS, type Point } from "./decimate";

type Key = "loss" | "kl";
const steps = (count: number, at: (step: number) => Partial<Record<Key, number>>): Point<Key>[] =>
  Array.from({ length: count }, (_, index) => ({ step: index + 1, ...at(index + 1) }));

describe("decimation", () => {
  test("leaves short series alone, down to a single step", () => {
    const one = steps(1, () => ({ loss: 2 }));
    expect(decimateLines(one, ["loss"])).toBe(one);
    expect(decimateRows(one, "loss")).toBe(one);
  });

  test("keeps a one-step spike in five thousand steps, for every series, in at most 400 points", () => {
    const rows = steps(5000, (step) => ({ loss: step === 3333 ? 90 : 1, kl: step === 42 ? -7 : 0 }));
    const drawn = decimateLines<Key>(rows, ["loss", "kl"]);
    expect(drawn.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(Math.max(...drawn.map((point) => point.loss ?? 0))).toBe(90);
    expect(Math.min(...drawn.map((point) => point.kl ?? 0))).toBe(-7);
    expect(drawn.map((point) => point.step)).toEqual([...drawn.map((point) => point.step)].sort((a, b) => a - b));
    expect(drawn[0]?.step).toBe(1);
    expect(drawn.at(-1)?.step).toBe(5000);
  });

  test("leaves out what was not measured instead of drawing zero", () => {
    const drawn = decimateLines<Key>(
      steps(1000, (step) => (step > 500 ? { kl: 0.1 } : {})),
      ["kl"],
      100,
    );
    expect(drawn[0]?.kl).toBeUndefined();
    expect(drawn.at(-1)?.kl).toBe(0.1);
  });

  test("keeps whole rows where parts must add up", () => {
    const rows = steps(2000, (step) => ({ loss: step / 2000, kl: 1 - step / 2000 }));
    const drawn = decimateRows<Key>(rows, "kl");
    expect(drawn.length).toBeLessThanOrEqual(MAX_POINTS);
    for (const point of drawn) expect((point.loss ?? 0) + (point.kl ?? 0)).toBeCloseTo(1, 12);
  });
});
