import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { rewardFacts } from "../../srpo/language/rewardFacts";
import { countWords, responseFacts } from "../../srpo/score";
import { configure } from "../../training/configure";
import { scoreSample } from "../../training/score";
import { defaultSettings } from "../../training/settings";
import { plannedReward, resolveReward } from "./resolveReward";
import { RewardFile } from "./rewardFile";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "srpo-reward-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Opens a file with this text. Each has its own name: a module is loaded once. */
let files = 0;
async function file(text: string): Promise<RewardFile> {
  const path = join(folder, `${files++}.mjs`);
  await writeFile(path, text);
  return RewardFile.open(path);
}

const text = "<think> a b </think> <answer> 8 </answer>";
const facts = rewardFacts(responseFacts(text, "8"), "equivalent");

test("a file that never loads is named: a loop, or a promise that never comes", { timeout: 60_000 }, async () => {
  const sources = [
    "for (;;); export default { name: 'own', term: () => 1 };",
    "await new Promise(() => setInterval(() => undefined, 1000)); export default 1;",
  ];
  for (const opened of await Promise.allSettled(sources.map(file)))
    expect(opened).toMatchObject({
      reason: { message: expect.stringMatching(/mjs: loading it took longer than 10 s; is there a loop/) as string },
    });
});

describe("values of a reward file", () => {
  test("are facts of a scored response, weighted by the settings", async () => {
    const reward = await file(`export default [
      { name: "half", weight: 0.5, term: ({ first }) => (first.right ? 1 : 0) },
      { name: "long", term: ({ length }) => length / 100 },
    ];`);
    const settings = reward.addTo(defaultSettings);
    expect(settings.reward.customTerms).toEqual([
      { name: "half", expression: "file.half", weight: 0.5 },
      { name: "long", expression: "file.long", weight: 1 },
    ]);
    // Seven words; the right answer gives 0.5 by itself.
    const score = scoreSample(text, "8", settings, countWords, reward.scorer);
    expect(score).toMatchObject({ terms: { custom: { half: 0.5, long: 0.07 } }, facts: { measured: { half: 1 } } });
  });

  test.each<[string, string, RegExp]>([
    ["throws", "() => { throw new TypeError('no luck\\nat all') }", /mjs threw TypeError: no luck$/],
    ["throws no error", "() => { throw Object.create(null) }", /mjs threw an object$/],
    ["gives NaN", "() => Number.NaN", /gave NaN; expected a finite number/],
    ["gives Infinity", "() => 1 / 0", /gave Infinity/],
    ["gives nothing", "() => {}", /gave undefined/],
    ["gives a text", "() => '1'", /gave a string/],
    ["gives a promise", "async () => 1", /gave a Promise/],
    ["gives a promise that is rejected", "async () => { throw new Error('late') }", /gave a Promise/],
    ["changes the facts", "(facts) => { facts.first.right = true; return 1 }", /threw TypeError: Cannot assign/],
    ["does not end", "() => { for (;;); }", /threw TimeLimitError: took longer than 1000 ms/],
  ])("a term that %s makes an error of the row, never 0", async (_, term, message) => {
    const reward = await file(`export default { name: "own", term: ${term} };`);
    const score = scoreSample(text, "8", reward.addTo(defaultSettings), countWords, reward.scorer);
    expect(score).toMatchObject({ error: expect.stringMatching(/^reward term "own": /) });
    expect(score).toMatchObject({ error: expect.stringMatching(message) });
  });

  test("one failing term leaves the others their values", async () => {
    const reward = await file(`export default [
      { name: "bad", term: () => NaN }, { name: "good", term: () => 2 }];`);
    expect(reward.measure(facts)).toMatchObject({ bad: { error: expect.any(String) }, good: 2 });
  });

  test("a moved weight stays; another term of the same name is refused", async () => {
    const reward = await file(`export default { name: "own", weight: 0.5, term: () => 1 };`);
    const moved = configure(defaultSettings, {
      reward: { customTerms: [{ name: "own", expression: "file.own", weight: 0.1 }] },
    });
    expect(reward.addTo(moved)).toEqual(moved);
    const other = configure(defaultSettings, {
      reward: { customTerms: [{ name: "own", expression: "length", weight: 0.1 }] },
    });
    expect(() => reward.addTo(other)).toThrow(/another term "own", "length": rename one of them/);
  });
});

test.each<[string, string, RegExp]>([
  ["no default export", "export const a = 1;", /no default export; expected export default \{ name/],
  ["a function", "export default () => 1;", /default export: .*expected \{ name, weight\?, term\(facts\) \}/],
  ["no term", 'export default { name: "own" };', /0.term: expected a function/],
  ["a key too many", 'export default { name: "own", wieght: 1, term: () => 1 };', /wieght/],
  ["a taken name", 'export default { name: "total", term: () => 1 };', /0.name: "total" is taken/],
  ["a name twice", 'const t = { name: "own", term: () => 1 }; export default [t, t];', /same name/],
  ["an empty list", "export default [];", /expected at least one term/],
  ["a fault of its own", 'throw new Error("not today");', /cannot be loaded \(Error: not today\)/],
])("a file with %s is refused by name", async (_, source, message) => {
  await expect(file(source)).rejects.toThrow(message);
  await expect(file(source)).rejects.toThrow(/\d\.mjs: /);
});

describe("a run and its reward file", () => {
  const source = `export default { name: "own", term: () => 1 };`;

  test("is resumed with the same text, from wherever, and with no other", async () => {
    const reward = await file(source);
    const stored = { reward: plannedReward(reward) };
    await reward.copyInto(folder);
    expect(await readFile(join(folder, "reward.mjs"), "utf8")).toBe(source);
    expect((await resolveReward(stored, null, folder))?.path).toBe(reward.path);
    expect((await resolveReward(stored, join(folder, "reward.mjs"), folder))?.sha256).toBe(reward.sha256);
    const other = await file(`${source} // changed`);
    await expect(resolveReward(stored, other.path, folder)).rejects.toThrow(
      /is not the reward file that the run .* started with: resume it with --reward .*reward.mjs, its copy/,
    );
  });

  test("none stays none", async () => {
    expect(await resolveReward({ reward: null }, null, folder)).toBeNull();
    expect(await resolveReward(null, null, folder)).toBeNull();
    const reward = await file(source);
    await expect(resolveReward({ reward: null }, reward.path, folder)).rejects.toThrow(/started without a reward file/);
  });
});
