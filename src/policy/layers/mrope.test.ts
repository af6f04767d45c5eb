/**
 * Positions and angles of M-RoPE, by the fixture of the family: 4 text tokens, a picture of 4×6 merged cells would be
 * t=4, h=4…, w=4….
 */
import { expect, it } from "vitest";
import { inverseFrequencies, MropeAngles, mropeAxes, mropeFrequencies, mropePositions } from "./mrope";

const IMAGE = 9;

it("a picture takes as many positions as its longer side has cells", () => {
  const ids = [1, 1, 1, 1, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, IMAGE, 1];
  const { positions, delta } = mropePositions(ids, IMAGE, [{ frames: 1, height: 4, width: 6 }], 2);
  expect([...positions]).toEqual([
    ...[0, 1, 2, 3, 4, 4, 4, 4, 4, 4, 7],
    ...[0, 1, 2, 3, 4, 4, 4, 5, 5, 5, 7],
    ...[0, 1, 2, 3, 4, 5, 6, 4, 5, 6, 7],
  ]);
  expect(delta).toBe(-3);
});

it("says which picture does not match its image tokens", () => {
  const grid = { frames: 1, height: 4, width: 4 };
  expect(() => mropePositions([1, IMAGE, IMAGE, 1], IMAGE, [grid], 2)).toThrow(
    "image 0 needs 4 image tokens, the text has 2",
  );
  expect(() => mropePositions([1, IMAGE], IMAGE, [], 2)).toThrow("more than its 0 images");
  expect(() => mropePositions([1, 1], IMAGE, [grid], 2)).toThrow("1 images but the text has tokens for 0");
});

it("shares the frequencies out among time, height and width", () => {
  expect([...mropeAxes([2, 3, 3], 16)]).toEqual([0, 0, 1, 1, 1, 2, 2, 2]);
  expect(() => mropeAxes([2, 3, 3], 32)).toThrow("covers 8 frequencies, a head of 32 has 16");
  expect([...inverseFrequencies(4, 10000)]).toEqual([1, Math.fround(0.01)]);
  const [cos, sin] = [new Float32Array(2), new Float32Array(2)];
  const angles = new MropeAngles(mropeFrequencies(4, 10000, [1, 1, 0]));
  angles.write(3, 5, 7, cos, sin, 0);
  expect(cos[0]).toBeCloseTo(Math.cos(3), 6);
  expect(sin[1]).toBeCloseTo(Math.sin(0.05), 6);
  // A text token's three positions are equal, near or far.
  const [runCos, runSin] = [new Float32Array(6), new Float32Array(6)];
  angles.writeText(998, 3, runCos, runSin, 0);
  [998, 999, 1000].forEach((position, row) => {
    angles.write(position, position, position, cos, sin, 0);
    expect([...runCos.subarray(2 * row, 2 * row + 2), ...runSin.subarray(2 * row, 2 * row + 2)]).toEqual([
      ...cos,
      ...sin,
    ]);
    expect(cos[0]).toBeCloseTo(Math.cos(position), 6);
  });
});
