import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { defaultSettings } from "../../worker/protocol";
import { group } from "../testing/fixture";
import { decodePrepared, encodePrepared } from "./prepared";

describe("the prepared group", () => {
  test("reads back what was written, picture included", () => {
    const record = group({ seed: 3, skill: 0.5, groupSize: 4, phase: "normalise", reward: defaultSettings.reward });
    const read = decodePrepared(JSON.parse(encodePrepared(record)));
    expect(read.problem).toEqual(record.problem);
    expect(read.samples.map(({ score, advantage, tokens }) => ({ score, advantage, tokens }))).toEqual(
      record.samples.map(({ score, advantage, tokens }) => ({ score, advantage, tokens })),
    );
  });

  test("the shipped file is one", () => {
    const read = decodePrepared(JSON.parse(readFileSync("public/prepared.json", "utf8")));
    expect(read.samples.length).toBeGreaterThanOrEqual(4);
  });

  test("a picture with too few bytes is refused in words", () => {
    const record = group({ seed: 3, skill: 0.5, groupSize: 4, phase: "normalise", reward: defaultSettings.reward });
    const short = {
      ...record,
      problem: { ...record.problem, picture: { ...record.problem.picture, pixels: new Uint8Array(5) } },
    };
    expect(() => decodePrepared(JSON.parse(encodePrepared(short)))).toThrow(/width × height × 3/);
  });
});
