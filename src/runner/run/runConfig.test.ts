/** The run file: complete by default, explained key by key, and strict about what it does not know. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { editDistance } from "../../srpo/language/editDistance";
import { RECIPE_NAMES, RECIPES } from "../../srpo/recipe";
import { nearestPath } from "../arguments/nearestName";
import { start } from "../testing/spawned";
import { configPaths, defaultRunConfig, readRunFile, recipeSettings, runConfigSchema } from "./runConfig";
import { explanationOf } from "./runConfigExplained";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-config-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileOf(content: unknown): Promise<string> {
  const file = join(folder, "run.json");
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
  return file;
}

test("every key has an explanation of its own", () => {
  const sentences = configPaths().map(explanationOf);
  expect(sentences.length).toBeGreaterThan(50);
  expect(new Set(sentences).size).toBe(sentences.length);
  expect(() => explanationOf("settings.grpo.nothing")).toThrow(/not explained/);
});

test("the default file is complete and says what an empty one means", async () => {
  const { config } = await readRunFile(await fileOf({}));
  expect(config).toEqual(defaultRunConfig);
  expect((await readRunFile(await fileOf(defaultRunConfig))).config).toEqual(config);
});

test("what is given is taken, what is not keeps its default", async () => {
  const { config, given } = await readRunFile(
    await fileOf({ stages: ["grpo"], lora: { rank: 4 }, settings: { grpo: { beta: 0.1 } } }),
  );
  expect(config).toEqual(
    runConfigSchema.parse({
      ...defaultRunConfig,
      stages: ["grpo"],
      lora: { ...defaultRunConfig.lora, rank: 4 },
      settings: { ...defaultRunConfig.settings, grpo: { ...defaultRunConfig.settings.grpo, beta: 0.1 } },
    }),
  );
  expect(given).toEqual({ stages: ["grpo"], lora: { rank: 4 }, settings: { grpo: { beta: 0.1 } } });
});

test("a section that is off by default may be given in part", async () => {
  const reward = { adaptiveTiers: { window: 5 } };
  const { config } = await readRunFile(await fileOf({ settings: { reward } }));
  expect(config.settings.reward.adaptiveTiers).toEqual({ window: 5, strength: 0.5, bound: 2 });
  await expect(readRunFile(await fileOf({ settings: { reward: { adaptiveTiers: { widow: 5 } } } }))).rejects.toThrow(
    /settings.reward.adaptiveTiers: Unrecognized key: "widow"/,
  );
  await expect(readRunFile(await fileOf({ settings: { reward: { ...reward, variant: "official" } } }))).rejects.toThrow(
    /settings.reward.adaptiveTiers: scales/,
  );
  expect(
    ["", ".window", ".strength", ".bound"].map((key) => explanationOf(`settings.reward.adaptiveTiers${key}`)),
  ).toHaveLength(4);
});

describe("a file that cannot be used is refused, saying where and what", () => {
  test.each<[string, unknown, RegExp]>([
    [
      "a slip of the pen",
      { settings: { grpo: { learningrate: 1 } } },
      /unknown key "settings.grpo.learningrate"; did you mean "settings.grpo.learningRate"/,
    ],
    ["a key in the wrong place", { groupSize: 4 }, /unknown key "groupSize"; did you mean "settings.grpo.groupSize"/],
    ["an unknown section", { lara: { rank: 4 } }, /unknown key "lara"; did you mean "lora"/],
    ["a value of another kind", { settings: { sft: { steps: "many" } } }, /settings.sft.steps/],
    ["stages the wrong way round", { stages: ["grpo", "sft"] }, /stages: expected/],
    ["a list", [], /not a JSON object/],
    ["no JSON", "{", /not JSON/],
  ])("%s", async (_what, content, message) => {
    await expect(readRunFile(await fileOf(content))).rejects.toThrow(message);
  });
});

test("the nearest name is by the last name first", () => {
  expect(editDistance("steps", "stpes")).toBe(2);
  expect(editDistance("", "abc")).toBe(3);
  expect(nearestPath("sft.stpes", ["sft.steps", "grpo.steps", "sft.warmup"])).toBe("sft.steps");
  expect(nearestPath("x", [])).toBeNull();
});

test("the command prints a file that train reads, and explains it", { timeout: 60_000 }, async () => {
  const [printed, explained] = await Promise.all([start(["config"]).done, start(["config", "--explain"]).done]);
  expect(JSON.parse(printed.out)).toEqual(defaultRunConfig);
  expect(explained.out).toContain("settings.grpo.groupSize = 8");
  expect(explained.code).toBe(0);
});

describe("a recipe in a run file", () => {
  test.each(RECIPE_NAMES)("%s: the settings are the record's, departures of the nano policy included", (name) => {
    const settings = recipeSettings(name);
    expect(settings.reward).toEqual({ ...RECIPES[name].settings.reward, customTerms: [] });
    expect(settings.grpo).toMatchObject({ ...RECIPES[name].settings.grpo, ...RECIPES[name].nano.grpo });
    expect(settings.temperature).toBe(RECIPES[name].settings.temperature);
  });

  test("keys in the file override it", () => {
    const { grpo, reward } = recipeSettings("grpo", {
      settings: { grpo: { beta: 0.01 }, reward: { lengthWeight: 1 } },
    });
    expect(grpo).toMatchObject({ beta: 0.01, preset: "trl" });
    expect(reward).toMatchObject({ lengthWeight: 1, effectivenessWeight: 0 });
  });
});
