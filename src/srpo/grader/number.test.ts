/** Numbers are read exactly; a rounded decimal stands for a fraction only where it must. */
import { describe, expect, it } from "vitest";
import { parseNumber, sameValue } from "./number";

describe("numbers", () => {
  it("are exact", () => {
    expect(parseNumber("0.1")).toEqual({ numerator: 1n, denominator: 10n, places: 1 });
    expect(parseNumber("-6/4")).toEqual({ numerator: -3n, denominator: 2n, places: null });
    expect(parseNumber("-1 1/2")).toEqual({ numerator: -3n, denominator: 2n, places: null });
    expect(parseNumber("-0")).toEqual({ numerator: 0n, denominator: 1n, places: 0 });
  });
  it.each(["", "-", "1/0", "1 1/0", "1..2", "1,23", "8 9", "e5", "0x10", "1e99"])("%j is none", (text) =>
    expect(parseNumber(text)).toBeNull(),
  );
  it("a decimal stands for a fraction only where the fraction has no finite decimal", () => {
    const same = (a: string, b: string): boolean => {
      const [left, right] = [parseNumber(a), parseNumber(b)];
      return left !== null && right !== null && sameValue(left, right);
    };
    expect(same("0.143", "1/7")).toBe(true);
    expect(same("0.124", "1/8")).toBe(false);
    expect(same("0.14", "1/7")).toBe(false);
  });
});
