/**
 * Recipes on the page: the settings that a recipe means, what of the visitor's settings differs from it, and which
 * recipe settings of unknown origin come nearest to. The values are the records' (src/srpo/recipe.ts).
 */
import { nanoSettings, RECIPE_NAMES, RECIPES, type RecipeName } from "../../srpo/recipe";
import {
  defaultSettings,
  isSection,
  overlay,
  type Settings,
  type SettingsPatch,
  settingsSchema,
} from "../../worker/protocol";

export const DEFAULT_RECIPE: RecipeName = "srpo";

/** The sections of the settings that a recipe decides. */
type Decided = Pick<Settings, "reward" | "temperature" | "grpo">;

/** `settings` with everything that the recipe decides set to its values; steps, problems and rates stay. */
export function withRecipe(settings: Settings, recipe: RecipeName): Settings {
  return settingsSchema.parse(overlay(settings, nanoSettings(RECIPES[recipe])));
}

/** The settings of a run that says no more than its recipe. */
export function settingsOfRecipe(recipe: RecipeName): Settings {
  return withRecipe(defaultSettings, recipe);
}

/** The part of the settings that a recipe decides, to be sent as a change. */
export function decided({ reward, temperature, grpo }: Settings): SettingsPatch & Decided {
  return { reward, temperature, grpo };
}

export interface RecipeChange {
  /** Path in the settings, e.g. grpo.clipHigh. */
  readonly path: string;
  readonly value: unknown;
  /** The recipe's value on this page. */
  readonly original: unknown;
}

/** { grpo: { clipHigh: 0.28 } } of grpo.clipHigh. */
export function patchOf(path: string, value: unknown): object {
  const [key = "", ...rest] = path.split(".");
  return { [key]: rest.length === 0 ? value : patchOf(rest.join("."), value) };
}

/** Values of `own` that differ from `base`, section by section; only keys of `base` count. */
export function differences(own: unknown, base: unknown, path = ""): readonly RecipeChange[] {
  if (isSection(own) && isSection(base))
    return Object.keys(base).flatMap((key) => differences(own[key], base[key], path === "" ? key : `${path}.${key}`));
  return JSON.stringify(own) === JSON.stringify(base) ? [] : [{ path, value: own, original: base }];
}

/** Every single value of a section, with its path; a value that is no section stands for itself. */
export function leaves(value: unknown, path: string): readonly Pick<RecipeChange, "path" | "value">[] {
  if (!isSection(value)) return [{ path, value }];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`));
}

/** What the settings change about a recipe. */
export function changesOf(settings: Settings, recipe: RecipeName): readonly RecipeChange[] {
  return differences(settings, nanoSettings(RECIPES[recipe]));
}

/** The settings without one of the changes. */
export function undone(settings: Settings, { path, original }: RecipeChange): Settings {
  return settingsSchema.parse(overlay(settings, patchOf(path, original)));
}

/** The recipe with the fewest changes; of several, the preferred one, else the first. */
export function nearestRecipe(settings: Settings, preferred: RecipeName): RecipeName {
  const changes = (recipe: RecipeName): number => changesOf(settings, recipe).length;
  return RECIPE_NAMES.reduce((best, recipe) => (changes(recipe) < changes(best) ? recipe : best), preferred);
}
