import { describe, expect, test } from "vitest";
import { defaultSettings, overlay } from "../../worker/protocol";
import { decodeLink, encodeLink } from "./link";
import { settingsOfRecipe } from "./recipes";

describe("the share link", () => {
  test("is empty for the defaults", () => {
    expect(encodeLink(defaultSettings, "sft", "srpo")).toBe("");
    expect(decodeLink("")).toEqual({ ok: true, settings: {}, from: "sft", recipe: "srpo", refused: [] });
  });

  test("carries only what was changed, and gives the same settings back", () => {
    const settings = overlay(defaultSettings, {
      seed: 7,
      families: ["bars"],
      reward: { effectiveness: { kept: 0.25, fixed: 0.5, stillWrong: 0, spoilt: -1 } },
      grpo: { groupSize: 12 },
    });
    const link = encodeLink(settings, "sft", "srpo");
    expect(decodeURIComponent(link)).toBe(
      '#v=1&s={"seed":7,"families":["bars"],"reward":{"effectiveness":{"spoilt":-1}},"grpo":{"groupSize":12}}',
    );
    expect(decodeLink(link)).toEqual({ ok: true, settings, from: "sft", recipe: "srpo", refused: [] });
  });

  test("says where to start where that is not the default; a folder of one's own stays at backend", () => {
    expect(encodeLink(defaultSettings, "base", "srpo")).toBe("#v=1&from=base");
    expect(decodeLink("#v=1&from=base")).toEqual({
      ok: true,
      settings: defaultSettings,
      from: "base",
      recipe: "srpo",
      refused: [],
    });
    expect(encodeLink(defaultSettings, "own", "srpo")).toBe("");
  });

  test("names the recipe, and then only what differs from it", () => {
    const recipe = settingsOfRecipe("grpo");
    expect(encodeLink(recipe, "sft", "grpo")).toBe("#v=1&recipe=grpo");
    const settings = overlay(recipe, { grpo: { beta: 0 } });
    const link = encodeLink(settings, "base", "grpo");
    expect(decodeURIComponent(link)).toBe('#v=1&from=base&recipe=grpo&s={"grpo":{"beta":0}}');
    expect(decodeLink(link)).toEqual({ ok: true, settings, from: "base", recipe: "grpo", refused: [] });
  });

  test("a link from before there were recipes means what it meant", () => {
    const old = `#v=1&from=sft&s=${encodeURIComponent('{"reward":{"accuracyWeight":0.2},"grpo":{"clipHigh":0.28}}')}`;
    expect(decodeLink(old)).toEqual({
      ok: true,
      settings: overlay(defaultSettings, { reward: { accuracyWeight: 0.2 }, grpo: { clipHigh: 0.28 } }),
      from: "sft",
      recipe: "srpo",
      refused: [],
    });
  });

  test.each([
    ["a recipe that is not known", "#v=1&recipe=ppo", /one of srpo, grpo/],
    ["a start that is not shipped", "#v=1&from=elsewhere", /one of base, sft, srpo/],
    ["another version", "#v=2&s={}", /another version/],
    [
      "a step that would freeze the tab",
      '#v=1&s={"maxNewTokens":4096,"grpo":{"groupSize":1024,"prompts":64}}',
      /too large for a browser tab: a GRPO step would hold .* = 64 × 1,024 × 4,096/,
    ],
    ["no JSON", "#v=1&s={seed", /no JSON/],
  ])("refuses %s and says why", (_, hash, why) => {
    const decoded = decodeLink(hash);
    expect(decoded.ok).toBe(false);
    expect(decoded.ok ? "" : decoded.why).toMatch(why);
  });

  test.each([
    ["a value out of range", { grpo: { groupSize: 1 } }, /^grpo\.groupSize 1 \(.*\); 8 instead$/],
    ["a group size that would freeze the tab", { grpo: { groupSize: 1e9 } }, /1000000000 \(.*<=1024\); 8 instead$/],
    ["a value of another kind", { temperature: "hot" }, /^temperature "hot" \(.*\); 1 instead$/],
    ["a section that is none", { grpo: 5 }, /^grpo 5 \(.*\)/],
    ["a list item", { families: ["bars", "spheres"] }, /^families \["bars","spheres"\]/],
    ["a long value, cut short", { seed: "9".repeat(1e5) }, /^seed "9{39}… \(/],
  ])("refuses %s, keeps the rest, and says so", (_, hostile, said) => {
    const decoded = decodeLink(`#v=1&s=${encodeURIComponent(JSON.stringify({ maxNewTokens: 40, ...hostile }))}`);
    expect(decoded).toMatchObject({ ok: true, settings: { ...defaultSettings, maxNewTokens: 40 } });
    expect(decoded.ok && decoded.refused).toEqual([expect.stringMatching(said)]);
  });

  test("a link cannot reach what every object has", () => {
    const decoded = decodeLink(`#v=1&s=${encodeURIComponent('{"__proto__":{"polluted":1},"constructor":2}')}`);
    expect(decoded).toMatchObject({ ok: true, settings: defaultSettings });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test("drops keys it does not know", () => {
    const decoded = decodeLink(`#v=1&s=${encodeURIComponent('{"seed":3,"colour":"red"}')}`);
    expect(decoded.ok && decoded.settings).toEqual({ ...defaultSettings, seed: 3 });
  });
});
