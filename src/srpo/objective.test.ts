import { describe, expect, it } from "vitest";
import {
  base,
  clip,
  dual,
  GOLDEN_OBJECTIVES,
  goldenRows,
  NOT_COVERED,
  RECIPE_OBJECTIVES,
  recipeRows,
  sapo,
  TRUNCATED_OBJECTIVES,
  truncatedRows,
} from "./golden/objectives";
import { recipeVectors } from "./golden/recipeVectors";
import { type LossVector, vectors } from "./golden/vectors";
import {
  evaluateObjective,
  type ObjectiveMetrics,
  type ObjectiveRow,
  type ObjectiveSettings,
  objectiveOf,
} from "./objective";
import { type PolicyGradientSettings, RECIPES } from "./recipe";

const rows = goldenRows;

/** For vectors made in float64, with 10 digits. */
const sameAs = (actual: number | undefined, expected: number, what: string): void =>
  expect(Math.abs((actual ?? NaN) - expected), `${what}: ${actual} against ${expected}`).toBeLessThanOrEqual(
    1e-9 + 1e-7 * Math.abs(expected),
  );

interface Evaluated {
  readonly metrics: ObjectiveMetrics;
  readonly ratios: readonly (readonly number[])[];
  readonly rows: readonly ObjectiveRow[];
  readonly settings: ObjectiveSettings;
}

/** Our metric for each name a trainer prints; null: not of the objective (entropy of logits we do not see here). */
const METRICS: Readonly<Record<string, ((m: ObjectiveMetrics, evaluated: Evaluated) => number) | null>> = {
  "clip_ratio/low_mean": (m) => m.clipLow,
  "clip_ratio/high_mean": (m) => m.clipHigh,
  "clip_ratio/region_mean": (m) => m.clipLow + m.clipHigh,
  "clip_ratio/low_min": (m) => m.clipLowMin,
  "clip_ratio/high_max": (m) => m.clipHighMax,
  "actor/pg_clipfrac": (m) => m.clipLow + m.clipHigh,
  "actor/pg_clipfrac_lower": (m) => m.bounded,
  "actor/ppo_kl": (m) => m.ppoKl,
  pg_clipfrac_higher: (m) => m.clipLow + m.clipHigh,
  pg_clipfrac_lower: (m) => m.bounded,
  ppo_kl: (m) => m.ppoKl,
  ppo_clip_ratio: (m) => m.clipLow + m.clipHigh,
  kl: (m) => m.kl,
  // TRL's share of tokens above the cap leaves out those with A ≤ 0, which it clips too.
  cispo_clip_ratio: (_, { ratios, rows: all, settings: { surrogate } }) => {
    const cap = surrogate.kind === "cispo" ? surrogate.ratioHigh : NaN;
    const above = ratios.flatMap((row, i) => ((all[i]?.advantage ?? NaN) > 0 ? row.filter((r) => r > cap) : []));
    return above.length / ratios.flat().length;
  },
  entropy: null,
  entropy_loss: null,
};

const closeTo = (actual: number | undefined, expected: number | undefined, what: string): void =>
  expect(Math.abs((actual ?? NaN) - (expected ?? NaN)), `${what}: ${actual} against ${expected}`).toBeLessThanOrEqual(
    1e-6,
  );

function expectMetrics(evaluated: Evaluated, golden: Readonly<Record<string, number>>): void {
  for (const [key, expected] of Object.entries(golden)) {
    const metric = METRICS[key];
    expect(metric, key).toBeDefined();
    if (metric) closeTo(metric(evaluated.metrics, evaluated), expected, key);
  }
}

describe("losses of four trainers", () => {
  it("covers every vector but those named", () => {
    expect([...Object.keys(GOLDEN_OBJECTIVES), ...NOT_COVERED].sort()).toEqual(Object.keys(vectors.losses).sort());
  });

  it.each(Object.entries(GOLDEN_OBJECTIVES))("%s: loss, gradient and metrics to 1e-6", (name, settings) => {
    const golden: LossVector | undefined = vectors.losses[name];
    if (!golden) throw new Error(`no vector ${name}`);
    const result = evaluateObjective(rows, settings);
    closeTo(result.loss, golden.loss, "loss");
    closeTo(result.gradNorm, golden.grad_norm, "grad_norm");
    for (const [row, expected] of [
      [0, golden.grad_row0],
      [2, golden.grad_row2],
    ] as const) {
      expected?.forEach((g, t) => closeTo(result.gradient[row]?.[t] ?? 0, g, `gradient of row ${row}, token ${t}`));
    }
    expectMetrics({ ...result, rows, settings }, golden.metrics);
  });
});

