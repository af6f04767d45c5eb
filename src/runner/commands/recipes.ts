/** `recipes`: the recipes, or every value of one with its source and what differs from SRPO. */
import { RECIPE_NAMES, RECIPES, type Recipe, type RecipeName } from "../../srpo/recipe";
import { recipeValues } from "../../srpo/recipeValues";
import type { RunnerCommand } from "../arguments/command";

export const recipesCommand: RunnerCommand = {
  description: "List the recipes, or print every value of one with its source",
  flags: {
    recipe: { type: "positional", valueHint: RECIPE_NAMES.join("|"), description: "Recipe to print; all by default" },
    json: { type: "boolean", description: "Print JSON" },
  },
  examples: ["npm run srpo -- recipes", "npm run srpo -- recipes grpo", "npm run srpo -- recipes grpo --json"],
  run(args) {
    const named = args.optional("recipe");
    const names: readonly RecipeName[] = named === null ? RECIPE_NAMES : [args.oneOf("recipe", RECIPE_NAMES)];
    const recipes = names.map((name) => RECIPES[name]);
    if (args.boolean("json")) process.stdout.write(`${JSON.stringify(recipes.map(described), null, 2)}\n`);
    else if (named === null) process.stdout.write(recipes.map(line).join(""));
    else process.stdout.write(recipes.map(page).join(""));
    return Promise.resolve(0);
  },
};

function line({ name, title, summary }: Recipe): string {
  return `${name.padEnd(10)} ${title}: ${summary}\n`;
}

function described(recipe: Recipe) {
  const { name, title, summary, coldStart, nano } = recipe;
  return { name, title, summary, coldStart, values: recipeValues(recipe), nano: nano.why };
}

function page(recipe: Recipe): string {
  const rows = recipeValues(recipe).map(({ key, value, source, srpo, nano }) =>
    [
      `${key} = ${JSON.stringify(value)}`,
      `    ${source}`,
      ...(srpo === undefined ? [] : [`    SRPO: ${JSON.stringify(srpo)}`]),
      ...(nano === undefined ? [] : [`    nano policy: ${JSON.stringify(nano)}`]),
    ].join("\n"),
  );
  const start = recipe.coldStart ? "after reflection SFT" : "from the policy as it is";
  const why = recipe.nano.why === "" ? [] : [`nano policy: ${recipe.nano.why}`];
  return `${[`${recipe.title}: ${recipe.summary} Starts ${start}.`, ...rows, ...why].join("\n")}\n`;
}
