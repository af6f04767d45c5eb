/**
 * Every variant of the policy-gradient kernel on every backend against src/srpo/objective.ts: loss, gradient and
 * metrics, on the vectors of four trainers and on random rows that reach every clip and clamp.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BACKENDS } from "../policy/testing/testBackends";
import { rowWeights } from "../srpo/aggregation";
import { GOLDEN_OBJECTIVES, goldenRows, RECIPE_OBJECTIVES, recipeRows } from "../srpo/golden/objectives";
import { recipeVectors } from "../srpo/golden/recipeVectors";
import { vectors } from "../srpo/golden/vectors";
import { evaluateObjective, type ObjectiveRow, type ObjectiveSettings, objectiveOf } from "../srpo/objective";
import { KL_ESTIMATORS, TRAINERS } from "../srpo/types";
import type { Backend } from "../tensor/backend";
import { POLICY_LOSS_STATS } from "../tensor/policyLossOptions";
import { randomUniform } from "../tensor/random";
import { sequenceRows } from "./microBatch";
import { kernelOptions } from "./objective";
import { defaultSettings } from "./settings";

let state = 0;
const random = (low: number, high: number): number => low + (high - low) * randomUniform(7, 0, 0, state++);

/** Rows of different lengths whose log-ratios and KL terms lie near 0, at the clips, and beyond every clamp. */
const randomRows: readonly ObjectiveRow[] = Array.from({ length: 24 }, (_, row) => {
  const length = 1 + ((row * 5) % 11);
  const spread = [0.05, 0.4, 1.5, 30][row % 4] ?? 0;
  const logp = Array.from({ length }, () => random(-4, 0));
  const away = (): number[] => logp.map((p) => p + random(-spread, spread));
  return { length, logp, oldLogp: away(), refLogp: away(), advantage: random(-2, 2) };
});

/** Each surrogate at both levels in each trainer's numerics, each estimator, and every bound tight enough to bind. */
const VARIANTS: Readonly<Record<string, ObjectiveSettings>> = Object.fromEntries(
  [
    ...TRAINERS.flatMap((preset) =>
      KL_ESTIMATORS.map((klEstimator) => ({ preset, klEstimator, beta: 0.1, ratioLevel: "token" as const })),
    ),
    ...(["clip", "cispo", "sapo"] as const).flatMap((surrogate) =>
      (["token", "sequence"] as const).map((ratioLevel) => ({
        surrogate,
        ratioLevel,
        beta: 0.05,
        cispoLow: 0.7,
        cispoHigh: 1.6,
      })),
    ),
    { ratioMax: 1.1, clipHigh: 0.4, clipLow: 0.1 },
    { dualClip: 1.5, ratioMax: 4, clipHigh: 0.28 },
    { preset: "trl" as const, surrogate: "sapo" as const, tauPositive: 2, tauNegative: 3 },
  ].map((changes) => [
    JSON.stringify(changes),
    objectiveOf({ ...defaultSettings.grpo, aggregation: "token-mean", ...changes }, 11),
  ]),
);

/** Without clamps the largest log-ratios overflow a 32-bit float, which float64 arithmetic does not. */
function rowsFor({ logRatioLimit, trainer, klEstimator }: ObjectiveSettings): readonly ObjectiveRow[] {
  const unclamped = logRatioLimit === null || (trainer === "openrlhf" && klEstimator === "k3");
  return unclamped ? randomRows.filter((_, row) => row % 4 !== 3) : randomRows;
}

async function run(backend: Backend, rows: readonly ObjectiveRow[], settings: ObjectiveSettings) {
  const flat = (of: (row: ObjectiveRow, index: number) => readonly number[]): Float32Array =>
    Float32Array.from(rows.flatMap((row, index) => of(row, index)));
  const weights = rowWeights(
    rows.map((row) => row.length),
    settings.aggregation,
    settings.horizon === undefined ? {} : { horizon: settings.horizon },
  );
  const cut = (values: ArrayLike<number> | undefined, row: ObjectiveRow): number[] =>
    Array.from({ length: row.length }, (_, t) => values?.[t] ?? 0);
  const inputs = [
    flat((row) => cut(row.logp, row)),
    flat((row) => cut(row.oldLogp, row)),
    flat((row) => cut(row.refLogp, row)),
    flat((row) => Array<number>(row.length).fill(row.advantage)),
    flat((row, index) => Array<number>(row.length).fill(weights[index] ?? 0)),
  ] as const;
  const tokens = inputs[0].length;
  const [logp, old, ref, advantage, weight] = inputs.map((values) => backend.upload(values, [tokens]));
  if (!logp || !old || !ref || !advantage || !weight) throw new Error("five inputs were uploaded");
  const ranges = sequenceRows(
    rows.map((row) => ({ tokens: new Int32Array(row.length) })),
    tokens,
  );
  const sequences = settings.level === "sequence" ? backend.upload(ranges, [tokens, 2]) : null;
  const { dLogprob, stats } = backend.kernels.policyLoss(
    logp,
    old,
    ref,
    advantage,
    weight,
    sequences,
    kernelOptions(settings),
  );
  const [gradient = [], sums = []] = await backend.read([dLogprob, stats]);
  for (const tensor of [logp, old, ref, advantage, weight, dLogprob, stats]) tensor.dispose();
  sequences?.dispose();
  const stat = (name: (typeof POLICY_LOSS_STATS)[number]): number => sums[POLICY_LOSS_STATS.indexOf(name)] ?? NaN;
  return { gradient, stat, tokens };
}

