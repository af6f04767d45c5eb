import { expect, test } from "vitest";
import { defaultSettings } from "../../training/settings";
import { settingsOf } from "./settingsArguments";
import { parseArguments } from "./usage";

const flags = {
  out: { type: "string", required: true, description: "" },
  backend: { type: "string", default: "wasm", description: "" },
  saveEvery: { type: "string", description: "" },
  json: { type: "boolean", description: "" },
  seed: { type: "string", description: "" },
  set: { type: "string", description: "" },
} as const;

test("flags in both spellings, switches, defaults", () => {
  const args = parseArguments(["--out", "runs/a", "--save-every=5", "--json"], flags);
  expect([args.text("out"), args.text("backend"), args.integer("saveEvery", 1), args.boolean("json")]).toEqual([
    "runs/a",
    "wasm",
    5,
    true,
  ]);
});

test("a word stands for the positional flag", () => {
  const positional = {
    dir: { type: "positional", required: true, description: "" },
    json: { type: "boolean", description: "" },
  } as const;
  expect(parseArguments(["--json", "a/b"], positional).text("dir")).toBe("a/b");
  expect(() => parseArguments(["a", "b"], positional)).toThrow('"b" is unexpected here');
  expect(() => parseArguments(["--json"], positional)).toThrow("DIR is required");
});

test("settings by --set and by their section, merged into the defaults", () => {
  const args = parseArguments(
    [
      "--out",
      "x",
      "--seed",
      "7",
      "--set",
      "grpo.learningRate=1e-4",
      "--set",
      "reward.effectiveness.spoilt=-0.5",
      "--reward.effectivenessWeight",
      "0",
      "--grpo.onlineFilter=[0.1,0.9]",
      "--set",
      "families=bars,digits",
      "--set",
      "freezeVision=false",
    ],
    flags,
  );
  expect(settingsOf(args)).toEqual({
    ...defaultSettings,
    seed: 7,
    families: ["bars", "digits"],
    freezeVision: false,
    grpo: { ...defaultSettings.grpo, learningRate: 1e-4, onlineFilter: [0.1, 0.9] },
    reward: {
      ...defaultSettings.reward,
      effectivenessWeight: 0,
      effectiveness: { ...defaultSettings.reward.effectiveness, spoilt: -0.5 },
    },
  });
});

test.each<[string[], RegExp]>([
  [["--out", "x", "--colour", "red"], /unknown flag --colour; expected one of --out, --backend, --save-every/],
  [["--out"], /--out needs a value/],
  [["--out", "--json"], /--out needs a value/],
  [["--json"], /--out is required/],
  [["--json=yes", "--out", "x"], /--json takes no value/],
  [["now", "--out", "x"], /"now" is unexpected here/],
  [["--out", "x", "--set", "grpo"], /not of the form path=value/],
])("%j is refused", (args, message) => {
  expect(() => parseArguments(args, flags)).toThrow(message);
});

test.each<[string[], RegExp]>([
  [["--set", "grpo.groupSize=1"], /grpo.groupSize/],
  [["--set", "grpo.groupsize=4"], /no "grpo.groupsize"/],
  [["--seed", "-1"], /--seed: "-1" is not a whole number/],
])("%j gives no settings", (args, message) => {
  expect(() => settingsOf(parseArguments(["--out", "x", ...args], flags))).toThrow(message);
});

test("a word that is none of a list is blamed itself, not a flag that was not typed", () => {
  const positional = {
    recipe: { type: "positional", description: "" },
    count: { type: "string", description: "" },
  } as const;
  const args = parseArguments(["nope", "--count", "5000"], positional);
  expect(() => args.oneOf("recipe", ["srpo", "grpo"])).toThrow(/^RECIPE: "nope" is not one of srpo, grpo$/);
  expect(() => args.integer("count", 1, 1024)).toThrow("--count: 5000 is too large; expected at most 1024");
});
