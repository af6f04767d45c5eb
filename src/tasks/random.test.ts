import { expect, it } from "vitest";
import { hashText, Random } from "./random";

it("gives the same stream for the same seeds, another for others", () => {
  const draws = (...seeds: number[]): number[] => {
    const random = new Random(...seeds);
    return Array.from({ length: 4 }, () => random.bits());
  };
  expect(draws(1, 2)).toEqual(draws(1, 2));
  expect(draws(1, 2)).not.toEqual(draws(2, 1));
  expect(draws(0)).not.toEqual(draws(0, 0));
  expect(draws(0)).toEqual([2474146345, 3911828225, 3916681889, 2776433434]);
});

it("is even over a die's faces", () => {
  const random = new Random(3);
  const faces = Array<number>(6).fill(0);
  for (let i = 0; i < 60_000; i++) {
    const face = random.integer(1, 6) - 1;
    faces[face] = (faces[face] ?? 0) + 1;
  }
  for (const count of faces) expect(Math.abs(count - 10_000)).toBeLessThan(400);
});

it("shuffles without losing anything, and hashes apart what differs by a letter", () => {
  const items = ["a", "b", "c", "d"];
  expect(new Random(9).shuffle(items).sort()).toEqual(items);
  expect(hashText("bars:1 2 3 4")).not.toBe(hashText("bars:1 2 3 5"));
  expect(() => new Random(1).pick([])).toThrow(/empty/);
});
