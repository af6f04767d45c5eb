/** --recipe, a run file's recipe, and overrides beside either: what results, and what is refused. */
import { describe, expect, test } from "vitest";
import { overlay } from "../../training/overlay";
import { recipeFlag, setFlag } from "../arguments/command";
import { parseArguments } from "../arguments/usage";
import { recipeRequest, refuseUnusable, stagesOfRecipe } from "./recipeRequest";
import { defaultRunConfig, type RunConfig, recipeSettings } from "./runConfig";

const flags = { recipe: recipeFlag, set: setFlag, seed: { type: "string", description: "" } } as const;

function request(
  words: readonly string[],
  file: Partial<RunConfig> = {},
  given: Record<string, unknown> = { ...file },
) {
  return recipeRequest(parseArguments(words, flags), { ...defaultRunConfig, ...file }, given);
}

test("flag over file over recipe over default", () => {
  expect(request([])).toMatchObject({ recipe: "srpo", settings: recipeSettings("srpo"), overrides: {} });
  const file = { recipe: "gspo", settings: { grpo: { beta: 0.1, groupSize: 4 } } };
  const both = request(["--set", "grpo.beta=0.2"], { recipe: "gspo" }, file);
  expect(both.recipe).toBe("gspo");
  expect(both.settings.grpo).toMatchObject({ ratioLevel: "sequence", beta: 0.2, groupSize: 4 });
  expect(both.overrides).toEqual({ grpo: { beta: 0.2, groupSize: 4 } });
});

test("a recipe on the command line overrides a complete file", () => {
  const file = { recipe: "srpo", settings: defaultRunConfig.settings };
  const { recipe, settings, overrides } = request(["--recipe", "sapo"], {}, file);
  expect([recipe, overrides]).toEqual(["sapo", {}]);
  expect(settings).toEqual(recipeSettings("sapo"));
  refuseUnusable(recipe, settings, overrides);
});

describe("refused", () => {
  const file = { recipe: "rloo", settings: { grpo: { clipHigh: 0.28 } } };
  test.each([
    ["a flag", () => request(["--recipe", "rloo", "--set", "grpo.clipHigh=0.28"])],
    ["a short flag", () => request(["--recipe", "rloo", "--grpo.clipHigh", "0.28"])],
    ["a run file", () => request([], { recipe: "rloo" }, file)],
    ["a run file with other flags", () => request(["--set", "grpo.steps=3"], { recipe: "rloo" }, file)],
  ])("clipHigh under RLOO, by %s", (_, requested) => {
    const { recipe, settings, overrides } = requested();
    expect(() => refuseUnusable(recipe, settings, overrides)).toThrow(
      /^grpo\.clipHigh = 0\.28 has no effect in the recipe rloo: .*REINFORCE.*Leave it out/,
    );
  });

  test("every such override is named", () => {
    const { recipe, settings, overrides } = request(["--recipe=gspo", "--grpo.tauPositive=2", "--grpo.refills=3"]);
    expect(() => refuseUnusable(recipe, settings, overrides)).toThrow(/tauPositive = 2.*\ngrpo\.refills = 3/);
  });

  test("a complete file of a recipe is not", () => {
    for (const name of ["rloo", "gspo", "grpo"] as const) {
      const settings = recipeSettings(name);
      const { overrides, settings: merged } = request([], { recipe: name }, { recipe: name, settings });
      refuseUnusable(name, merged, overrides);
      expect(overrides).toEqual(overlay(settings, {}));
    }
  });
});

test("SFT comes first where the recipe begins with it, or cannot work here without", () => {
  expect(stagesOfRecipe("vl-rethinker")).toEqual(["sft", "grpo"]);
  expect(stagesOfRecipe("srpo")).toEqual(["sft", "grpo"]);
  expect(stagesOfRecipe("dr-grpo")).toEqual(["grpo"]);
});
