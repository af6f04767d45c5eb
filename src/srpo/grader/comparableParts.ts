/**
 * The parts of a reading, for comparison with a reading of another kind: 1/2 is also the ratio 1:2, (0, 1) an interval,
 * x = 3 an equation. Null when the reading has no such parts.
 */
import type { Interval, Named, Value } from "./forms";
import { interval } from "./interval";

/** Terms of a ratio; of a fraction beside a ratio; of "5-7" written with "to". */
export function termsOf({ value, source }: Named): readonly string[] | null {
  if (value.kind === "ratio") return value.terms;
  if (value.kind === "clock" && value.half === null) return null;
  if (value.kind === "number" && value.quantity.units === null && !value.quantity.percent)
    return value.quantity.text.includes("/") ? [value.quantity.text, "1"] : null;
  const range = /^(\d+(?:\.\d+)?) to (\d+(?:\.\d+)?)$/.exec(source);
  return value.kind === "range" && range ? [range[1] ?? "", range[2] ?? ""] : null;
}

/** Pieces of an interval; a pair in brackets may be one. */
export function piecesOf({
  value,
}: Named): { readonly variable: string | null; readonly pieces: readonly Interval[] } | null {
  if (value.kind === "interval") return value;
  if (value.kind !== "tuple") return null;
  const [low, high, more] = value.members;
  if (!low || !high || more) return null;
  return { variable: null, pieces: [interval(low, high, value.open === "[", value.close === "]")] };
}

/** Sides of an equation; a name before "=" is a side too. */
export function sidesOf({ value, name, source }: Named): readonly [string, string] | null {
  if (value.kind === "equation") return value.sides;
  const equals = source.indexOf("=");
  return name !== null && (value.kind === "expression" || value.kind === "number") && equals > 0
    ? [source.slice(0, equals), source.slice(equals + 1)]
    : null;
}

/** The text of an expression, or of a plain number; null when it has a unit, percent sign or scale. */
export function expressionText(value: Value): string | null {
  if (value.kind === "expression") return value.text;
  if (value.kind !== "number") return null;
  const { units, percent, scale, text } = value.quantity;
  return units === null && !percent && scale === null ? text : null;
}
