/**
 * Units in answers. Known ones convert within their dimension; any other short noun ("apples", "red circles") is a unit
 * that only equals itself. Conjunctions, hedges and number words are never units: "8 or 9" is not eight of something.
 */
import { parseNumber, type Rational } from "./number";

export interface Unit {
  /** Dimension of a known unit; the noun itself otherwise. */
  readonly kind: string;
  /** Size in the base unit of its dimension; 1 for nouns. */
  readonly size: Rational;
}

const ONE: Rational = { numerator: 1n, denominator: 1n, places: 0 };

/** dimension: [names, size in the base unit] */
const KNOWN: readonly (readonly [string, string, string])[] = [
  ["length", "mm millimeter millimetre", "0.001"],
  ["length", "cm centimeter centimetre", "0.01"],
  ["length", "dm decimeter decimetre", "0.1"],
  ["length", "m meter metre", "1"],
  ["length", "km kilometer kilometre", "1000"],
  ["length in inches", "in inch inche", "1"],
  ["length in inches", "ft foot feet", "12"],
  ["mass", "mg milligram", "0.001"],
  ["mass", "g gram", "1"],
  ["mass", "kg kilogram", "1000"],
  ["time", "s sec second", "1"],
  ["time", "min minute", "60"],
  ["time", "h hr hour", "3600"],
  ["volume", "ml milliliter millilitre", "0.001"],
  ["volume", "l liter litre", "1"],
  ["angle", "degree deg", "1"],
  ["money in cents", "cent", "1"],
  ["money in cents", "dollar usd", "100"],
  ["money in euros", "€ euro eur", "1"],
  ["money in pounds", "£ gbp", "1"],
  ["money in yen", "¥ yen jpy", "1"],
];
const BY_NAME: ReadonlyMap<string, Unit> = new Map(
  KNOWN.flatMap(([kind, names, size]) => {
    const unit = { kind, size: parseNumber(size) ?? ONE };
    return names.split(" ").map((name): [string, Unit] => [name, unit]);
  }),
);

const JOINING = "or and to not but maybe either neither nor is than if perhaps possibly otherwise vs versus";
const NUMERALS = "zero one two three four five six seven eight nine ten eleven twelve";
const NEVER_UNITS = new Set(`${JOINING} ${NUMERALS}`.split(" "));

/** A unit of at most three words, each of letters, the last with an optional power; null for anything else. */
export function readUnit(text: string): Unit | null {
  const t = text
    .trim()
    .replace(/\.$/, "")
    .replaceAll("²", "^2")
    .replaceAll("³", "^3")
    .replace(/\^\{(\d)\}/g, "^$1");
  const square = /^(square|sq|cubic)\s+(\S+)$/i.exec(t);
  const [, noun = t, power = "1"] = square
    ? [t, square[2] ?? "", square[1]?.toLowerCase() === "cubic" ? "3" : "2"]
    : (/^(.*?)\s*\^\s*([23])$/.exec(t) ?? []);
  const names = noun.split(/\s+/);
  if (names.length > 3 || !names.every((n) => /^(?:[A-Za-z]+(?:\/[A-Za-z]+)?|[€£¥])$/.test(n))) return null;
  if (names.some((n) => NEVER_UNITS.has(n.toLowerCase()))) return null;
  const name = names.join(" ").toLowerCase();
  const known = BY_NAME.get(name) ?? BY_NAME.get(name.replace(/s$/, ""));
  if (!known) return { kind: `${name.replace(/s$/, "")}^${power}`, size: ONE };
  const exponent = BigInt(power);
  return {
    kind: `${known.kind}^${power}`,
    size: {
      ...known.size,
      numerator: known.size.numerator ** exponent,
      denominator: known.size.denominator ** exponent,
    },
  };
}

/**
 * What to multiply both sides by before comparing them; null where the units are of different kinds. A missing unit
 * fits any.
 */
export function sameUnit(
  left: Unit | null,
  right: Unit | null,
): { readonly left: Rational; readonly right: Rational } | null {
  if (!left || !right) return { left: ONE, right: ONE };
  return left.kind === right.kind ? { left: left.size, right: right.size } : null;
}
