/** `config`: print a complete run file with every default of a recipe, or explain its keys. */
import { RECIPE_NAMES } from "../../srpo/recipe";
import { type RunnerCommand, recipeFlag } from "../arguments/command";
import { stagesOfRecipe } from "../run/recipeRequest";
import { defaultRunConfig, recipeSettings } from "../run/runConfig";
import { explainedPaths, explanationOf } from "../run/runConfigExplained";

export const configCommand: RunnerCommand = {
  description: "Print a complete run file for train --config, or explain its keys",
  flags: {
    recipe: { ...recipeFlag, default: "srpo", description: "Recipe of the printed file" },
    explain: { type: "boolean", description: "Explain each key, with its default" },
  },
  examples: [
    "npm run srpo -- config > run.json",
    "npm run srpo -- config --recipe gspo > run.json",
    "npm run srpo -- config --explain",
  ],
  run(args) {
    const recipe = args.oneOf("recipe", RECIPE_NAMES);
    const file = { ...defaultRunConfig, recipe, stages: stagesOfRecipe(recipe), settings: recipeSettings(recipe) };
    process.stdout.write(args.boolean("explain") ? explained() : `${JSON.stringify(file, null, 2)}\n`);
    return Promise.resolve(0);
  },
};

function explained(): string {
  return explainedPaths()
    .map((dotted) => {
      const value = dotted
        .split(".")
        .reduce(
          (at: unknown, name) => (typeof at === "object" && at !== null ? Reflect.get(at, name) : undefined),
          defaultRunConfig,
        );
      const section = typeof value === "object" && value !== null && !Array.isArray(value);
      const shown = section || value === undefined ? "" : ` = ${JSON.stringify(value)}`;
      return `${dotted}${shown}\n    ${explanationOf(dotted)}\n`;
    })
    .join("");
}
