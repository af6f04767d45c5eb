/** Numbers as the page's formulas write them: three decimals, true minus signs, powers of ten for the very small. */

/** Decimals of a number that stands alone, and the most that an operand may need. */
const PLACES = 3;
const MOST_PLACES = 9;

/** At most three decimals; below 0.0005 and from a million on as m·10ⁿ. */
export function formatNumber(value: number): string {
  return formatPlaces(value, PLACES);
}

/** `formatNumber` with another number of decimals. */
function formatPlaces(value: number, places: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : `${sign}∞`;
  if (size >= 5e-4 && size < 1e6) return sign + String(Number(size.toFixed(places)));
  const [mantissa = "", power = ""] = size
    .toExponential(places - 2)
    .replace("e+", "e")
    .split("e");
  return `${sign}${Number(mantissa)}·10${superscript(power)}`;
}

/** The number that `formatPlaces` writes. */
function valueOfPlaces(value: number, places: number): number {
  const size = Math.abs(value);
  if (size === 0 || !Number.isFinite(value)) return value;
  return size >= 5e-4 && size < 1e6 ? Number(value.toFixed(places)) : Number(value.toExponential(places - 2));
}

/**
 * The operands of a formula with as many decimals as it takes that the shown operands give the shown result: from
 * r − mean = −0.532 and std 0.347 a reader gets −1.534, where the policy was pushed by −1.531.
 * @param result of the operands with all their digits
 * @param compute the formula
 * @returns one text an operand, three decimals or more; the last resort is nine
 */
export function agreeingOperands(
  operands: readonly number[],
  result: number,
  compute: (operands: readonly number[]) => number,
): readonly string[] {
  const wanted = formatNumber(result);
  let places = PLACES;
  const agrees = (): boolean =>
    formatNumber(compute(operands.map((operand) => valueOfPlaces(operand, places)))) === wanted;
  while (places < MOST_PLACES && !agrees()) places++;
  return operands.map((operand) => formatPlaces(operand, places));
}

/** A text of `formatNumber` in brackets where it is negative, for use inside a formula. */
export function asFactor(text: string): string {
  return text.startsWith("−") ? `(${text})` : text;
}

/** With its sign, as something added: +0.25, −0.25, ±0. */
export function formatChange(value: number): string {
  return value === 0 ? "±0" : value > 0 ? `+${formatNumber(value)}` : formatNumber(value);
}

/** In brackets where negative, for use inside a formula. */
export function formatFactor(value: number): string {
  return asFactor(formatNumber(value));
}

/** a + b − c, with the decimals that the shown sum needs. */
export function formatSum(parts: readonly number[]): string {
  const sum = (of: readonly number[]): number => of.reduce((total, part) => total + part, 0);
  return agreeingOperands(parts, sum(parts), sum)
    .map((text, i) => (i === 0 ? text : text.startsWith("−") ? `− ${text.slice(1)}` : `+ ${text}`))
    .join(" ");
}

function superscript(power: string): string {
  return Array.from(power, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(Number(c)))).join("");
}
