/**
 * A quantity: a number with a percent sign, a scale ("million") or a unit, several numbers with falling units ("5 ft 6
 * in"), or a numeric expression with a unit ("2sqrt(5) cm").
 */
import { fromInteger, parseNumber, plus, type Rational, times } from "./number";
import { readUnit, type Unit } from "./unit";
import { anyWordOf, chineseNumeral, fractionInWords, numberInWords } from "./words";

export interface Quantity {
  /** Exact value before scale and unit; null where only the expression engine can tell. */
  readonly value: Rational | null;
  /** The number as text, for the engine. */
  readonly text: string;
  readonly percent: boolean;
  /** Every reading of the unit; null where there is none. */
  readonly units: readonly Unit[] | null;
  /** million, billion, trillion. */
  readonly scale: Rational | null;
  /** The unit is one letter that could be a variable: set against the number ("8m"), or b, d, l, t, K, or a prime. */
  readonly letter: boolean;
}

const SCALES: ReadonlyMap<string, Rational> = new Map(
  (
    [
      ["thousand", 1000n],
      ["million", 10n ** 6n],
      ["mln", 10n ** 6n],
      ["billion", 10n ** 9n],
      ["bn", 10n ** 9n],
      ["trillion", 10n ** 12n],
      ["万", 10n ** 4n],
      ["亿", 10n ** 8n],
    ] as const
  ).map(([name, size]) => [name, { numerator: size, denominator: 1n, places: 0 }]),
);
const CURRENCY = /^([-+]?)\s*(US\$|USD|EUR|GBP|JPY|CNY|INR|RMB|Rs\.?(?![A-Za-z])|[$€£¥₹₩])\s*([-+]?)\s*(?=[\d.])(.+)$/;
const NUMBER = String.raw`(?:\d[\d,_]*(?: \d{3}(?!\d))*(?:\.\d+)?|\.\d+)`;
const LEADING_NUMBER = new RegExp(
  `^([+-]?\\s*(?:${NUMBER}(?:\\s*[×x*]\\s*10\\s*\\^\\s*(?:\\([+-]?\\d+\\)|[+-]?\\d+)|[eE][+-]?\\d+)` +
    `|${NUMBER}(?:\\s+\\d+)?\\s*/\\s*\\d+(?![\\d.])|10\\s*\\^\\s*(?:\\([+-]?\\d+\\)|[+-]?\\d+)|${NUMBER}))(.*)$`,
);

/** A quantity with an exact value, or null. */
export function readQuantity(text: string): Quantity | null {
  const approximate = text.replace(/^(?:≈|~|∼|approximately|approx\.?|about|around|roughly)\s*/i, "").trim();
  const note = /^(.*\d.*?)\s*\((?:in )?([^()\d]+)\)$/.exec(approximate);
  if (note) {
    const inner = readQuantity(note[1] ?? "");
    return inner && !inner.percent && inner.units === null && inner.scale === null
      ? suffixed(inner.value, inner.text, ` ${singularScale(note[2] ?? "")}`)
      : null;
  }
  const currency = CURRENCY.exec(approximate);
  if (currency) {
    const [, sign = "", symbol = "", inner = "", rest = ""] = currency;
    const amount = readQuantity(`${sign}${inner}${rest}`);
    return amount && !amount.percent && amount.units === null ? { ...amount, units: readUnit(symbol) } : null;
  }
  const bare = parseNumber(approximate);
  if (bare) return plainQuantity(bare, approximate);
  const share = fractionInWords(approximate);
  if (share) return plainQuantity(parseNumber(share.join("/")), share.join("/"));
  const numeral = chineseNumeral(approximate);
  if (numeral !== null) return plainQuantity(fromInteger(numeral), String(numeral));
  const words = /^[A-Za-z -]+$/.test(approximate) ? leadingWords(approximate) : null;
  if (words) return suffixed(fromInteger(words.value), String(words.value), words.rest);
  const bracketed = /^(\([^()]*\)|[-+]\s*\([^()]*\))(.+)$/.exec(approximate);
  const split = bracketed ?? LEADING_NUMBER.exec(approximate);
  if (!split) return null;
  const [, number = "", suffix = ""] = split;
  const value = parseNumber(number);
  return value && (suffixed(value, number, suffix) ?? compound(approximate));
}

const NO_NOUN = anyWordOf(`
  hundreds? thousands? \\w*illions? dozens? pairs? couples? scores? half halves quarters?
  \\w+ths? thirds? squared? cubed? times plus minus over under point less more than factorials? percent and or to by
  below above from modulo mod base if but not is of divided multiplied negative`);

/**
 * The truth's own noun is a unit too: "20 widgets" is 20 with a unit that only this truth knows, unless the word
 * computes with the number or counts further.
 */
