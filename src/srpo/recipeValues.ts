/** A recipe as a list of values: each under its name in a run file, with source, SRPO and nano departures. */
import { RECIPES, type Recipe } from "./recipe";

/** One value of a recipe, under the key it has in a run file's `settings`. */
export interface RecipeValue {
  readonly key: string;
  readonly value: unknown;
  readonly source: string;
  /** SRPO's value, where it differs. */
  readonly srpo?: unknown;
  /** The nano policy's value, where it departs from the source. */
  readonly nano?: unknown;
}

export function recipeValues({ settings, sources, nano }: Recipe): readonly RecipeValue[] {
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
