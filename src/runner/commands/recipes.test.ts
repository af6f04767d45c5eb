/** `srpo recipes`: the record, whole, with sources and what differs from SRPO. */
import { expect, test } from "vitest";
import { RECIPE_NAMES, RECIPES } from "../../srpo/recipe";
import { start } from "../testing/spawned";

test("lists the recipes", async () => {
  const { code, out } = await start(["recipes"]).done;
  expect(code).toBe(0);
  expect(
    out
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]),
  ).toEqual(RECIPE_NAMES);
});

test("prints every value of one with its source, and SRPO's where it differs", async () => {
  const { out } = await start(["recipes", "grpo", "--json"]).done;
  const [recipe] = JSON.parse(out) as { values: { key: string; value: unknown; source: string; srpo?: unknown }[] }[];
  const { settings, sources } = RECIPES.grpo;
  expect(recipe?.values).toHaveLength(2 + Object.keys(settings.grpo).length);
  for (const { key, value, source, srpo } of recipe?.values ?? []) {
    if (!key.startsWith("grpo.")) continue;
    const name = key.slice(5) as keyof typeof settings.grpo;
    expect(value).toEqual(settings.grpo[name]);
    expect(source).toBe(sources.grpo[name]);
    expect(srpo !== undefined).toBe(
      JSON.stringify(RECIPES.srpo.settings.grpo[name]) !== JSON.stringify(settings.grpo[name]),
    );
  }
});

test("an unknown name is refused with the known ones", async () => {
  const { code, err } = await start(["recipes", "ppo"]).done;
  expect(code).toBe(2);
  expect(err).toMatch(/"ppo" is not one of srpo, grpo/);
});
