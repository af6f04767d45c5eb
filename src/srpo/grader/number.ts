/**
 * Exact reading of numbers in answers: integers, decimals, fractions, mixed numbers, powers of ten, thousands
 * separators. A value is a reduced fraction of big integers, so 0.5 and 1/2 are the same value and no rounding decides
 * an answer.
 */

/** numerator / denominator, reduced, denominator > 0. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
  /** Decimal places as written; null for fractions. */
  readonly places: number | null;
}

/**
 * Longest text read as a number, and largest power of ten: beyond them an answer is not a number (and costs no time).
 */
const MAX_CHARACTERS = 60;
const MAX_EXPONENT = 60;

const DIGITS = String.raw`(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+(?!\d)|\d{1,3}(?:_\d{3})+|\d+)`;
const DECIMAL = String.raw`(?:${DIGITS}(?:\.\d+)?|\.\d+)`;
const TIMES_TEN = String.raw`(?:[eE]|\s*[×x*]\s*10\s*\^)`;
const DECIMAL_PATTERN = new RegExp(`^(${DECIMAL})\\.?$`);
const SCIENTIFIC_PATTERN = new RegExp(`^(${DECIMAL})${TIMES_TEN}\\s*\\(?\\s*([+-]?\\d{1,3})\\s*\\)?$`);
/** `2.1\overline{3}` and `2.1\dot{3}` as plainLatex writes them: the digits in brackets repeat without end. */
const REPEATING_PATTERN = /^(\d+)\.(\d{0,12})(?:overline|bar|dot)\(?(\d{1,12})\)?$/;
const POWER_OF_TEN = /^10\s*\^\s*\(?\s*([+-]?\d{1,3})\s*\)?$/;
const FRACTION_PATTERN = new RegExp(`^([+-]?${DECIMAL})\\s*/\\s*([+-]?\\s*${DECIMAL})$`);
const MIXED_PATTERN = new RegExp(`^(${DIGITS})\\s+(\\d+)\\s*/\\s*(\\d+)$`);

/** The value of a bare number (no unit, no percent sign), or null where the text is anything else. */
export function parseNumber(text: string): Rational | null {
  if (text.length > MAX_CHARACTERS) return null;
  const t = unbracketed(text.trim());
  const sign = t.startsWith("-") ? -1n : 1n;
  const rest = unbracketed(t.replace(/^[+-]\s*/, ""));
  const value = unsigned(rest.replace(/\(\s*(-?[\d.]+)\s*\)/g, "$1"));
  return value && { ...value, numerator: sign * value.numerator };
}

/** Without brackets around the whole: "(3/4)" → "3/4". */
function unbracketed(text: string): string {
  const inner = /^\(([^()]*|\([^()]*\)\/\([^()]*\))\)$/.exec(text)?.[1];
  return inner === undefined ? text : inner.trim();
}

/** value · 10^exponent. */
export function timesPowerOfTen(value: Rational, exponent: number): Rational {
  const power = 10n ** BigInt(Math.abs(exponent));
  return exponent >= 0
    ? reduce(value.numerator * power, value.denominator, value.places)
    : reduce(value.numerator, value.denominator * power, value.places);
}

/** value · by. */
export function times(value: Rational, by: Rational): Rational {
  return reduce(value.numerator * by.numerator, value.denominator * by.denominator, value.places);
}

/**
 * Same value exactly; or one is a fraction without a finite decimal (1/3) and the other its decimal to at least three
 * places (0.333), rounded or cut off.
 */
export function sameValue(a: Rational, b: Rational): boolean {
  if (a.numerator === b.numerator && a.denominator === b.denominator) return true;
  return isDecimalOf(a, b) || isDecimalOf(b, a);
}

/** |value| > 1 */
export function exceedsOne(value: Rational): boolean {
  return magnitude(value.numerator) > value.denominator;
}

function isDecimalOf(decimal: Rational, fraction: Rational): boolean {
  if (decimal.places === null || decimal.places < 3 || fraction.places !== null || isFiniteDecimal(fraction))
    return false;
  const [shown, exact] = [
    magnitude(decimal.numerator) * fraction.denominator,
    magnitude(fraction.numerator) * decimal.denominator,
  ];
  if (decimal.numerator < 0n !== fraction.numerator < 0n) return false;
  // In units of the last place, times `unit`: cut off loses less than one, rounding moves by half of one at most.
  const missing = (exact - shown) * 10n ** BigInt(decimal.places);
  const unit = decimal.denominator * fraction.denominator;
  return missing >= 0n ? missing < unit : -2n * missing <= unit;
}

function isFiniteDecimal({ denominator }: Rational): boolean {
  let rest = denominator;
  for (const prime of [2n, 5n]) while (rest % prime === 0n) rest /= prime;
  return rest === 1n;
}

function unsigned(t: string): Rational | null {
  const decimal = DECIMAL_PATTERN.exec(t)?.[1];
  if (decimal !== undefined) return fromDecimal(decimal);
  const [, whole, start = "", period] = REPEATING_PATTERN.exec(t) ?? [];
  if (whole !== undefined && period !== undefined) {
    const nines = 10n ** BigInt(period.length) - 1n;
    const top = BigInt(whole + start) * nines + BigInt(period);
    return reduce(top, nines * 10n ** BigInt(start.length), null);
  }
  const [, mantissa, exponent] = SCIENTIFIC_PATTERN.exec(t) ?? [];
  if (mantissa !== undefined && exponent !== undefined) {
    return Math.abs(Number(exponent)) > MAX_EXPONENT ? null : timesPowerOfTen(fromDecimal(mantissa), Number(exponent));
  }
  const power = POWER_OF_TEN.exec(t)?.[1];
  if (power !== undefined)
    return Math.abs(Number(power)) > MAX_EXPONENT ? null : timesPowerOfTen(fromDecimal("1"), Number(power));
  const [, top, bottom] = FRACTION_PATTERN.exec(t) ?? [];
  if (top !== undefined && bottom !== undefined) {
    const divisor = parseNumber(bottom);
    const dividend = parseNumber(top);
    if (!dividend || !divisor || divisor.numerator === 0n) return null;
    return reduce(dividend.numerator * divisor.denominator, dividend.denominator * divisor.numerator, null);
  }
  const [, units, part, parts] = MIXED_PATTERN.exec(t) ?? [];
  if (units !== undefined && part !== undefined && parts !== undefined) {
    return BigInt(parts) === 0n
      ? null
      : reduce(fromDecimal(units).numerator * BigInt(parts) + BigInt(part), BigInt(parts), null);
  }
  return null;
}

function fromDecimal(text: string): Rational {
  const [whole = "", fraction = ""] = text.replace(/[, _]/g, "").split(".");
  return reduce(BigInt(whole + fraction), 10n ** BigInt(fraction.length), fraction.length);
}

function reduce(numerator: bigint, denominator: bigint, places: number | null): Rational {
  let [a, b] = [magnitude(numerator), magnitude(denominator)];
  while (b !== 0n) [a, b] = [b, a % b];
  const sign = denominator < 0n ? -1n : 1n;
  return { numerator: (sign * numerator) / a, denominator: (sign * denominator) / a, places };
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}

export function fromInteger(value: number): Rational {
  return { numerator: BigInt(value), denominator: 1n, places: 0 };
}

/** a + b */
export function plus(a: Rational, b: Rational): Rational {
  return reduce(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator, null);
}