export function readOwnNoun(truth: string): Quantity | null {
  const [, number = "", noun = ""] = /^([-+]?[\d.,]+) ([A-Za-z]{3,}(?: [A-Za-z]{3,})?)$/.exec(truth) ?? [];
  const value = number === "" ? null : parseNumber(number);
  if (!value || noun.split(" ").some((word) => NO_NOUN.test(word) || numberInWords(word) !== null)) return null;
  return { ...plainQuantity(value, number), units: [{ dimension: `the noun ${noun}`, size: fromInteger(1) }] };
}

/** A numeric expression with a unit behind it: the longest text behind a bracket, digit or π that reads as a unit. */
export function readExpressionWithUnit(text: string): Quantity | null {
  for (const match of text.matchAll(/(?<=[\d)π])\s*(?=[A-Za-z°Ω%€£¥$μ])/g)) {
    const number = text.slice(0, match.index).trim();
    const suffix = text.slice(match.index);
    // tan 45° is the tangent of an angle, not an angle.
    if (suffix.trim() === "°" && /(?:sin|cos|tan|cot|sec|csc)\s*[\d.]+$/.test(number)) continue;
    if (/[a-z](?<!sqrt|sin|cos|tan|log|ln|exp)(?![a-z])/i.test(number)) continue;
    const read = suffixed(null, number, suffix);
    if (read) return read;
  }
  return null;
}

export function plainQuantity(value: Rational | null, text: string): Quantity {
  return { value, text, percent: false, units: null, scale: null, letter: false };
}

/** What stands behind the number: nothing else than a percent sign, a scale, a unit, or a scale and a unit. */
function suffixed(value: Rational | null, text: string, suffix: string): Quantity | null {
  const rest = suffix.trim();
  const number = plainQuantity(value, text);
  if (rest === "") return number;
  if (/^(?:%|percent|per cent|percentage points?|pct)$/i.test(rest)) return { ...number, percent: true };
  const [, first = "", unit = ""] = /^([A-Za-z万亿]+)(?:\s+(?:of )?(.+)|(?<=[万亿])(.+))?$/.exec(rest) ?? [];
  const scale = SCALES.get(first.toLowerCase());
  if (scale) {
    if (unit === "") return { ...number, scale };
    const units = readUnit(unit);
    return units.length === 0 ? null : { ...number, scale, units };
  }
  const units = readUnit(rest.replace(/^-(?=[a-z]{3,}$)/, ""));
  if (units.length === 0) return null;
  return { ...number, units, letter: /^[A-Za-z'"]$|^\s+[bdltK'"]$/.test(suffix) };
}

function singularScale(text: string): string {
  return text.trim().replace(/^(thousand|million|billion|trillion)s$/i, "$1");
}

/** "5 ft 6 in", "2 hours and 30 minutes", 40°30': units of one dimension, each smaller than the one before. */
function compound(text: string): Quantity | null {
  const parts = [...text.matchAll(/(\d[\d.,]*)\s*([^\d\s.,][^\d]*?)\s*(?:and\s+)?(?=\d|$)/g)];
  if (
    parts.length < 2 ||
    parts.length > 3 ||
    parts
      .map((part) => part[0])
      .join("")
      .trim() !== text.trim()
  )
    return null;
  const angle = /^\d[\d.]*\s*(?:°|deg)/.test(text);
  let sum: Rational | null = null;
  let last: Unit | null = null;
  for (const [, digits = "", name = ""] of parts) {
    const value = parseNumber(digits);
    const units: readonly Unit[] = angle ? angleUnit(name) : readUnit(name);
    const before: Unit | null = last;
    const unit: Unit | undefined = units.find((each) => before === null || isSmaller(each, before));
    if (!value || !unit) return null;
    const size = times(value, unit.size);
    sum = sum === null ? size : plus(sum, size);
    last = unit;
  }
  if (!sum || !last) return null;
  const base: Unit = { ...last, size: fromInteger(1) };
  return { ...plainQuantity(sum, ""), units: [base] };
}

function angleUnit(name: string): readonly Unit[] {
  const parts = /^(?:°|deg(?:rees?)?)$/.test(name)
    ? 1n
    : name === "'"
      ? 60n
      : name === '"' || name === "''"
        ? 3600n
        : 0n;
  return parts === 0n ? [] : [{ dimension: "angle^1", size: { numerator: 1n, denominator: parts, places: null } }];
}

function isSmaller(unit: Unit, than: Unit): boolean {
  if (unit.dimension !== than.dimension) return false;
  return unit.size.numerator * than.size.denominator < than.size.numerator * unit.size.denominator;
}

/** "five apples", "negative five": the longest run of number words at the start, and what follows. */
function leadingWords(text: string): { readonly value: number; readonly rest: string } | null {
  const words = text.split(/ +/);
  for (let count = Math.min(words.length, 8); count > 0; count--) {
    const value = numberInWords(words.slice(0, count).join(" "));
    if (value !== null)
      return {
        value,
        rest: words
          .slice(count)
          .map((word) => ` ${word}`)
          .join(""),
      };
  }
  return null;
}
