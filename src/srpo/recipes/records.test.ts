/**
 * The records against their sources. Values are typed in from papers, released scripts and trainers' code, not read
 * from the records: group size, advantage, clip and its level, KL weight and place, aggregation, filter, updates.
 */
import { describe, expect, it, test } from "vitest";
import { evaluateObjective, objectiveOf } from "../objective";
import { RECIPE_NAMES, RECIPES, type RecipeName } from "../recipe";
import { defaultRewardConfig } from "../reward";
import { scoreResponse } from "../score";
import { TRAINER_NUMERICS } from "../trainers";

const band = [0.1, 0.9];
/** Of stages: maximum tokens × responses, 100 steps each. */
const [SHORT, LONG] = [
  [4096, 16],
  [8192, 8],
].map(([maxNewTokens, groupSize]) => ({ steps: 100, maxNewTokens, groupSize, beta: 0.01 }));
const FULL_SIZE: Readonly<Record<RecipeName, object>> = {
  srpo: {
    preset: "srpo",
    groupSize: 8,
    advantage: "group",
    ratioLevel: "token",
    clipLow: 0.2,
    clipHigh: 0.2,
    beta: 0,
    aggregation: "seq-mean-token-mean",
    onlineFilter: band,
    updatesPerRollout: 8,
  },
  grpo: {
    groupSize: 64,
    advantage: "group",
    ratioLevel: "token",
    clipLow: 0.2,
    clipHigh: 0.2,
    beta: 0.04,
    klEstimator: "k3",
    klPlacement: "loss",
    aggregation: "seq-mean-token-mean",
    updatesPerRollout: 1,
  },
  "deepseek-r1": {
    groupSize: 16,
    advantage: "group",
    clipLow: 10,
    clipHigh: 10,
    beta: 0.001,
    klPlacement: "loss",
    aggregation: "seq-mean-token-mean",
    updatesPerRollout: 8192 / 512,
  },
  dapo: {
    groupSize: 16,
    advantage: "group",
    ratioLevel: "token",
    clipLow: 0.2,
    clipHigh: 0.28,
    dualClip: "none",
    beta: 0,
    aggregation: "token-mean",
    onlineFilter: "mixed",
    refills: 9,
    updatesPerRollout: (512 * 16) / 512,
  },
  "dr-grpo": {
    groupSize: 8,
    advantage: "centred",
    clipLow: 0.2,
    clipHigh: 0.2,
    beta: 0,
    aggregation: "seq-mean-token-sum-norm",
    onlineFilter: null,
    updatesPerRollout: (128 * 8) / 128,
  },
  gspo: {
    groupSize: 16,
    advantage: "group",
    ratioLevel: "sequence",
    clipLow: 3e-4,
    clipHigh: 4e-4,
    beta: 0,
    aggregation: "seq-mean-token-mean",
    updatesPerRollout: 4,
  },
  cispo: {
    groupSize: 16,
    advantage: "group",
    surrogate: "cispo",
    cispoLow: 0,
    cispoHigh: 5,
    beta: 0,
    aggregation: "token-mean",
    onlineFilter: "mixed",
    updatesPerRollout: 16,
  },
  sapo: {
    groupSize: 16,
    advantage: "group",
    surrogate: "sapo",
    tauPositive: 1,
    tauNegative: 1.05,
    beta: 0,
    aggregation: "seq-mean-token-mean",
    updatesPerRollout: 4,
  },
  rloo: {
    groupSize: 4,
    advantage: "leave-one-out",
    beta: 0.03,
    klEstimator: "k1",
    klPlacement: "reward",
    aggregation: "seq-mean-token-sum",
    updatesPerRollout: 1,
    epochs: 1,
  },
  "reinforce-plus-plus-baseline": {
    preset: "openrlhf",
    groupSize: 8,
    advantage: "whitened",
    clipLow: 0.2,
    clipHigh: 0.2,
    beta: 0.01,
    klEstimator: "k1",
    klPlacement: "reward",
    aggregation: "token-mean",
    updatesPerRollout: (128 * 8) / 1024,
  },
  gdpo: {
    preset: "verl",
    groupSize: 4,
    advantage: "gdpo",
    clipLow: 0.2,
    clipHigh: 0.2,
    beta: 0,
    dualClip: "none",
    aggregation: "token-mean",
    updatesPerRollout: 512 / 128,
  },
  "mm-eureka": {
    preset: "openrlhf",
    groupSize: 8,
    advantage: "group",
    clipLow: 0.2,
    clipHigh: 0.2,
    ratioMax: 3,
    beta: 0,
    aggregation: "seq-mean-token-mean",
    onlineFilter: band,
    updatesPerRollout: (128 * 8) / 128,
  },
  "vision-r1": {
    groupSize: 16,
    advantage: "group",
    ratioLevel: "token",
    clipLow: 0.2,
    clipHigh: 0.2,
    beta: 0.01,
    klPlacement: "loss",
    aggregation: "seq-mean-token-mean",
    onlineFilter: null,
    stages: [SHORT, LONG],
  },
  "vl-rethinker": {
    groupSize: 8,
    advantage: "group",
    ratioLevel: "token",
    clipLow: 0.2,
    clipHigh: 0.35,
    beta: 0,
    aggregation: "token-mean",
    updatesPerRollout: (1024 * 8) / 512,
    replay: { episode: 1, alpha: 1 },
    rethinking: { fraction: 0.65, perGroup: 2, maxTokens: 1024, weight: 0.05 },
  },
  vrrl: {
    preset: "easyr1",
    groupSize: 8,
    advantage: "group",
    ratioLevel: "token",
    clipLow: 0.2,
    clipHigh: 0.3,
    beta: 0.01,
    klEstimator: "k3",
    klPlacement: "loss",
    aggregation: "token-mean",
    onlineFilter: "mixed",
    refills: 20,
    updatesPerRollout: 1,
    failures: { share: 0.4, capacity: 500, maxAge: 50, minimum: 32, wrongShare: 0.9, perGroup: 3 },
  },
};

