import { describe, expect, test } from "vitest";
import { configure } from "./configure";
import { overlay } from "./overlay";
import { defaultSettings } from "./settings";

test("a patch changes what it names and nothing else, also inside the tiers", () => {
  const changed = configure(defaultSettings, { grpo: { learningRate: 1e-4 }, reward: { effectivenessWeight: 0 } });
  expect(changed.grpo).toEqual({ ...defaultSettings.grpo, learningRate: 1e-4 });
  expect(changed.reward).toEqual({ ...defaultSettings.reward, effectivenessWeight: 0 });
  expect(changed.sft).toEqual(defaultSettings.sft);
});

test("an unknown field and a bad value are named", () => {
  const misspelt: object = { grpo: { learnigRate: 1 } };
  expect(() => configure(defaultSettings, misspelt)).toThrow(/no "grpo.learnigRate"/);
  expect(() => configure(defaultSettings, { grpo: { groupSize: 1 } })).toThrow(/grpo.groupSize/);
  expect(() => configure(defaultSettings, { families: [] as never })).toThrow(/families/);
});

test("null is a value, undefined is not", () => {
  const banded = configure(defaultSettings, { grpo: { onlineFilter: [0.1, 0.9] } });
  expect(banded.grpo.onlineFilter).toEqual([0.1, 0.9]);
  expect(configure(banded, { grpo: { onlineFilter: null } }).grpo.onlineFilter).toBeNull();
  expect(configure(banded, { grpo: undefined }).grpo).toEqual(banded.grpo);
});

describe("names that every object inherits", () => {
  test.each([{ constructor: 3 }, { grpo: { toString: 3 } }, JSON.parse('{"__proto__":{"x":1}}')])(
    "%j is an unknown setting",
    (patch) => {
      expect(() => configure(defaultSettings, patch)).toThrow(/there is no "/);
      expect(Object.keys({})).toEqual([]);
    },
  );

  test("overlay keeps them as keys and never as a prototype", () => {
    const out: object = overlay({ a: 1 }, JSON.parse('{"__proto__":{"x":1}}'));
    expect(Object.getPrototypeOf(out)).toBe(Object.prototype);
    expect("x" in out).toBe(false);
  });
});

test("a reversed CISPO band is refused", () => {
  expect(() => configure(defaultSettings, { grpo: { cispoLow: 6 } })).toThrow(/grpo.cispoLow.*above cispoHigh/);
});

describe("adaptive tiers", () => {
  test("one key turns them on with defaults, null turns them off", () => {
    const on = configure(defaultSettings, { reward: { adaptiveTiers: { window: 8 } as never } });
    expect(on.reward.adaptiveTiers).toEqual({ window: 8, strength: 0.5, bound: 2 });
    expect(configure(on, { reward: { adaptiveTiers: null } })).toEqual(defaultSettings);
    const wide = { window: 8, strength: 0.5, bound: 0.5 };
    expect(() => configure(on, { reward: { adaptiveTiers: wide } })).toThrow(/reward.adaptiveTiers.bound/);
  });
  test("are refused where no tier of I_eff is paid, with the reason", () => {
    const adaptiveTiers = { window: 8, strength: 1, bound: 2 };
    expect(() => configure(defaultSettings, { reward: { adaptiveTiers, variant: "official" } })).toThrow(
      /reward.adaptiveTiers: scales the tiers of I_eff, which the variant official does not have/,
    );
    const on = configure(defaultSettings, { reward: { adaptiveTiers } });
    expect(() => configure(on, { reward: { effectivenessWeight: 0 } })).toThrow(/effectivenessWeight 0 turns off/);
  });
});
