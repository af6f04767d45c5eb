/** docs/recipes.md: its table of losses beside other trainers' is what our arithmetic gives, row by row. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RECIPE_OBJECTIVES, recipeRows } from "../golden/objectives";
import { recipeVectors } from "../golden/recipeVectors";
import { evaluateObjective } from "../objective";

test("the losses beside TRL's and verl's", () => {
  const page = readFileSync("docs/recipes.md", "utf8");
  for (const [name, settings] of Object.entries(RECIPE_OBJECTIVES)) {
    const theirs = recipeVectors.policyLosses.losses[name];
    if (theirs === undefined) throw new Error(`no vector ${name}`);
    const { loss, gradient } = evaluateObjective(recipeRows, settings);
    const off = Math.max(
      ...theirs.gradient.flatMap((row, i) => row.map((value, t) => Math.abs(value - (gradient[i]?.[t] ?? 0)))),
    );
    expect(off, name).toBeLessThan(1e-8);
    const below = off < 1e-10 ? "10⁻¹⁰" : "10⁻⁸";
    expect(page).toContain(`| \`${name}\` | ${theirs.loss.toFixed(8)} | ${loss.toFixed(8)} | < ${below} |`);
  }
});
