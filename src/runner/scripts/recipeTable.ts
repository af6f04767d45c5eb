/**
 * What recipes came to on the nano policy: one result a recipe and seed, read from its run folder, and the Markdown
 * table of docs/recipes.md made from all of them.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { meanOf, stdOf } from "../../srpo/advantage";
import { RECIPE_NAMES, RECIPES, type RecipeName } from "../../srpo/recipe";
import { InputError } from "../files/inputError";
import { readEvaluations } from "./learningTable";

/** Training metrics are averaged over this many last steps. */
const LAST_STEPS = 25;

const share = z.number().min(0).max(1);
export const recipeResultSchema = z.object({
  recipe: z.enum(RECIPE_NAMES),
  seed: z.int().nonnegative(),
  /** GRPO steps trained. */
  steps: z.int().nonnegative(),
  /** Held-out problems of the evaluation at the end. */
  problems: z.int().positive(),
  first: share,
  refined: share,
  fixed: share,
  spoilt: share,
  /** Mean tokens of a response. */
  length: z.number(),
  /** By the recipe's own reward, mean of the last steps. */
  reward: z.number(),
  /** Median over all steps. */
  secondsPerStep: z.number(),
  /** What the mechanisms did, means of the last steps: `recipeTables` names them; null: not measured. */
  clippedLow: z.number().nullable(),
  clippedHigh: z.number().nullable(),
  gate: z.number().nullable(),
  updates: z.number().nullable(),
  drawn: z.number().nullable(),
  replayed: z.number().nullable(),
  rethought: z.number().nullable(),
  begun: z.number().nullable(),
});
export type RecipeResult = z.output<typeof recipeResultSchema>;

const metricsLine = z.object({ step: z.int(), stage: z.string() }).catchall(z.number());

/** The result in a run folder; null where its last evaluation is not there yet. @throws InputError for a damaged log */
export async function resultOf(folder: string, recipe: RecipeName, seed: number): Promise<RecipeResult | null> {
  const last = (await readEvaluations(folder)).at(-1);
  if (last === undefined || last.step === 0) return null;
  const lines = (await readFile(join(folder, "metrics.jsonl"), "utf8")).trim().split("\n");
  const metrics = lines.flatMap((line, index) => {
    const parsed = metricsLine.safeParse(JSON.parse(line));
    if (!parsed.success)
      throw new InputError(`${folder}/metrics.jsonl: line ${index + 1} is not the metrics of a step`);
    return parsed.data.step <= last.step ? [parsed.data] : [];
  });
  const ending = metrics.slice(-LAST_STEPS);
  const mean = (key: string): number | null => {
    const values = ending.flatMap((line) => line[key] ?? []);
    return values.length === 0 ? null : meanOf(values.map(Number));
  };
  return {
    recipe,
    seed,
    steps: last.step,
    problems: last.problems,
    first: last.accuracyFirst,
    refined: last.accuracyRefined,
    fixed: last.transitions.fixed,
    spoilt: last.transitions.spoilt,
    length: last.meanLength,
    reward: mean("reward") ?? Number.NaN,
    secondsPerStep: median(metrics.flatMap((line) => line.step_time ?? []).map(Number)),
    clippedLow: mean("clip_ratio/low_mean"),
    clippedHigh: mean("clip_ratio/high_mean"),
    gate: mean("ratio/gate"),
    updates: mean("updates"),
    drawn: mean("filter/drawn"),
    replayed: mean("replay/drawn"),
    rethought: mean("rethinking/kept"),
    begun: mean("failures/groups"),
  };
}

const COUNTED = ["groups drawn", "rows replayed", "rethought, kept", "groups begun"] as const;

/** The tables of docs/recipes.md: what was learnt, and what the mechanisms did. A row for each recipe with a result. */
export function recipeTables(results: readonly RecipeResult[]): string {
  const rows = RECIPE_NAMES.flatMap((name) => {
    const own = results.filter(({ recipe }) => recipe === name);
    return own.length === 0 ? [] : [{ title: RECIPES[name].title, name, own }];
  });
  const learnt = rows.map(({ name, own }) =>
    line([
      `\`${name}\``,
      String(own.length),
      String(Math.max(...own.map(({ steps }) => steps))),
      ...(["first", "refined", "fixed", "spoilt"] as const).map((key) => percent(own.map((result) => result[key]))),
      spread(
        own.map(({ length }) => length),
        1,
      ),
      spread(
        own.map(({ reward }) => reward),
        2,
      ),
      spread(
        own.map(({ secondsPerStep }) => secondsPerStep),
        1,
      ),
    ]),
  );
  const done = rows.map(({ name, own }) =>
    line([
      `\`${name}\``,
      measured(
        own.map(({ updates }) => updates),
        1,
      ),
      ...(["clippedLow", "clippedHigh"] as const).map((key) => measuredPercent(own.map((result) => result[key]))),
      measured(
        own.map(({ gate }) => gate),
        3,
      ),
      ...(["drawn", "replayed", "rethought", "begun"] as const).map((key) =>
        measured(
          own.map((result) => result[key]),
          1,
        ),
      ),
    ]),
  );
  return [
    "| recipe | seeds | steps | first | refined | fixed | spoilt | length | reward | seconds per step |",
    `|---${"|---".repeat(9)}|`,
    ...learnt,
    "",
    line(["recipe", "updates", "clipped below", "clipped above", "gate", ...COUNTED]),
    `|---${"|---".repeat(8)}|`,
    ...done,
    "",
  ].join("\n");
}

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

/** Mean, and the standard deviation over the seeds where there are several. */
function spread(values: readonly number[], digits: number): string {
  const mean = meanOf(values).toFixed(digits);
  return values.length < 2 ? mean : `${mean} ± ${stdOf(values).toFixed(digits)}`;
}

function percent(values: readonly number[]): string {
  return `${spread(
    values.map((value) => 100 * value),
    1,
  )} %`;
}

function measured(values: readonly (number | null)[], digits: number): string {
  const found = values.filter((value) => value !== null);
  return found.length === 0 ? "–" : spread(found, digits);
}

function measuredPercent(values: readonly (number | null)[]): string {
  const found = values.filter((value) => value !== null);
  return found.length === 0 ? "–" : percent(found);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
