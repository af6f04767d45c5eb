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

test("lists the recipes with their sentences, in 100 columns", async () => {
  const lines = (await run()).trimEnd().split("\n");
  expect(lines.flatMap((line) => (line.startsWith(" ") ? [] : [line.split(" ")[0]]))).toEqual(RECIPE_NAMES);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
  const text = lines.map((line) => line.slice(30)).join(" ");
  for (const { summary } of Object.values(RECIPES)) expect(text).toContain(summary);
});

test.each(RECIPE_NAMES)("prints %s in 100 columns, every key once", async (name) => {
  const out = await run(name);
  for (const line of out.split("\n")) expect(line.length, line).toBeLessThanOrEqual(100);
  for (const key of Object.keys(RECIPES[name].settings.grpo)) expect(out.split(`grpo.${key} = `), key).toHaveLength(2);
});

test("says what is not used, why, and where the nano policy departs", async () => {
  const out = (await run("sapo")).replace(/\n +/g, " ");
  expect(out).toMatch(/Not used:.*grpo\.clipLow = 0\.2, grpo\.clipHigh = 0\.2.*: grpo\.surrogate is "sapo"/s);
  expect(out).toMatch(/grpo\.groupSize = 16 .* SRPO: 8 nano policy: 8\. Every recipe samples/);
});

test("prints all of them as JSON, each value with its source", async () => {
  const all = JSON.parse(await run("--json")) as { name: string; values: { key: string; source: string }[] }[];
  expect(all.map(({ name }) => name)).toEqual(RECIPE_NAMES);
  for (const { values } of all) {
    expect(values).toHaveLength(2 + Object.keys(RECIPES.srpo.settings.grpo).length);
    for (const { key, source } of values) expect(source, key).not.toBe("");
  }
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
