/** `recipes`: the recipes, or every value of one with its source and what differs from SRPO. */
import { RECIPE_NAMES, RECIPES, type Recipe, type RecipeName } from "../../srpo/recipe";
import type { RunnerCommand } from "../arguments/command";

/** One value of a recipe, by the name it has in a run file. */
interface RecipeValue {
  readonly key: string;
  readonly value: unknown;
  readonly source: string;
  /** SRPO's value, where it differs. */
  readonly srpo?: unknown;
  /** The nano policy's value, where it departs from the source. */
  readonly nano?: unknown;
}

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

/** Every value under the key it has in a run file's `settings`. */
function valuesOf({ settings, sources, nano }: Recipe): readonly RecipeValue[] {
  const srpo = RECIPES.srpo.settings;
  const value = (key: string, own: unknown, source: string, theirs: unknown, atNano: unknown): RecipeValue => ({
    key,
    value: own,
    source,
    ...(JSON.stringify(own) === JSON.stringify(theirs) ? {} : { srpo: theirs }),
    ...(atNano === undefined ? {} : { nano: atNano }),
  });
  const keys = Object.keys(settings.grpo) as (keyof typeof settings.grpo)[];
  return [
    value("reward", settings.reward, sources.reward, srpo.reward, undefined),
    value("temperature", settings.temperature, sources.temperature, srpo.temperature, undefined),
    ...keys.map((key) => value(`grpo.${key}`, settings.grpo[key], sources.grpo[key], srpo.grpo[key], nano.grpo[key])),
  ];
}

function described(recipe: Recipe) {
  const { name, title, summary, coldStart, nano } = recipe;
  return { name, title, summary, coldStart, values: valuesOf(recipe), nano: nano.why };
}

function page(recipe: Recipe): string {
  const rows = valuesOf(recipe).map(({ key, value, source, srpo, nano }) =>
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
