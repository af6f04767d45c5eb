/** `recipes`: the recipes, or every value of one with its source and what differs from SRPO. */
import { RECIPE_NAMES, RECIPES, type Recipe, type RecipeName } from "../../srpo/recipe";
import { type RecipeValue, recipeValues } from "../../srpo/recipeValues";
import { isSection } from "../../training/overlay";
import type { RunnerCommand } from "../arguments/command";
import { HELP_WIDTH, wrapped } from "../arguments/help";

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

/** Column at which the summaries begin. */
const NAME_WIDTH = Math.max(...RECIPE_NAMES.map((name) => name.length)) + 2;

function line({ name, summary }: Recipe): string {
  return hanging(name.padEnd(NAME_WIDTH), summary);
}

function described(recipe: Recipe) {
  const { name, title, summary, coldStart, sources, nano } = recipe;
  const start = { coldStart, source: sources.coldStart, ...(nano.coldStart === undefined ? {} : { nano }) };
  return { name, title, summary, coldStart, start, values: recipeValues(recipe), nano: nano.why };
}

function page(recipe: Recipe): string {
  const { title, summary, coldStart, sources, nano } = recipe;
  const values = recipeValues(recipe);
  const unused = new Set(values.flatMap((value) => value.unused ?? []));
  return [
    hanging("", `${title}: ${summary}`),
    hanging("", `Starts ${coldStart ? "after SFT" : "from the policy as it is"}: ${sources.coldStart}.`),
    ...(nano.coldStart === undefined
      ? []
      : [departure(nano.coldStart ? "after SFT" : "as it is", nano.whys.coldStart)]),
    ...values.filter((value) => value.unused === undefined).map(used),
    ...(unused.size === 0 ? [] : ["\nNot used:\n"]),
    ...[...unused].map((why) => {
      const those = values.filter((value) => value.unused === why);
      return hanging("  ", `${those.map(({ key, value }) => `${key} = ${shown(value)}`).join(", ")}: ${why}`);
    }),
  ].join("");
}

function used({ key, value, source, srpo, nano, nanoWhy }: RecipeValue): string {
  return [
    hanging("", `${key} = ${shown(value)}`),
    hanging("    ", source),
    ...(srpo === undefined ? [] : [hanging("    ", `SRPO: ${shown(differing(srpo, value))}`)]),
    ...(nano === undefined ? [] : [departure(shown(nano), nanoWhy)]),
  ].join("");
}

const departure = (value: string, why = ""): string => hanging("    ", `nano policy: ${value}. ${why}`);

/** JSON that can be broken into lines. */
const shown = (value: unknown): string => JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");

/** Of a section, only the keys that differ. */
function differing(value: unknown, other: unknown): unknown {
  if (!isSection(value) || !isSection(other)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key, each]) => JSON.stringify(each) !== JSON.stringify(other[key])),
  );
}

/** The text behind a label, wrapped; what follows is indented to match. */
function hanging(label: string, text: string): string {
  const indent = label.length === 0 ? 4 : label.length;
  const lines = wrapped(text, HELP_WIDTH - indent);
  return lines.map((each, i) => `${i === 0 ? label : " ".repeat(indent)}${each}\n`).join("");
}