describe("losses of recipes, ratios from 0.3 to 3", () => {
  const { losses } = recipeVectors.policyLosses;
  it("covers every vector", () => expect(Object.keys(RECIPE_OBJECTIVES).sort()).toEqual(Object.keys(losses).sort()));

  it.each(Object.entries(RECIPE_OBJECTIVES))("%s: loss, gradient and clip fractions", (name, settings) => {
    const golden = losses[name];
    if (!golden) throw new Error(`no vector ${name}`);
    const result = evaluateObjective(recipeRows, settings);
    sameAs(result.loss, golden.loss, "loss");
    expect(result.gradient.map((row) => row.length)).toEqual(golden.gradient.map((row) => row.length));
    golden.gradient.forEach((row, i) => row.forEach((g, t) => sameAs(result.gradient[i]?.[t], g, `row ${i}, ${t}`)));
    // TRL counts a sequence once in its clip fractions where it has one ratio (gspo_token has one a token again).
    const perSequence = name.startsWith("trl.") && settings.level === "sequence" && name !== "trl.gspo_token";
    const each = recipeRows.map((row) => evaluateObjective([row], settings).metrics);
    const meanOfRows = (of: (m: ObjectiveMetrics) => number): number =>
      each.reduce((sum, m) => sum + of(m), 0) / each.length;
    const metrics = perSequence
      ? { ...result.metrics, clipLow: meanOfRows((m) => m.clipLow), clipHigh: meanOfRows((m) => m.clipHigh) }
      : result.metrics;
    expectMetrics({ ...result, metrics, rows: recipeRows, settings }, golden.metrics);
  });
});

describe("truncated responses masked out of the loss", () => {
  const { losses, truncated } = recipeVectors.truncation;
  it("covers every vector", () => expect(Object.keys(TRUNCATED_OBJECTIVES).sort()).toEqual(Object.keys(losses).sort()));

  it.each(Object.entries(TRUNCATED_OBJECTIVES))("%s", (name, settings) => {
    const golden = losses[name];
    if (!golden) throw new Error(`no vector ${name}`);
    const result = evaluateObjective(truncatedRows, settings);
    // TRL's sequence mean counts a masked row, verl's divides by the rows that are left.
    const rows = recipeRows.length;
    const scale = name === "verl.vanilla.seq-mean-token-mean" ? rows / (rows - truncated.length) : 1;
    sameAs(result.loss * scale, golden.loss, "loss");
    golden.gradient.forEach((row, i) =>
      row.forEach((g, t) => sameAs((result.gradient[i]?.[t] ?? 0) * scale, g, `row ${i}, ${t}`)),
    );
  });
});

describe("gradient", () => {
  const kinds: readonly ObjectiveSettings[] = [
    { ...base, surrogate: clip({ ratioMax: 3 }), beta: 0.04 },
    { ...base, surrogate: dual, aggregation: "seq-mean-token-mean", beta: 0.1, klEstimator: "k2" },
    { ...base, surrogate: sapo, aggregation: "seq-mean-token-sum" },
    { ...base, level: "sequence", aggregation: "seq-mean-token-sum-norm" },
  ];
  it.each(kinds)("agrees with finite differences ($surrogate.kind, $level, $aggregation)", (settings) => {
    const { gradient } = evaluateObjective(rows, settings);
    const h = 1e-6;
    rows.forEach((row, i) => {
      for (let t = 0; t < row.length; t++) {
        const nudged = (by: number): number =>
          evaluateObjective(
            rows.map((r, j) => (j === i ? { ...r, logp: Array.from(r.logp, (p, k) => (k === t ? p + by : p)) } : r)),
            settings,
          ).loss;
        expect(gradient[i]?.[t]).toBeCloseTo((nudged(h) - nudged(-h)) / (2 * h), 7);
      }
    });
  });

  it("is that of −A·log π where policy and old policy agree (the first inner epoch)", () => {
    const onPolicy = rows.map((r) => ({ ...r, oldLogp: r.logp }));
    const { loss, gradient, metrics } = evaluateObjective(onPolicy, base);
    expect(metrics).toMatchObject({ clipLow: 0, clipHigh: 0, ppoKl: 0 });
    const tokens = vectors.lens.reduce((a, b) => a + b, 0);
    expect(loss).toBeCloseTo(-rows.reduce((sum, r) => sum + r.advantage * r.length, 0) / tokens, 12);
    onPolicy.forEach((r, i) => gradient[i]?.forEach((g) => expect(g).toBeCloseTo(-r.advantage / tokens, 12)));
  });
});

