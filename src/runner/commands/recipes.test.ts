/** `srpo recipes`: the record, whole, with sources and what differs from SRPO. */
import { expect, test, vi } from "vitest";
import { RECIPE_NAMES, RECIPES } from "../../srpo/recipe";
import { parseArguments } from "../arguments/usage";
import { recipesCommand } from "./recipes";

async function run(...words: string[]): Promise<string> {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  try {
    expect(await recipesCommand.run(parseArguments(words, recipesCommand.flags))).toBe(0);
    return write.mock.calls.map(([text]) => String(text)).join("");
  } finally {
    write.mockRestore();
  }
}

test("lists the recipes", async () => {
  const lines = (await run()).trim().split("\n");
  expect(lines.map((line) => line.split(" ")[0])).toEqual(RECIPE_NAMES);
});

test("prints every value of one with its source, and SRPO's where it differs", async () => {
  const out = await run("grpo", "--json");
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
  await expect(run("ppo")).rejects.toThrow(/"ppo" is not one of srpo, grpo/);
});
