import { expect, test } from "vitest";
import { permutation, streamStep } from "./randomStreams";

test("streams do not overlap", () => {
  expect(streamStep("grpo", 0) - streamStep("sft", 0)).toBe(0x1000000);
  expect(streamStep("evaluate", 7)).not.toBe(streamStep("sample", 7));
});

test("a permutation holds every index once, and depends on seed and epoch only", () => {
  const order = permutation(100, 3, 1);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(permutation(100, 3, 1)).toEqual(order);
  expect(permutation(100, 3, 2)).not.toEqual(order);
  expect(permutation(100, 4, 1)).not.toEqual(order);
});
