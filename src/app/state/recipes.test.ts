import { describe, expect, test } from "vitest";
import { nanoSettings, RECIPE_NAMES, RECIPES } from "../../srpo/recipe";
import { defaultSettings, overlay, settingsSchema } from "../../worker/protocol";
import { changesOf, nearestRecipe, settingsOfRecipe, undone, withRecipe } from "./recipes";

describe("recipes on the page", () => {
  test.each(RECIPE_NAMES)("%s: its settings are the record's, and nothing else moves", (recipe) => {
    const before = settingsSchema.parse({ seed: 7, grpo: { steps: 20, learningRate: 1e-4 } });
    const after = withRecipe(before, recipe);
    expect(after).toMatchObject(structuredClone(nanoSettings(RECIPES[recipe])));
    expect(after).toMatchObject({ seed: 7, grpo: { steps: 20, learningRate: 1e-4 } });
    expect(changesOf(after, recipe)).toEqual([]);
    expect(nearestRecipe(after, "srpo")).toBe(recipe);
  });

  test("terms of one's own are no part of a recipe and stay", () => {
    const customTerms = [{ name: "brief", expression: "length < 60", weight: 0.2 }];
    const settings = overlay(defaultSettings, { reward: { customTerms } });
    expect(changesOf(settings, "srpo")).toEqual([]);
    expect(withRecipe(settings, "grpo").reward.customTerms).toEqual(customTerms);
  });

  test("the defaults are SRPO's", () => {
    expect(settingsOfRecipe("srpo")).toEqual(defaultSettings);
  });

  test("changes are named by path, each with a way back", () => {
    const settings = overlay(settingsOfRecipe("srpo"), {
      seed: 3,
      reward: { effectiveness: { spoilt: -1 } },
      grpo: { clipHigh: 0.28, stages: [{ steps: 5, maxNewTokens: 56, groupSize: 16, beta: 0 }] },
    });
    const changes = changesOf(settings, "srpo");
    expect(changes.map(({ path }) => path)).toEqual(["reward.effectiveness.spoilt", "grpo.clipHigh", "grpo.stages"]);
    expect(changes[1]).toEqual({ path: "grpo.clipHigh", value: 0.28, original: 0.2 });
    const back = changes.reduce(undone, settings);
    expect(back).toEqual({ ...defaultSettings, seed: 3 });
  });

  test("unknown settings are called after the nearest recipe; the one they were called before wins a tie", () => {
    const changed = overlay(settingsOfRecipe("grpo"), { grpo: { groupSize: 5 } });
    expect(nearestRecipe(changed, "srpo")).toBe("grpo");
    expect(nearestRecipe(settingsOfRecipe("srpo"), "grpo")).toBe("srpo");
  });
});
