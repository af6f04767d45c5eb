/** Mechanisms that carry something from step to step: replay, forced rethinking, the failure buffer. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Policy } from "../policy/policy";
import type { Backend } from "../tensor/backend";
import { openWasmBackend } from "../tensor/wasm/backend";
import type { PhaseResult } from "./phaseResult";
import { scoreOf } from "./records";
import type { Scorer } from "./score";
import type { Session } from "./session";
import type { SettingsPatch } from "./settings";
import { expectSameContinuation } from "./testing/sameContinuation";
import { byLength, taughtPolicy, tinySession } from "./testing/tinySession";

let backend: Backend;
let policy: Policy;
beforeAll(async () => {
  backend = await openWasmBackend();
  policy = await taughtPolicy(backend);
});
afterAll(() => backend.dispose());

type Stepped = Extract<PhaseResult, { kind: "stepped" }>;

async function steps(session: Session, count: number): Promise<Stepped[]> {
  const results: Stepped[] = [];
  for (let step = 0; step < count; step++)
    await session.stepThrough((result) => {
      if (result.kind === "stepped") results.push(result);
    });
  session.dispose();
  return results;
}

/** Half of the groups are flat, so that a step has too few effective samples. */
const halfFlat: Scorer = (text, answer, ...rest) => {
  const score = byLength(text, answer, ...rest);
  const gold = typeof answer === "string" ? answer : answer.answer;
  return /[02468]$/.test(gold) ? { ...score, terms: { ...score.terms, total: 1 } } : score;
};

describe("selective sample replay", () => {
  const grpo: SettingsPatch["grpo"] = { prompts: 3, groupSize: 4, replay: { episode: 3, alpha: 1 } };

  test("a step is filled up to its number; the buffer is emptied with each episode", { timeout: 60_000 }, async () => {
    const results = await steps(tinySession(policy, { grpo }, { scorer: halfFlat }), 5);
    let buffered = 0;
    for (const [step, { metrics, groups }] of results.entries()) {
      const { "replay/effective": effective = NaN, "replay/drawn": drawn, "replay/buffer": buffer } = metrics;
      buffered = (step % 3 === 0 ? 0 : buffered) + effective;
      expect(buffer).toBe(buffered);
      expect(drawn).toBe(buffered === 0 ? 0 : 12 - effective);
      const replayed = groups.filter(({ replayedFrom }) => replayedFrom !== undefined);
      expect(replayed.flatMap(({ samples }) => samples)).toHaveLength(drawn ?? NaN);
      const first = Math.floor(step / 3) * 3 + 1;
      for (const { replayedFrom = 0, samples } of replayed) {
        expect(replayedFrom).toBeGreaterThanOrEqual(first);
        expect(replayedFrom).toBeLessThanOrEqual(step + 1);
        // Advantage and log-probabilities are those of its own time.
        const then = results[replayedFrom - 1]?.groups.flatMap((group) => group.samples) ?? [];
        for (const { tokenIds, logprobs, advantage } of samples)
          expect(
            then.some(
              (s) =>
                s.advantage === advantage && `${s.tokenIds}` === `${tokenIds}` && `${s.logprobs}` === `${logprobs}`,
            ),
          ).toBe(true);
      }
      expect(metrics.step_tokens).toBe(
        groups
          .filter(({ replayedFrom }) => replayedFrom === undefined)
          .flatMap(({ samples }) => samples.map(({ tokens }) => tokens.length))
          .reduce((a, b) => a + b, 0),
      );
    }
    expect(results.some(({ metrics }) => (metrics["replay/drawn"] ?? 0) > 0)).toBe(true);
    // One update a step, and yet the samples of earlier steps have ratios of their own.
    for (const { metrics, groups } of results) {
      if (!groups.some(({ replayedFrom = metrics.step }) => replayedFrom < metrics.step)) continue;
      expect(metrics.updates).toBe(1);
      expect(metrics["ratio/max"]).toBeGreaterThan(1.001);
      expect(metrics.ppo_kl).toBeDefined();
    }
  });
});

/** A continuation is right by its text. */
const rightByText: Scorer = (text, ...rest) => {
  const score = byLength(text, ...rest);
  return { ...score, refinedRight: text.length % 3 !== 0 };
};

