import { describe, expect, test } from "vitest";
import { nanoSettings, RECIPE_NAMES, RECIPES, type RecipeName, type RecipeSettings } from "./recipe";
import { recipeConflicts, unusedReason } from "./recipeConflicts";

type Given = { readonly grpo?: Partial<RecipeSettings["grpo"]>; readonly reward?: Partial<RecipeSettings["reward"]> };

function conflicts(name: RecipeName, given: Given) {
  const settings = nanoSettings(RECIPES[name]);
  const merged = { ...settings, reward: { ...settings.reward, ...given.reward } };
  return recipeConflicts(RECIPES[name], { ...merged, grpo: { ...settings.grpo, ...given.grpo } }, given);
}

describe("overrides that a recipe cannot use are refused with its reason", () => {
  const stages = [{ steps: 5, maxNewTokens: 40, groupSize: 4, beta: 0 }];
  test.each<[RecipeName, Given, readonly string[], RegExp]>([
    ["rloo", { grpo: { clipHigh: 0.28 } }, ["grpo.clipHigh"], /has no clip\. RLOO .* is REINFORCE/],
    ["cispo", { grpo: { clipLow: 0.1, dualClip: 4 } }, ["grpo.clipLow", "grpo.dualClip"], /MiniMax-M1/],
    ["sapo", { grpo: { ratioMax: 3 } }, ["grpo.ratioMax"], /SAPO \(arXiv/],
    ["gspo", { grpo: { cispoHigh: 4 } }, ["grpo.cispoHigh"], /"clip"/],
    ["cispo", { grpo: { tauPositive: 2 } }, ["grpo.tauPositive"], /no gate/],
    [
      "gspo",
      { grpo: { klEstimator: "k1", klPlacement: "reward" } },
      ["grpo.klEstimator", "grpo.klPlacement"],
      /beta is 0/,
    ],
    ["grpo", { grpo: { clipHigh: 0.28 } }, ["grpo.clipHigh"], /every probability ratio is 1.*updatesPerRollout/],
    ["srpo", { grpo: { ratioLevel: "sequence" } }, ["grpo.ratioLevel"], /on-policy/],
    ["gspo", { grpo: { refills: 3 } }, ["grpo.refills"], /GRPO has none\. Leave it out, or set grpo\.onlineFilter/],
    ["gspo", { grpo: { stages, beta: 0.1, groupSize: 6 } }, ["grpo.beta", "grpo.groupSize"], /each of grpo.stages/],
    ["grpo", { reward: { targetFactor: 3 } }, ["reward.targetFactor"], /reward.lengthWeight is 0\. R_task alone/],
    ["grpo", { reward: { overlongCache: 0.3 } }, ["reward.overlongCache"], /overlongWeight is 0/],
    ["vrrl", { reward: { reflectionFormatWeight: 1 } }, ["reward.reflectionFormatWeight"], /"gated".*VRRL: format/],
    ["vision-r1", { grpo: { groupSize: 4 } }, ["grpo.groupSize"], /Half of 150 steps/],
    [
      "grpo",
      { reward: { effectiveness: { kept: 1, fixed: 0.5, stillWrong: 0, spoilt: -1 } } },
      ["reward.effectiveness.kept", "reward.effectiveness.spoilt"],
      /effectivenessWeight is 0/,
    ],
  ])("%s %j", (name, given, keys, reason) => {
    const found = conflicts(name, given);
    expect(found.map(({ key }) => key)).toEqual(keys);
    for (const each of found) expect(each.reason).toMatch(reason);
  });
});

describe("what can be used is accepted", () => {
  test.each<[RecipeName, Given]>([
    ["dr-grpo", { grpo: { clipHigh: 0.28, ratioMax: 3, ratioLevel: "sequence" } }],
    ["grpo", { grpo: { updatesPerRollout: 2, clipHigh: 0.28 } }],
    ["grpo", { grpo: { epochs: 2, clipHigh: 0.28 } }],
    ["grpo", { grpo: { replay: { episode: 4, alpha: 1 }, clipHigh: 0.28 } }],
    ["grpo", { grpo: { klEstimator: "k1" } }],
    ["gspo", { grpo: { stages: [{ steps: 5, maxNewTokens: 40, groupSize: 4, beta: 0.1 }], klEstimator: "k1" } }],
    ["gspo", { grpo: { onlineFilter: "mixed", refills: 3 } }],
    ["vl-rethinker", { grpo: { updatesPerRollout: 1, clipHigh: 0.28 } }],
    ["dapo", { reward: { overlongCache: 0.3 }, grpo: { refills: 5, dualClip: 10 } }],
    ["mm-eureka", { grpo: { onlineFilter: null, refills: 0 } }],
    ["rloo", { grpo: { cispoHigh: 5, cispoLow: 0 } }],
    ["grpo", { reward: { lengthWeight: 0.1, targetFactor: 3 } }],
    ["srpo", { grpo: { groupSize: 4, maskTruncated: true, advantage: "centred", beta: 0.1 } }],
  ])("%s %j", (name, given) => expect(conflicts(name, given)).toEqual([]));

  test.each(RECIPE_NAMES)("%s: its own values, the source's and the nano policy's, repeated", (name) => {
    const recipe = RECIPES[name];
    const nano = nanoSettings(recipe);
    expect(recipeConflicts(recipe, nano, nano)).toEqual([]);
    expect(recipeConflicts(recipe, nano, recipe.settings)).toEqual([]);
  });
});

test("a reason that was given itself is not the recipe's", () => {
  const [only] = conflicts("gspo", { grpo: { surrogate: "sapo", clipHigh: 0.3 } });
  expect(only).toEqual({
    key: "grpo.clipHigh",
    value: 0.3,
    reason: 'grpo.surrogate is "sapo", which has no clip. Leave it out, or set grpo.surrogate to "clip".',
  });
});

test("other settings are no recipe's business", () => {
  const settings = nanoSettings(RECIPES.rloo);
  expect(recipeConflicts(RECIPES.rloo, settings, { seed: 3, maxNewTokens: 60, grpo: { steps: 4 } })).toEqual([]);
});

test("says of a value why it is not used", () => {
  expect(unusedReason("grpo.clipHigh", RECIPES.sapo.settings)).toMatch(/no clip/);
  expect(unusedReason("grpo.tauPositive", RECIPES.sapo.settings)).toBeNull();
});