/** Equal to 1e-5 of the size of the numbers compared. */
function expectClose(actual: number, expected: number, scale: number, what: string): void {
  expect(Math.abs(actual - expected), `${what}: ${actual}, expected ${expected}`).toBeLessThanOrEqual(
    1e-5 * Math.max(1e-3, scale),
  );
}

async function compare(backend: Backend, rows: readonly ObjectiveRow[], settings: ObjectiveSettings): Promise<void> {
  const exact = evaluateObjective(rows, settings);
  const { gradient, stat, tokens } = await run(backend, rows, settings);
  const gradients = exact.gradient.flat();
  const largest = Math.max(...gradients.map(Math.abs));
  const losses = exact.tokenLosses.flat().reduce((sum, loss) => sum + Math.abs(loss), 0) / tokens;
  expectClose(stat("loss"), exact.loss, Math.max(Math.abs(exact.loss), losses), "loss");
  gradients.forEach((g, at) => {
    expectClose(gradient[at] ?? NaN, g, largest, `gradient of token ${at}`);
  });
  expect(stat("rows")).toBe(tokens);
  const { metrics } = exact;
  expectClose(stat("clippedLow") / tokens, metrics.clipLow, 1, "clippedLow");
  expectClose(stat("clippedHigh") / tokens, metrics.clipHigh, 1, "clippedHigh");
  expectClose(stat("bounded") / tokens, metrics.bounded, 1, "bounded");
  expectClose(stat("approxKl") / tokens, metrics.ppoKl, Math.max(1, Math.abs(metrics.ppoKl)), "approxKl");
  if (settings.beta > 0) expectClose(stat("refKl") / tokens, metrics.kl, Math.max(1, Math.abs(metrics.kl)), "refKl");
}

describe.each(BACKENDS)("the policy-gradient kernel on the $name backend", ({ open }) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await open();
  });
  afterAll(() => backend.dispose());

  test.each(Object.entries(GOLDEN_OBJECTIVES))("%s: loss and gradient as the trainer's", async (name, settings) => {
    await compare(backend, goldenRows, settings);
    const { gradient, stat } = await run(backend, goldenRows, settings);
    const golden = vectors.losses[name];
    expect(stat("loss")).toBeCloseTo(golden?.loss ?? NaN, 5);
    expect(Math.hypot(...gradient)).toBeCloseTo(golden?.grad_norm ?? NaN, 5);
  });

  test.each(Object.entries(RECIPE_OBJECTIVES))("%s, wide ratios: as the trainer's", async (name, settings) => {
    await compare(backend, recipeRows, settings);
    const { gradient, stat } = await run(backend, recipeRows, settings);
    const golden = recipeVectors.policyLosses.losses[name];
    if (!golden) throw new Error(`recipe_vectors.json has no loss ${name}.`);
    expectClose(stat("loss"), golden.loss, Math.abs(golden.loss), "loss");
    const gradients = golden.gradient.flat();
    expect(gradient.length).toBe(gradients.length);
    const largest = Math.max(...gradients.map(Math.abs));
    gradients.forEach((g, at) => expectClose(gradient[at] ?? NaN, g, largest, `gradient of token ${at}`));
  });

  test.each(Object.entries(VARIANTS))("random rows, %s", async (_name, settings) => {
    await compare(backend, rowsFor(settings), settings);
  });

  test("the k3 clamps of verl hold: loss 1, gradient 0 where the unclamped ones are 1.609 and −1.909", async () => {
    const row: ObjectiveRow = { length: 1, logp: [-4], oldLogp: [-4], refLogp: [-1], advantage: 0 };
    for (const preset of ["verl", "easyr1", "openrlhf"] as const) {
      const settings = objectiveOf({ ...defaultSettings.grpo, preset, beta: 0.1 }, 1);
      const { gradient, stat } = await run(backend, [row], settings);
      expect(stat("loss")).toBeCloseTo(1, 6);
      expect(Math.abs(gradient[0] ?? NaN)).toBe(0);
    }
  });

  test("at sequence level it asks for the rows of each sequence", () => {
    const one = backend.upload(Float32Array.of(-1), [1]);
    const options = kernelOptions(objectiveOf({ ...defaultSettings.grpo, ratioLevel: "sequence" }, 1));
    expect(() => backend.kernels.policyLoss(one, one, one, one, one, null, options)).toThrow(/sequence/);
    one.dispose();
  });
});
