import { describe, expect, test } from "vitest";
import { explainStep, isTruncated, type StepNumbers, type StepSettings, type StepTopic } from "./explainStep";
import { nanoSettings, RECIPES } from "./recipe";

const { grpo } = nanoSettings(RECIPES.srpo);
const settings = (change: Partial<StepSettings["grpo"]> = {}): StepSettings => ({
  maxNewTokens: 104,
  grpo: { ...grpo, ...change },
});
const step = (numbers: Partial<StepNumbers> = {}): StepNumbers => ({ stage: "grpo", updates: 1, ...numbers });
const said = (
  numbers: Partial<StepNumbers>,
  change: Partial<StepSettings["grpo"]> = {},
): Partial<Record<StepTopic, string>> =>
  Object.fromEntries(explainStep(step(numbers), settings(change)).map(({ topic, text }) => [topic, text]));

describe("what a step did", () => {
  test("one update: why nothing is clipped, and why there is no KL", () => {
    expect(said({ "clip_ratio/low_mean": 0, "clip_ratio/high_mean": 0 })).toEqual({
      updates: "1 update on this rollout: every ratio is 1, so nothing is clipped.",
      kl: "No KL: β is 0.",
    });
  });

  test("several updates: what the clip stopped, and how far the ratios went", () => {
    const numbers = { updates: 4, "clip_ratio/low_mean": 0.0041, "clip_ratio/high_mean": 0.0312 };
    const moved = { "ratio/min": 0.71, "ratio/max": 1.4321 };
    expect(said({ ...numbers, ...moved }, { updatesPerRollout: 4, clipHigh: 0.28 })).toMatchObject({
      updates: "4 updates on this rollout.",
      clip: "3.1 % of the tokens clipped above 1.28, 0.4 % below 0.8; ratios 0.71 to 1.43.",
    });
    expect(said({ updates: 4 }, { updatesPerRollout: 4 }).clip).toBe("No token was clipped.");
    expect(said({ updates: 4, "clip_ratio/high_mean": 0.0001 }).clip).toContain(
      "under 0.1 % of the tokens clipped above",
    );
    expect(said({ updates: 6 }, { updatesPerRollout: 4, epochs: 2 }).updates).toBe(
      "6 of 8 updates on this rollout (2 passes).",
    );
  });

  test("the other surrogates in their own words", () => {
    expect(said({ updates: 2, "clip_ratio/high_mean": 0.02 }, { surrogate: "cispo" }).clip).toBe(
      "2 % of the tokens had their ratio capped.",
    );
    expect(said({ updates: 2, "ratio/gate": 0.983 }, { surrogate: "sapo" }).clip).toBe(
      "SAPO's gates let 98.3 % of the slope through.",
    );
    expect(said({ updates: 2, "clip_ratio/low_mean": 0.15 }, { ratioLevel: "sequence", clipLow: 0.01 }).clip).toBe(
      "15 % of the tokens (whole responses) clipped below 0.99.",
    );
  });

  test("the filter and its refills", () => {
    const numbers = { "filter/drawn": 21, "filter/kept": 16, "filter/refills": 2 };
    expect(said(numbers).filter).toBe("Drew 21 groups, kept 16 (2 refills).");
    expect(said({ ...numbers, "filter/refills": 0 }).filter).toBe("Drew 21 groups, kept 16.");
  });

  test("one update beside replayed responses does not say that every ratio is 1", () => {
    expect(said({ "ratio/min": 0.9, "ratio/max": 1.2 })).toMatchObject({
      updates: "1 update on this rollout: only replayed responses have a ratio.",
      clip: "No token was clipped; ratios 0.90 to 1.20.",
    });
  });

  test("replay, forced rethinking and the failure buffer count what they did", () => {
    expect(
      said({
        "replay/effective": 104,
        "replay/drawn": 24,
        "replay/buffer": 310,
        "rethinking/tried": 40,
        "rethinking/kept": 12,
        "failures/groups": 1,
        "failures/buffer": 120,
      }),
    ).toMatchObject({
      replay: "104 responses with an advantage, 24 more replayed from earlier steps; the buffer holds 310.",
      rethinking: "Made 40 responses think again; 12 came out right and are trained on.",
      failures: "1 group began after an earlier first solution; the buffer holds 120.",
    });
  });

  test("KL in the loss, and in the reward", () => {
    expect(said({ kl: 0.0123 }, { beta: 0.04 }).kl).toBe(
      "KL 0.012 nats per token from the starting policy, in the loss with β 0.04.",
    );
    expect(said({ kl: 0.0123, "rewards/kl": -0.05 }, { beta: 0.04, klPlacement: "reward" }).kl).toBe(
      "KL 0.012 nats per token from the starting policy, taken off the rewards: −0.05 on average.",
    );
  });

  test("the stage of a run with several", () => {
    const stages = [
      { steps: 75, maxNewTokens: 56, groupSize: 16, beta: 0 },
      { steps: 75, maxNewTokens: 104, groupSize: 8, beta: 0 },
    ];
    expect(said({ "stage/number": 2 }, { stages }).stage).toBe("Stage 2 of 2: up to 104 tokens, groups of 8.");
    expect(said({}, { stages: [] }).stage).toBeUndefined();
  });

  test("a failure buffer that is never drawn from says so", () => {
    const failures = { share: 0.4, capacity: 9, maxAge: 5, minimum: 1, wrongShare: 1, perGroup: 1 };
    const numbers = { "failures/groups": 0, "failures/buffer": 12 };
    const [note] = explainStep(step(numbers), settings({ failures, prompts: 1 })).filter(
      ({ topic }) => topic === "failures",
    );
    expect(note?.text).toBe("No group began after an earlier first solution; the buffer holds 12.");
    expect(note?.why).toMatch(/share 0\.4 of 1 prompt rounds to 0 groups/);
    expect(said(numbers, { failures, prompts: 16 }).failures).toContain("0 groups began");
  });

  test("no update: for which reason", () => {
    const text = (numbers: Partial<StepNumbers>): string | undefined => said({ updates: 0, ...numbers })["no update"];
    expect(text({ "filter/drawn": 16, "filter/kept": 0 })).toContain("the filter kept no group");
    expect(text({ frac_reward_zero_std: 1 })).toContain("all rewards are equal");
    expect(text({})).toContain("no response is left");
    expect(said({ updates: 0 }).updates).toBeUndefined();
  });

  test("every response truncated is loud and comes first; some truncated is not", () => {
    const all = explainStep(step({ "completions/clipped_ratio": 1 }), settings());
    expect(all[0]).toMatchObject({ topic: "truncated", loud: true });
    expect(all[0]?.text).toContain("maxNewTokens");
    expect(all.slice(1).some(({ loud }) => loud)).toBe(false);
    expect(isTruncated(step({ "completions/clipped_ratio": 0.99 }))).toBe(false);
    expect(said({ "completions/masked": 1 }).masked).toBe("1 truncated response left out of the loss.");
    expect(said({ "rewards/overlong": -0.05 }).overlong).toContain("cost 0.05 of reward");
    expect(said({ "rewards/overlong": 0 }).overlong).toBeUndefined();
    expect(said({ "completions/masked": 0 }).masked).toBeUndefined();
  });

  test("says nothing of a step of SFT", () => {
    expect(explainStep({ stage: "sft", "completions/clipped_ratio": 1 }, settings())).toEqual([]);
  });
});
