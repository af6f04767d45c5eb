import { describe, expect, it } from "vitest";
import { teach } from "../srpo/teacher";
import { type CorpusPhase, corpusExample } from "./corpus";
import { FAMILY_NAMES, type FamilyName } from "./problem";
import { VOCABULARY } from "./vocabulary";

const FORMAT = /^<think> (.+) <\/think> <answer> (\S+) <\/answer>$/;

function parts(response: string): { think: string; answer: string } {
  const [, think = "", answer = ""] = FORMAT.exec(response) ?? [];
  return { think, answer };
}

function accuracy(phase: CorpusPhase, examples: number): Record<FamilyName, number> {
  const right = { bars: 0, shapes: 0, geometry: 0, digits: 0 };
  for (let i = 0; i < examples; i++) {
    const { problem, response } = corpusExample(phase, 0, i);
    if (parts(response).answer === problem.answer) right[problem.family]++;
  }
  for (const family of FAMILY_NAMES) right[family] /= examples / FAMILY_NAMES.length;
  return right;
}

describe("the corpus", () => {
  it("is a pure function of phase, seed and index", () => {
    expect(corpusExample("noisy", 3, 5)).toEqual(corpusExample("noisy", 3, 5));
    expect(corpusExample("noisy", 4, 5).problem.id).not.toBe(corpusExample("noisy", 3, 5).problem.id);
  });

  it("is right in its clean phase", () => {
    expect(accuracy("clean", 2000)).toEqual({ bars: 1, shapes: 1, geometry: 1, digits: 1 });
  });

  it("is right 35–42 % of the time in its noisy phase, evenly over the families", () => {
    const right = accuracy("noisy", 12_000);
    for (const family of FAMILY_NAMES) {
      expect(right[family], family).toBeGreaterThan(0.35);
      expect(right[family], family).toBeLessThan(0.42);
    }
  });

  it("carries an error on: what is inferred is what was read, and later steps use the result before", () => {
    for (let i = 0; i < 2000; i++) {
      const { think, answer } = parts(corpusExample("noisy", 1, i).response);
      const steps = think.split(" ; ");
      const values = steps.slice(0, 2).map((step) => step.split(" ").at(-1));
      const [left, , right, , result] = (steps[2] ?? "").split(" ");
      expect([left, right]).toEqual(values);
      const second = (steps[3] ?? "").split(" ");
      if (second.length === 5 && /^\d/.test(second[0] ?? "")) expect(second[2]).toBe(result);
      expect(steps.at(-1)?.split(" ").at(-1)).toBe(answer);
    }
  });

  it("is redundant half of the time, saying the same steps twice", () => {
    let redundant = 0;
    for (let i = 0; i < 2000; i++) {
      const steps = parts(corpusExample("clean", 0, i).response).think.split(" ; ");
      const half = steps.length / 2;
      if (steps.slice(0, half).join() === steps.slice(half).join()) redundant++;
    }
    expect(redundant / 2000).toBeCloseTo(0.5, 1);
  });

  it("shows no evaluation picture", () => {
    for (let i = 0; i < 400; i++) expect(corpusExample("noisy", 0, i).problem.id).toContain(":train:");
  });
});

describe("the vocabulary", () => {
  it("holds every word once", () => {
    expect(new Set(VOCABULARY).size).toBe(VOCABULARY.length);
    expect(VOCABULARY.length).toBeLessThan(200);
  });

  it("holds every word of questions, responses and the teacher's reflections", { timeout: 60_000 }, () => {
    const known = new Set([...VOCABULARY, "<think>", "</think>", "<answer>", "</answer>"]);
    const unknown = new Set<string>();
    for (let i = 0; i < 20_000; i++) {
      const { problem, response } = corpusExample("noisy", 2, i);
      const { think, answer } = parts(response);
      const taught = teach({ ...problem, firstThink: think, firstAnswer: answer });
      for (const text of [problem.question, response, taught.reflection, taught.refinedThink, taught.refinedAnswer]) {
        for (const word of text.split(" ")) if (!known.has(word)) unknown.add(word);
      }
    }
    expect([...unknown]).toEqual([]);
  });
});

describe("a taught response", () => {
  it("is at most 96 tokens long, its reflection as informative for right as for wrong answers", {
    timeout: 60_000,
  }, () => {
    const lengths = { right: [] as number[], wrong: [] as number[] };
    const ratios = { concise: [] as number[], redundant: [] as number[] };
    for (let i = 0; i < 8000; i++) {
      const { problem, response } = corpusExample("noisy", 0, i);
      const { think, answer } = parts(response);
      const taught = teach({ ...problem, firstThink: think, firstAnswer: answer });
      const whole =
        `${response} <reflection> ${taught.reflection} </reflection> <think> ${taught.refinedThink} ` +
        `</think> <answer> ${taught.refinedAnswer} </answer>`;
      expect(whole.split(" ").length).toBeLessThanOrEqual(95);
      const style =
        think.split(" ; ").length > problem.readings.length + problem.inferences.length ? "redundant" : "concise";
      ratios[style].push(whole.split(" ").length / (think.split(" ").length + 1));
      lengths[answer === problem.answer ? "right" : "wrong"].push(taught.reflection.split(" ").length);
    }
    const mean = (list: readonly number[]): number => list.reduce((sum, n) => sum + n, 0) / list.length;
    expect(Math.abs(mean(lengths.right) - mean(lengths.wrong))).toBeLessThan(3);
    expect(Math.min(...lengths.right, ...lengths.wrong)).toBeGreaterThanOrEqual(9);
    // f_len peaks at L / base = 2 and has fallen to 1/e at 2.5: in reach after a redundant first solution only.
    expect(mean(ratios.redundant)).toBeCloseTo(2.2, 1);
    expect(mean(ratios.concise)).toBeGreaterThan(3);
  });
});
