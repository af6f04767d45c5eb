/** docs/recipes.md shows the results that are there, as the command prints them. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { RECIPE_NAMES } from "../../srpo/recipe";
import { recipeResultSchema, recipeTables } from "./recipeTable";

const results = z.array(recipeResultSchema).parse(JSON.parse(readFileSync("docs/results/recipes.json", "utf8")));
const [first] = results;
if (first === undefined) throw new Error("docs/results/recipes.json is empty");

test("the page's tables are those of docs/results/recipes.json, with every recipe", () => {
  expect(new Set(results.map(({ recipe }) => recipe))).toEqual(new Set(RECIPE_NAMES));
  expect(readFileSync("docs/recipes.md", "utf8")).toContain(recipeTables(results).trim());
});

test("several seeds give a mean and a standard deviation, one gives a number, none a dash", () => {
  const two = [
    { ...first, recipe: "gspo", seed: 0, first: 0.5, gate: null, clippedLow: 0.02 },
    { ...first, recipe: "gspo", seed: 1, first: 0.6, gate: null, clippedLow: 0.04 },
  ] as const;
  const [learnt = "", done = ""] = recipeTables(two)
    .split("\n")
    .filter((line) => line.startsWith("| `gspo`"));
  expect(learnt).toContain(`| 2 | ${first.steps} | 55.0 ± 7.1 % |`);
  expect(done).toContain("| 3.0 ± 1.4 % |");
  expect(done).toContain("| – |");
  expect(recipeTables([first]).split("\n")[2]).not.toContain("±");
});
