/** Intervals: written with brackets, as conditions (0 < x ≤ 3), or as unions of either. */
import type { Interval, Named } from "./forms";
import { outerBrackets, splitTop } from "./split";

type Read = (text: string) => Named;

/** "x > 3", "3 < x", "0 < x ≤ 12.5"; null for anything else. */
export function readCondition(
  text: string,
  read: Read,
): { readonly variable: string; readonly interval: Interval } | null {
  const parts = text.split(/([<>≤≥])/).map((part) => part.trim());
  if (parts.length === 3) {
    const [left = "", sign = "", right = ""] = parts;
    if (isVariable(left) && right !== "") return { variable: left, interval: side(sign, read(right)) };
    if (isVariable(right) && left !== "") return { variable: right, interval: side(turned(sign), read(left)) };
    return null;
  }
  const [low = "", first = "", middle = "", second = "", high = ""] = parts;
  if (parts.length !== 5 || !isVariable(middle) || low === "" || high === "") return null;
  if (/[<≤]/.test(first) && /[<≤]/.test(second))
    return { variable: middle, interval: between(read(low), first, read(high), second) };
  if (/[>≥]/.test(first) && /[>≥]/.test(second))
    return { variable: middle, interval: between(read(high), second, read(low), first) };
  return null;
}

/** One interval or several joined by ∪ or "or", in brackets or as conditions; null where a part is neither. */
export function readUnion(
  text: string,
  read: Read,
): { readonly variable: string | null; readonly pieces: readonly Interval[] } | null {
  const [, name = null, body = text] = /^([A-Za-z])\s*∈\s*(.+)$/.exec(text) ?? [];
  const parts = splitTop(body, /∪|\sor\s|(?<=\d),\s(?=[A-Za-z] ?[<>≤≥])/).map((part) => part.trim());
  const pieces: Interval[] = [];
  let variable: string | null = name;
  for (const part of parts) {
    const bracketed = bracketedInterval(part, read);
    const condition = bracketed ? null : readCondition(part, read);
    if (condition && variable !== null && condition.variable !== variable) return null;
    if (condition) variable = condition.variable;
    const piece = bracketed ?? condition?.interval;
    if (!piece) return null;
    pieces.push(piece);
  }
  return pieces.length > 8 ? null : { variable, pieces };
}

/** "(2, 3]" as an interval. */
export function bracketedInterval(text: string, read: Read): Interval | null {
  const brackets = outerBrackets(text);
  if (!brackets || brackets === "{}") return null;
  const [low, high, ...more] = splitTop(text.slice(1, -1), /[,;]/).map((end) => end.trim());
  if (!low || !high || more.length > 0) return null;
  return interval(read(low), read(high), brackets.startsWith("["), brackets.endsWith("]"));
}

export function interval(low: Named, high: Named, lowClosed: boolean, highClosed: boolean): Interval {
  const [from, to] = [unbounded(low, "-") ? null : low, unbounded(high, "") ? null : high];
  return { low: from, high: to, lowClosed: from !== null && lowClosed, highClosed: to !== null && highClosed };
}

function unbounded({ source }: Named, sign: "-" | ""): boolean {
  return sign === "-" ? /^-\s*∞$/.test(source) : /^\+?\s*∞$/.test(source);
}

function between(low: Named, first: string, high: Named, second: string): Interval {
  return interval(low, high, /[≤≥]/.test(first), /[≤≥]/.test(second));
}

function side(sign: string, end: Named): Interval {
  const closed = /[≤≥]/.test(sign);
  return /[<≤]/.test(sign)
    ? { low: null, high: end, lowClosed: false, highClosed: closed }
    : { low: end, high: null, lowClosed: closed, highClosed: false };
}

function turned(sign: string): string {
  return sign === "<" ? ">" : sign === ">" ? "<" : sign === "≤" ? "≥" : "≤";
}

function isVariable(text: string): boolean {
  return /^[A-Za-zα-ω](?:_\w)?$/.test(text);
}
