/**
 * Recipes: everything that tells one method from another, as data, each value with its source. The settings' defaults,
 * `--recipe` and `srpo recipes` come from these records; the loss kernels get them through the settings. A recipe with
 * a new mechanism adds to the surrogates, aggregations or advantage estimators, and a record under recipes/.
 *
 * Where a paper and its released code differ, a record follows the paper, and its sources say so.
 */
import { gdpo, reinforcePlusPlusBaseline, rloo } from "./recipes/baselines";
import { dapo, deepseekR1, drGrpo, grpo } from "./recipes/groupRelative";
import { cispo, gspo, sapo } from "./recipes/ratioVariants";
import type { Recipe, RecipeName, RecipeSettings } from "./recipes/record";
import { mmEureka, srpo, visionR1, vlRethinker, vrrl } from "./recipes/reflection";

export {
  type Bound,
  type GrpoRecipe,
  KL_PLACEMENTS,
  type KlPlacement,
  type PolicyGradientSettings,
  RATIO_LEVELS,
  type RatioLevel,
  RECIPE_NAMES,
  type Recipe,
  type RecipeName,
  type RecipeSettings,
  type RecipeStage,
} from "./recipes/record";

export const RECIPES: Readonly<Record<RecipeName, Recipe>> = {
  srpo,
  grpo,
  "deepseek-r1": deepseekR1,
  dapo,
  "dr-grpo": drGrpo,
  gspo,
  cispo,
  sapo,
  rloo,
  "reinforce-plus-plus-baseline": reinforcePlusPlusBaseline,
  gdpo,
  "mm-eureka": mmEureka,
  "vision-r1": visionR1,
  "vl-rethinker": vlRethinker,
  vrrl,
};

/** A recipe's settings for the nano policy: the source's, with the departures that the record names. */
export function nanoSettings({ settings, nano }: Recipe): RecipeSettings {
  return { ...settings, grpo: { ...settings.grpo, ...nano.grpo } };
}