test.each(Object.entries(FULL_SIZE))("%s", (name, expected) => {
  expect(RECIPES[name as RecipeName].settings.grpo).toMatchObject(expected);
  expect(RECIPES[name as RecipeName].settings.temperature).toBe(1);
});

test.each(RECIPE_NAMES)("%s: a bound left to the preset is what its source says", (name) => {
  const { settings, sources } = RECIPES[name];
  const numerics = TRAINER_NUMERICS[settings.grpo.preset];
  for (const key of ["ratioMax", "dualClip"] as const)
    if (settings.grpo[key] === null)
      expect(sources.grpo[key], key).toMatch(new RegExp(`^the preset's: ${numerics[key] ?? "none"}`));
});

describe("rewards", () => {
  it("MM-Eureka: accuracy 1, format 0.5, nothing else", () =>
    expect(RECIPES["mm-eureka"].settings.reward).toMatchObject({
      accuracyWeight: 1,
      formatWeight: 0.5,
      effectivenessWeight: 0,
      reflectionFormatWeight: 0,
      lengthWeight: 0,
    }));
  it("DAPO: right and wrong are 2 apart, as 1 and −1 are, and the overlong penalty reaches −1", () =>
    expect(RECIPES.dapo.settings.reward).toMatchObject({
      accuracyWeight: 2,
      formatWeight: 0,
      overlongWeight: 1,
      overlongCache: 4096 / 20480,
    }));

  const solution = (answer: number): string => `<think> a </think> <answer> ${answer} </answer>`;
  const response = (first: number, last: number): string =>
    `${solution(first)} <reflection> b </reflection> ${solution(last)}`;
  it.each<[RecipeName, string, number]>([
    ["vision-r1", response(3, 8), 1],
    ["vision-r1", response(8, 8), 1],
    ["vision-r1", response(8, 3), 0],
    ["vision-r1", solution(8), 0],
    ["vl-rethinker", response(3, 8), 1],
    ["vl-rethinker", response(8, 3), 0],
    // Right at the end 1; one revision −0.01; fixed + 0.1 × progress of 1.
    ["vrrl", response(8, 8), 1 - 0.01],
    ["vrrl", response(3, 8), 1 + 0.1 - 0.01],
    ["vrrl", response(3, 4), 0.1],
    ["vrrl", response(8, 3), 0.1],
    ["vrrl", solution(8), 0],
  ])("%s: %s for 8 is worth %d", (name, text, total) =>
    expect(
      scoreResponse(text, "8", { ...defaultRewardConfig, ...RECIPES[name].settings.reward }).terms.total,
    ).toBeCloseTo(total, 12),
  );

  it("Dr. GRPO: 1 for a right answer, nothing else", () =>
    expect(RECIPES["dr-grpo"].settings.reward).toMatchObject({
      accuracyWeight: 1,
      formatWeight: 0,
      effectivenessWeight: 0,
      reflectionFormatWeight: 0,
      lengthWeight: 0,
    }));
});

describe("what follows the paper where trainers do otherwise", () => {
  it("RLOO has neither ratio nor clip: a token's gradient is −A/B, however far the policy has moved", () => {
    const objective = objectiveOf(RECIPES.rloo.settings.grpo, 104);
    for (const oldLogp of [-9, -3, -0.5, -0.01])
      for (const advantage of [1.5, -1.5]) {
        const row = { length: 2, logp: [-1, -1], oldLogp: [oldLogp, oldLogp], advantage };
        const { gradient, loss } = evaluateObjective([row, row], objective);
        expect(gradient).toEqual([
          [-advantage / 2, -advantage / 2],
          [-advantage / 2, -advantage / 2],
        ]);
        expect(loss).toBeCloseTo(2 * advantage, 12);
      }
  });

  it("DeepSeek-R1's clip of 10 leaves a ratio of 8 its whole gradient", () => {
    const row = { length: 1, logp: [0], oldLogp: [-Math.log(8)], refLogp: [0], advantage: 1 };
    const slope = (name: RecipeName) =>
      evaluateObjective([row], objectiveOf(RECIPES[name].settings.grpo, 104)).gradient[0]?.[0];
    expect(slope("deepseek-r1")).toBeCloseTo(-8, 9);
    expect(slope("grpo")).toBeCloseTo(0, 9);
  });

  it("GDPO has no dual clip, though its preset has one", () =>
    expect(objectiveOf(RECIPES.gdpo.settings.grpo, 104).surrogate).toMatchObject({ dualClip: null }));

  it("VL-Rethinker normalises by std and replays, and its sources say what the code does", () => {
    const { grpo } = RECIPES["vl-rethinker"].sources;
    expect(grpo.replay).toMatch(/as released, neither filter nor replay runs/);
    expect(grpo.advantage).toMatch(/its code: r − mean/);
  });

  it("SRPO's filter reads first answers, and its source says what the released one reads", () =>
    expect(RECIPES.srpo.sources.grpo.onlineFilter).toMatch(/first answers.*released filter reads the tiered accuracy/));
});
