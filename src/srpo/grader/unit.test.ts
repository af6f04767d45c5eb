/** Units: dimensions, sizes, several meanings of one word, and words that are no unit. */
import { describe, expect, it } from "vitest";
import { readUnit } from "./unit";

describe("units", () => {
  const unit = (text: string) => readUnit(text)[0];
  it("convert within a dimension", () => {
    expect(unit("km")).toMatchObject({ dimension: unit("metres")?.dimension, size: { numerator: 1000n } });
    expect(unit("km")?.dimension).not.toBe(unit("kg")?.dimension);
    expect(unit("N/kg")).toEqual(unit("m/s^2"));
    expect(unit("kWh")).toEqual(unit("kW h"));
  });
  it("may be read in two ways", () => expect(readUnit("pounds")).toHaveLength(2));
  it.each(["CM", "Km", "Minutes"])("%s is one in the wrong case", (text) => expect(readUnit(text)).toHaveLength(1));
  it.each(["or 9", "and", "a b c d", "8", "cm 9", "?", "x", "halves", "pi", "minus x", "dozen", "th", "nd"])(
    "%s is none",
    (text) => expect(readUnit(text)).toEqual([]),
  );
});
