/** Numbers as the page's formulas write them: three decimals, true minus signs, powers of ten for the very small. */

/** At most three decimals; below 0.0005 and from a million on as m·10ⁿ. */
export function formatNumber(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "";
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : `${sign}∞`;
  if (size >= 5e-4 && size < 1e6) return sign + String(Number(size.toFixed(3)));
  const [mantissa = "", power = ""] = size.toExponential(1).replace("e+", "e").split("e");
  return `${sign}${Number(mantissa)}·10${superscript(power)}`;
}

/** With its sign, as something added: +0.25, −0.25, ±0. */
export function formatChange(value: number): string {
  return value === 0 ? "±0" : value > 0 ? `+${formatNumber(value)}` : formatNumber(value);
}

/** In brackets where negative, for use inside a formula. */
export function formatFactor(value: number): string {
  return value < 0 ? `(${formatNumber(value)})` : formatNumber(value);
}

/** a + b − c */
export function formatSum(parts: readonly number[]): string {
  return parts
    .map((p, i) => (i === 0 ? formatNumber(p) : p < 0 ? `− ${formatNumber(-p)}` : `+ ${formatNumber(p)}`))
    .join(" ");
}

function superscript(power: string): string {
  return Array.from(power, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹".charAt(Number(c)))).join("");
}
