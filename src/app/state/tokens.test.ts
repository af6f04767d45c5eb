import { describe, expect, test } from "vitest";
import type { SampleRecord } from "../../worker/protocol";
import { changeDirection, movedByOthers } from "./tokens";

const sample = (advantage: number, by: number | null): SampleRecord => ({
  text: "8",
  tokens: ["8"],
  tokenIds: [1],
  logprobs: [-1],
  entropies: [0.1],
  segments: ["first"],
  finished: true,
  advantage,
  ...(by === null ? {} : { logprobsAfter: [-1 + by] }),
});

describe("how an update moved a response", () => {
  test("is up, down, or nothing worth an arrow", () => {
    expect([0.1, -0.1, 0.0001, null].map((by) => changeDirection(sample(1, by)))).toEqual([
      "up",
      "down",
      "same",
      "same",
    ]);
  });

  test("is explained where it was not the response's own advantage", () => {
    expect(movedByOthers(sample(1.2, 0.1))).toBe("");
    expect(movedByOthers(sample(0, 0))).toBe("");
    expect(movedByOthers(sample(0, 0.1))).toMatch(/advantage is 0\. The other groups/);
    expect(movedByOthers(sample(1.2, -0.1))).toMatch(/points the other way/);
  });
});
