/**
 * A recipe's record as a list: every value with its source, what differs from SRPO, the nano policy's departures, and
 * why a value is not used.
 */
import { RECIPES, type Recipe } from "./recipe";
import { unusedReason } from "./recipeConflicts";

/** One value of a recipe, under the key it has in a run file's `settings`. */
export interface RecipeValue {
  readonly key: string;
  readonly value: unknown;
  readonly source: string;
  /** SRPO's value, where it differs. */
  readonly srpo?: unknown;
  /** The nano policy's value, where it departs from the source. */
  readonly nano?: unknown;
  /** Why it departs. */
  readonly nanoWhy?: string;
  /** Why the recipe, at its source's values, does not use this one. */
  readonly unused?: string;
}

export function recipeValues({ settings, sources, nano }: Recipe): readonly RecipeValue[] {
  const srpo = RECIPES.srpo.settings;
  const value = (key: string, own: unknown, source: string, theirs: unknown): RecipeValue => {
    const unused = unusedReason(key, settings);
    return {
      key,
      value: own,
      source,
      ...(JSON.stringify(own) === JSON.stringify(theirs) ? {} : { srpo: theirs }),
      ...(unused === null ? {} : { unused }),
    };
  };
  const keys = Object.keys(settings.grpo) as (keyof typeof settings.grpo)[];
  return [
    value("reward", settings.reward, sources.reward, srpo.reward),
    value("temperature", settings.temperature, sources.temperature, srpo.temperature),
    ...keys.map((key): RecipeValue => {
      const nanoWhy = nano.whys[key];
      const entry = value(`grpo.${key}`, settings.grpo[key], sources.grpo[key], srpo.grpo[key]);
      return nanoWhy === undefined ? entry : { ...entry, nano: nano.grpo[key], nanoWhy };
    }),
  ];
}
