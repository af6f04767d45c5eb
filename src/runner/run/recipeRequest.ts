/** Which recipe a command asks for, the settings that it starts from, and overrides that the recipe cannot use. */
import { nanoSettings, RECIPE_NAMES, RECIPES, type RecipeName } from "../../srpo/recipe";
import { recipeConflicts } from "../../srpo/recipeConflicts";
import { isSection, overlay } from "../../training/overlay";
import type { Settings } from "../../training/settings";
import { settingsOf } from "../arguments/settingsArguments";
import type { Arguments } from "../arguments/usage";
import { InputError } from "../files/inputError";
import { type RunConfig, recipeSettings } from "./runConfig";

export interface RecipeRequest {
  readonly recipe: RecipeName;
  /** The recipe's, with run file and flags merged in. */
  readonly settings: Settings;
  /** What run file and flags set on top of the recipe, as a patch of the settings. */
  readonly overrides: object;
}

/**
 * Recipe and settings of a command with --recipe, --config and --set. A recipe on the command line overrides the whole
 * run file, so that it also works beside a complete one; flags override both.
 * @param given the keys in the run file
 */
export function recipeRequest(
  args: Arguments,
  config: RunConfig,
  given: Readonly<Record<string, unknown>>,
): RecipeRequest {
  const inFile = isSection(given.settings) ? given.settings : {};
  const own = recipeSettings(config.recipe, given);
  if (args.given("recipe") === null) {
    const settings = settingsOf(args, own);
    return { recipe: config.recipe, settings, overrides: overlay(inFile, args.settings) };
  }
  const recipe = args.oneOf("recipe", RECIPE_NAMES);
  const settings = settingsOf(args, overlay(own, nanoSettings(RECIPES[recipe])));
  return { recipe, settings, overrides: args.settings };
}

/**
 * @param settings that result
 * @param overrides keys given on top of the recipe
 * @throws InputError naming every override that the recipe cannot use, and why
 */
export function refuseUnusable(recipe: RecipeName, settings: Settings, overrides: object): void {
  const lines = recipeConflicts(RECIPES[recipe], settings, overrides).map(
    ({ key, value, reason }) => `${key} = ${JSON.stringify(value)} has no effect in the recipe ${recipe}: ${reason}`,
  );
  if (lines.length > 0) throw new InputError(lines.join("\n"));
}

/** Reflection SFT comes first where the recipe begins with a cold start, or cannot work here without one. */
export function stagesOfRecipe(recipe: RecipeName): RunConfig["stages"] {
  const { coldStart, nano } = RECIPES[recipe];
  return (nano.coldStart ?? coldStart) ? ["sft", "grpo"] : ["grpo"];
}
