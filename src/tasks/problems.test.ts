import { describe, expect, it } from "vitest";
import { compute } from "./family";
import { FAMILY_NAMES } from "./problem";
import { EVAL_SHARE, FAMILIES, makeParts, makeProblem, problemAt, problemOf, splitOf } from "./problems";
import { Random } from "./random";

describe("a problem", () => {
  it("is the same whenever it is made", () => {
    for (const family of FAMILY_NAMES) {
      const problem = makeProblem(family, "train", 7);
      expect(makeProblem(family, "train", 7)).toEqual(problem);
      expect(problemOf(problem.id)).toEqual(problem);
      expect(makeProblem(family, "train", 8).picture.pixels).not.toEqual(problem.picture.pixels);
    }
  });

  it("has the pixels that other platforms give too", () => {
    // FNV-1a over the bytes: a change here breaks the shipped policies and every recorded run.
    const digest = FAMILY_NAMES.map((family) => {
      let h = 0x811c9dc5;
      for (const byte of makeProblem(family, "train", 1).picture.pixels) h = Math.imul(h ^ byte, 0x01000193);
      return (h >>> 0).toString(16);
    });
    expect(digest).toEqual(["cdc386e3", "14003d98", "74cd767b", "543539a1"]);
  });

  it("follows from its readings, step by step", () => {
    for (let i = 0; i < 2000; i++) {
      const { readings, inferences, answer } = problemAt("train", i);
      expect(readings).toHaveLength(2);
      inferences.forEach((step, at) => {
        expect(compute(step.left, step.op, step.right)).toBe(step.result);
        if (at === 0) expect([step.left, step.right]).toEqual(readings.map((reading) => reading.value));
        else expect(step.right).toBe(inferences[at - 1]?.result);
      });
      expect(answer).toBe(String(inferences.at(-1)?.result));
    }
  });

  it("fills 32 × 32 pixels in colours that can be told from the ground", () => {
    for (const family of FAMILY_NAMES) {
      const { width, height, pixels } = makeProblem(family, "eval", 3).picture;
      expect([width, height, pixels.length]).toEqual([32, 32, 3072]);
      expect(pixels.filter((byte) => byte < 128).length).toBeGreaterThan(60);
    }
  });

  it("shows the counts that its readings name", () => {
    for (let seed = 0; seed < 300; seed++) {
      const { facts, readings } = makeParts("shapes", "train", seed);
      for (const { subject, value } of readings) expect(facts.split("/")).toContain(`${value} ${subject}`);
    }
  });

  it("spreads its answers: none is right more than a quarter of the time", () => {
    for (const family of FAMILY_NAMES) {
      const counts = new Map<string, number>();
      const random = new Random(5);
      for (let i = 0; i < 2000; i++) {
        const answer = String(FAMILIES[family].make(random).inferences.at(-1)?.result);
        counts.set(answer, (counts.get(answer) ?? 0) + 1);
      }
      expect(Math.max(...counts.values()) / 2000, family).toBeLessThan(0.25);
    }
  });
});

describe("the split", () => {
  it("keeps every evaluation picture out of training", { timeout: 60_000 }, () => {
    for (const family of FAMILY_NAMES) {
      const training = new Set<string>();
      const evaluation = new Set<string>();
      for (let seed = 0; seed < 4000; seed++) {
        training.add(makeParts(family, "train", seed).facts);
        evaluation.add(makeParts(family, "eval", seed).facts);
      }
      for (const facts of evaluation) expect(training.has(facts)).toBe(false);
      expect(evaluation.size, family).toBeGreaterThan(100);
    }
  });

  it("keeps about one picture in eight", () => {
    let kept = 0;
    for (let i = 0; i < 10_000; i++) if (splitOf("bars", `${i}`) === "eval") kept++;
    expect(kept / 10_000).toBeCloseTo(1 / EVAL_SHARE, 1.7);
  });

  it("lets the families take turns, in streams that differ by run", () => {
    expect([0, 1, 2, 3, 4].map((i) => problemAt("eval", i).family)).toEqual([
      "bars",
      "shapes",
      "geometry",
      "digits",
      "bars",
    ]);
    expect(problemAt("train", 0, ["digits"], 1).id).not.toBe(problemAt("train", 0, ["digits"], 2).id);
  });
});

it("says what is wrong with an id", () => {
  expect(() => problemOf("bars:test:1")).toThrow(/expected family:split:seed/);
});
