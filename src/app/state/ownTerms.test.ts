import { describe, expect, test } from "vitest";
import { defaultSettings, overlay, settingsSchema } from "../../worker/protocol";
import { group } from "../testing/fixture";
import { decodeLink, encodeLink } from "./link";
import { newTerm, typedNameFault, typedValues } from "./ownTerms";

const shown = group({ seed: 5, skill: 0.3, groupSize: 8, phase: "update", reward: defaultSettings.reward });

describe("writing a reward term", () => {
  test("begins with a valid example that is off, under a free name", () => {
    const first = newTerm([]);
    const second = newTerm([first]);
    expect([first.name, second.name, first.weight]).toEqual(["own1", "own2", 0]);
    const settings = overlay(defaultSettings, { reward: { customTerms: [first, second] } });
    expect(settingsSchema.parse(settings)).toEqual(settings);
  });

  test("shows the value for each response of the shown group", () => {
    const { values } = Object(typedValues("first.right ? 2 : 0", shown, "paper"));
    expect(values).toEqual(shown.samples.map(({ score }) => (score && "terms" in score && score.firstRight ? 2 : 0)));
    expect(new Set(values)).toEqual(new Set([0, 2]));
    expect(typedValues("1", null, "paper")).toEqual({ values: [] });
    const rollout = group({ seed: 5, skill: 0.3, groupSize: 2, phase: "rollout", reward: defaultSettings.reward });
    expect(typedValues("1", rollout, "paper")).toEqual({ values: [null, null] });
  });

  test("says where an expression is wrong, and where it has no value", () => {
    expect(typedValues("lenght", shown, "paper")).toEqual({
      fault: 'column 1: there is no fact "lenght"; did you mean "length"?',
    });
    const { values } = Object(typedValues("log(0 * length - 1)", shown, "paper"));
    expect(values[0]).toEqual({ error: "column 1: log(0 * length - 1) is not a number here" });
    expect(typedNameFault("own1", [newTerm([])])).toContain("another term");
    expect(typedNameFault("own 1", [])).toContain("not a name");
    expect(typedNameFault("own1", [])).toBeNull();
  });
});

describe("a link with terms of one's own", () => {
  const customTerms = [{ name: "brief", expression: 'length < 60 and text contains "so"', weight: 0.2 }];
  const settings = overlay(defaultSettings, { reward: { customTerms } });

  test("brings them back", () => {
    expect(decodeLink(encodeLink(settings, "sft", "srpo"))).toMatchObject({
      ok: true,
      settings: { reward: { customTerms } },
    });
  });

  test("is refused in words where one cannot be computed", () => {
    const bad = overlay(settings, { reward: { customTerms: [{ ...customTerms[0], expression: "alert(1)" }] } });
    expect(decodeLink(encodeLink(bad, "sft", "srpo"))).toMatchObject({
      ok: true,
      settings: { reward: { customTerms: [] } },
      refused: [expect.stringContaining('there is no function "alert"')],
    });
  });
});