describe("forced rethinking", () => {
  const rethinking = { fraction: 1, trigger: null, perGroup: 2, maxTokens: 6, weight: 0.5 };

  test("continues after the trigger, keeps two right ones a group, and trains on them", {
    timeout: 60_000,
  }, async () => {
    const [first] = await steps(tinySession(policy, { grpo: { rethinking } }, { scorer: rightByText }), 1);
    const tried = first?.groups.flatMap(({ rethought = [] }) => rethought) ?? [];
    const finished = first?.groups.flatMap(({ samples }) => samples).filter((sample) => sample.finished) ?? [];
    expect(tried).toHaveLength(finished.filter(({ text }) => text.includes("</answer>")).length);
    expect(tried.length).toBeGreaterThan(2);
    for (const { tokens, forcedFrom = 0, continuedFrom = 0 } of tried) {
      expect(tokens[forcedFrom - 1]).toBe("</answer>");
      expect(tokens.slice(forcedFrom, continuedFrom)).toEqual(["<reflection>"]);
      expect(tokens.length - continuedFrom).toBeLessThanOrEqual(6);
    }
    for (const { rethought = [] } of first?.groups ?? []) {
      const kept = rethought.filter((sample) => sample.kept);
      expect(kept.length).toBe(Math.min(2, rethought.filter((sample) => scoreOf(sample)?.refinedRight).length));
    }
    expect(first?.metrics["rethinking/tried"]).toBe(tried.length);
    expect(first?.metrics["rethinking/kept"]).toBe(tried.filter(({ kept }) => kept).length);
    expect(first?.metrics["loss/likelihood"]).toBeGreaterThan(0);
  });

  test("makes what it keeps more likely", { timeout: 60_000 }, async () => {
    // Flat groups: nothing but the likelihood moves the weights.
    const flat: Scorer = (...response) => {
      const score = rightByText(...response);
      return { ...score, terms: { ...score.terms, total: 1 } };
    };
    const grpo = { rethinking, learningRate: 2e-3, prompts: 4, groupSize: 4 };
    const results = await steps(tinySession(await taughtPolicy(backend), { grpo }, { scorer: flat }), 20);
    const reflecting = ({ groups }: Stepped): number =>
      groups.flatMap(({ samples }) => samples).filter(({ text }) => text.includes("<reflection>")).length;
    // The policy was never taught to go on after its answer; the trigger teaches it.
    expect(results.slice(0, 6).reduce((sum, result) => sum + reflecting(result), 0)).toBeLessThan(4);
    expect(results.slice(-6).reduce((sum, result) => sum + reflecting(result), 0)).toBeGreaterThan(12);
  });

  test("refuses a trigger with words that the tokenizer lacks, before anything is sampled", () => {
    const grpo = { rethinking: { ...rethinking, trigger: "Wait" } };
    const named = /grpo\.rethinking\.trigger.*does not hold: Wait/;
    expect(() => tinySession(policy, { grpo })).toThrow(named);
    const session = tinySession(policy);
    expect(() => session.configure({ grpo })).toThrow(named);
    expect(session.settings.grpo.rethinking).toBeNull();
    session.dispose();
  });
});

describe("the failure buffer", () => {
  const failures = { share: 0.5, capacity: 6, maxAge: 50, minimum: 2, wrongShare: 0.9, perGroup: 2 };

  test("groups begin after an earlier first solution, and train on what follows it", { timeout: 60_000 }, async () => {
    const results = await steps(tinySession(await taughtPolicy(backend), { grpo: { prompts: 4, failures } }), 4);
    const begun = results.map(({ metrics }) => metrics["failures/groups"]);
    expect(begun[0]).toBe(0);
    expect(begun.slice(1)).toEqual([2, 2, 2]);
    for (const { metrics, groups } of results) {
      expect(groups).toHaveLength(4);
      expect(metrics["failures/buffer"]).toBeLessThanOrEqual(6);
    }
    const earlier = results[0]?.groups.flatMap(({ samples }) => samples.map(({ text }) => text)) ?? [];
    for (const { prefix, samples } of results[1]?.groups ?? []) {
      if (prefix === undefined) continue;
      const given = prefix.tokens.join(" ");
      expect(prefix.tokens.at(-1)).toBe("</answer>");
      expect(earlier.some((text) => text.startsWith(given))).toBe(true);
      for (const { text, tokens, segments } of samples) {
        expect(text.startsWith(given)).toBe(true);
        expect(tokens.length).toBe(segments.length);
        expect(text.length).toBeGreaterThanOrEqual(given.length);
      }
    }
  });
});

test("all of them continue bit for bit from any phase", { timeout: 120_000 }, async () => {
  const grpo: SettingsPatch["grpo"] = {
    prompts: 3,
    groupSize: 4,
    updatesPerRollout: 2,
    onlineFilter: "mixed",
    refills: 2,
    replay: { episode: 3, alpha: 1 },
    rethinking: { fraction: 0.5, trigger: null, perGroup: 1, maxTokens: 6, weight: 0.05 },
    failures: { share: 0.4, capacity: 20, maxAge: 5, minimum: 2, wrongShare: 0.9, perGroup: 2 },
  };
  const results = await expectSameContinuation(
    () => Promise.resolve(tinySession(policy, { grpo }, { scorer: rightByText })),
    14,
    [3, 7, 8, 9, 10, 11, 12],
  );
  expect(results.filter(({ kind }) => kind === "stepped").length).toBeGreaterThan(1);
});
