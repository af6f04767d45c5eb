import { expect, test } from "vitest";
import type { EncodedPrompt } from "../policy/layers/packing";
import { paddedSize } from "../policy/layers/packing";
import { LargestBatch } from "./largestBatch";
import type { TrainingRow } from "./microBatch";

const prompt = (length: number): EncodedPrompt => ({
  ids: new Int32Array(length),
  images: [],
  positions: { positions: new Int32Array(3 * length), delta: 0 },
});
const row = (of: EncodedPrompt, tokens: number): TrainingRow => ({
  prompt: of,
  tokens: new Int32Array(tokens),
  weight: 1,
  advantage: 1,
});
const group = (length: number, tokens: readonly number[]): TrainingRow[] => {
  const shared = prompt(length);
  return tokens.map((each) => row(shared, each));
};

test("foresees every response at its longest, and the longest prompts that neighbours can have", () => {
  const rows = [...group(31, [5, 9, 7, 3]), ...group(41, [8, 8, 2, 1]), ...group(21, [4, 4, 4, 4])];
  const largest = new LargestBatch();
  // Six neighbours see at most two prompts of 40 and 30 rows, or one row more at either end.
  const capacity = largest.over([rows.slice(0, 6), rows.slice(6)], { responses: 6, tokens: 50 });
  expect(capacity).toEqual({ rows: paddedSize(30 + 40 + 20 + 300), tokens: paddedSize(300) });
});

test("stays the same for whatever it holds, grows with raised limits and with batches beyond it", () => {
  const largest = new LargestBatch();
  const limits = { responses: 4, tokens: 20 };
  expect(largest.over([], limits)).toEqual({ rows: 0, tokens: 0 }); // a step without rows foresees nothing
  const first = largest.over([group(11, [5, 5, 5, 5])], limits);
  expect(first).toEqual({ rows: 96, tokens: 80 });
  expect(largest.over([group(17, [20, 20, 20, 18])], limits)).toBe(first); // 94 rows
  expect(largest.over([group(11, [1])], { responses: 2, tokens: 10 })).toBe(first);
  const longer = largest.over([group(11, [5, 5, 5, 5])], { ...limits, tokens: 40 });
  expect(longer).toEqual({ rows: 176, tokens: 160 });
  expect(largest.over([group(51, [40, 40, 40, 40])], { ...limits, tokens: 40 })).toEqual({ rows: 224, tokens: 160 });
});