describe("edge cases", () => {
  it("never reads a masked outlier (TRL: loss NaN)", () => {
    const outlier = rows.map((r, i) =>
      i === 2 ? { ...r, oldLogp: Array.from(r.oldLogp, (p, t) => (t === 4 ? (r.logp[4] ?? 0) - 200 : p)) } : r,
    );
    for (const [name, settings] of Object.entries(GOLDEN_OBJECTIVES)) {
      expect(evaluateObjective(outlier, settings).loss, name).toBe(evaluateObjective(rows, settings).loss);
    }
    const notANumber = rows.map((r) => ({ ...r, logp: Array.from(r.logp, (p, t) => (t < r.length ? p : NaN)) }));
    expect(evaluateObjective(notANumber, base).loss).toBe(evaluateObjective(rows, base).loss);
  });

  it("holds an outlier inside the response at a ratio of exp(20), or at the ratio clamp", () => {
    const one: ObjectiveRow = { length: 1, logp: [0], oldLogp: [-1000], advantage: -1 };
    expect(evaluateObjective([one], base).loss).toBeCloseTo(Math.exp(20), 0);
    expect(evaluateObjective([one], base).gradient[0]?.[0]).toBeCloseTo(0, 12);
    expect(evaluateObjective([one], { ...base, surrogate: clip({ ratioMax: 3 }) })).toMatchObject({
      loss: 3,
      metrics: { bounded: 1 },
    });
  });

  it("bounds A < 0 alike by ratio clamp and dual clip", () => {
    const clamped = evaluateObjective(rows, { ...base, surrogate: clip({ ratioMax: 3 }) });
    const dualled = evaluateObjective(rows, { ...base, surrogate: dual });
    expect(clamped.loss).toBe(dualled.loss);
    expect(clamped.gradient).toEqual(dualled.gradient);
  });

  it("settings take a bound from the preset, replace it, or switch it off", () => {
    const bounds = (changes: Partial<PolicyGradientSettings>) =>
      objectiveOf({ ...RECIPES.grpo.settings.grpo, ...changes }, 104).surrogate;
    expect(bounds({ preset: "verl" })).toMatchObject({ dualClip: 3, ratioMax: null });
    expect(bounds({ preset: "verl", dualClip: 10 })).toMatchObject({ dualClip: 10 });
    expect(bounds({ preset: "verl", dualClip: "none" })).toMatchObject({ dualClip: null });
    expect(bounds({ preset: "srpo" })).toMatchObject({ dualClip: null, ratioMax: 3 });
    expect(bounds({ preset: "srpo", ratioMax: "none" })).toMatchObject({ ratioMax: null });
  });

  it("an empty row counts as a sequence and changes no other row's gradient but by that count", () => {
    const empty: ObjectiveRow = { length: 0, logp: [], oldLogp: [], advantage: 1 };
    const mean = { ...base, aggregation: "seq-mean-token-mean" } as const;
    expect(evaluateObjective([...rows, empty], mean).loss).toBeCloseTo(
      (evaluateObjective(rows, mean).loss * 8) / 9,
      12,
    );
    expect(evaluateObjective([...rows, empty], base).loss).toBe(evaluateObjective(rows, base).loss);
  });

  it("says which row is too short", () => {
    expect(() => evaluateObjective([{ length: 3, logp: [0, 0], oldLogp: [0, 0, 0], advantage: 1 }], base)).toThrow(
      /Row 0 has 3 tokens, but logp holds 2/,
    );
    expect(() =>
      evaluateObjective([{ length: 1, logp: [0], oldLogp: [0], advantage: 1 }], { ...base, beta: 0.1 }),
    ).toThrow(/needs the reference policy/);
  });
});
