/** Are two quantities the same: value, percent sign, scale and unit together. */
import { exceedsOne, fromInteger, type Rational, sameValue, times, timesPowerOfTen } from "./number";
import type { Quantity } from "./quantity";
import type { Unit } from "./unit";

/** Compares numbers: exact rationals, or by the expression engine where one is not rational. Factors multiply both. */
export type SameNumber = (a: Quantity, aFactor: Rational, b: Quantity, bFactor: Rational) => boolean;

const ONE = fromInteger(1);

export type Difference = "value" | "unit" | "percent" | "scale" | "one letter";

/** Null where the two are the same; else what differs. `given` is the answer, `wanted` the truth. */
export function quantityDifference(given: Quantity, wanted: Quantity, same: SameNumber): Difference | null {
  if (given.percent !== wanted.percent) return percentDifference(given, wanted, same);
  if (given.units && wanted.units) {
    const pairs = given.units.flatMap(
      (a) => wanted.units?.filter((b) => a.dimension === b.dimension).map((b) => [a, b] as const) ?? [],
    );
    if (pairs.length === 0) return angleDifference(given, wanted, same);
    return pairs.some(([a, b]) => same(given, factor(given, a), wanted, factor(wanted, b))) ? null : "value";
  }
  // A letter that could be a variable is one until the other side shows that it is a unit.
  if (given.letter || wanted.letter) return "one letter";
  // A unit may be missing on one side, a scale only in the truth's own words ("in millions").
  if (same(given, given.scale ?? ONE, wanted, wanted.scale ?? ONE)) return null;
  if (isRadians(given, wanted)) return angleDifference(given, wanted, same);
  if (given.scale && !wanted.scale && exceedsThousand(given.scale) && same(given, ONE, wanted, ONE)) return null;
  return given.scale || wanted.scale ? "scale" : "value";
}

function exceedsThousand(scale: Rational): boolean {
  return scale.numerator > 10000n;
}

function factor(quantity: Quantity, unit: Unit): Rational {
  return quantity.scale ? times(unit.size, quantity.scale) : unit.size;
}

/**
 * 50 % is 0.5. Where only one side writes the sign, the face value counts too (50 for 50 %), unless it could be the
 * share itself: 0.5 is not 0.5 %.
 */
function percentDifference(given: Quantity, wanted: Quantity, same: SameNumber): Difference | null {
  const [share, bare] = given.percent ? [given, wanted] : [wanted, given];
  if (bare.units !== null || bare.scale !== null) return "percent";
  const hundredth = timesPowerOfTen(ONE, -2);
  const [a, b] = given.percent ? [hundredth, ONE] : [ONE, hundredth];
  if (same(given, a, wanted, b)) return null;
  const couldBeShare = share.value === null || (share.value.numerator >= 0n && !exceedsOne(share.value));
  return !couldBeShare && same(given, ONE, wanted, ONE) ? null : "percent";
}

/** 60° is π/3: a multiple of π without a unit, or in radians, is an angle in radians. */
function angleDifference(given: Quantity, wanted: Quantity, same: SameNumber): Difference | null {
  if (!isRadians(given, wanted)) return "unit";
  const inRadians = (quantity: Quantity): Quantity =>
    isDegrees(quantity) ? { ...quantity, value: null, text: `(${quantity.text})*π/180` } : quantity;
  return same(inRadians(given), ONE, inRadians(wanted), ONE) ? null : "value";
}

function isRadians(given: Quantity, wanted: Quantity): boolean {
  const [degrees, other] = isDegrees(given) ? [given, wanted] : [wanted, given];
  if (!isDegrees(degrees) || isDegrees(other) || degrees.text === "") return false;
  const radians = other.units === null || other.units.some(({ dimension }) => dimension === "radian^1");
  return radians && other.text.includes("π");
}

function isDegrees(quantity: Quantity): boolean {
  return quantity.units?.some(({ dimension }) => dimension === "angle^1") ?? false;
}

export function sameRational(a: Quantity, aFactor: Rational, b: Quantity, bFactor: Rational): boolean {
  return a.value !== null && b.value !== null && sameValue(times(a.value, aFactor), times(b.value, bFactor));
}
