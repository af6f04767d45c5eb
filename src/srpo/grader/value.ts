/**
 * What kind of answer a text is: number, range, ratio, time of day, interval, tuple, set, equation, expression, or
 * text. The reading depends on the text alone; how two readings compare is in comparison.ts.
 */
import { parseExpression } from "./expressionParser";
import type { Named, Value } from "./forms";
import { readCondition, readUnion } from "./interval";
import { plainQuantity, readExpressionWithUnit, readQuantity } from "./quantity";
import { outerBrackets, splitTop } from "./split";
import { anyWordOf } from "./words";

const MAX_MEMBERS = 30;

/** Read a text in normal form. */
export function readNamed(text: string, depth = 0): Named {
  const source = text.trim();
  const unnamed = (value: Value): Named => ({ name: null, value, source });
  if (depth > 4) return unnamed({ kind: "text", text: source });
  const builder = /^[({]\s*[A-Za-z]\s*[|:]\s*([^|]*[<>≤≥∈][^|]*)[)}]$/.exec(source)?.[1];
  if (builder !== undefined) return { ...readNamed(builder, depth + 1), source };
  const whole = readWhole(source);
  if (whole) return unnamed(whole);
  const list = readList(source, depth);
  if (list) return unnamed(list);
  const sides = splitTop(source, /=/).map((side) => side.trim());
  if (sides.length > 1 && !/[<>≤≥≠≈]/.test(source)) return named(source, sides, depth);
  const point = /^([A-Z]'?)\s*(\(.+\))$/.exec(source);
  if (point?.[1] && point[2] && outerBrackets(point[2]) && splitTop(point[2].slice(1, -1), /,/).length > 1)
    return { ...readNamed(point[2], depth + 1), name: point[1], source };
  return unnamed(readSingle(source, depth));
}

/** Readings of the whole text that a comma, a colon or a dash inside must not split. */
function readWhole(text: string): Value | null {
  const clock = readClock(text);
  if (clock) return clock;
  const quantity = readQuantity(text);
  return quantity && { kind: "number", quantity };
}

/** Members joined by commas, semicolons, "and", "&" or "or". */
function readList(text: string, depth: number): Value | null {
  const braces = outerBrackets(text) === "{}";
  const inner = braces ? text.slice(1, -1) : text;
  const joint = /\s*(?:[,;](?:\s*(?:and|or|&)\s)?|(?<=\s)and(?=\s)|(?<=[\s\w])&(?=[\s\w])|(?<=\s)or(?=\s)|\n)\s*/;
  const parts = splitTop(inner, joint).map((part) => part.trim());
  if (parts.length > MAX_MEMBERS || parts.some((part) => part === "")) return null;
  if (/[<>≤≥∪∈]/.test(inner)) {
    if (braces) return null;
    const pieces = readUnion(inner, (member) => readNamed(member, depth + 1));
    if (pieces) return { kind: "interval", ...pieces };
    if (parts.length === 1) return null;
  }
  if (parts.length === 1 && !braces) return plusMinus(inner, depth);
  const members = parts.map((part) => readNamed(part, depth + 1)).flatMap(spread);
  const or = /(?:^|\s)or\s/.test(inner);
  const and = /(?:^|\s)and\s|&/.test(inner);
  return { kind: "set", members: inherited(members), joined: braces ? "braces" : or ? "or" : and ? "and" : "comma" };
}

/** "x = ±2, 3": the members of an inner ± belong to the outer list. */
function spread(member: Named): readonly Named[] {
  return member.value.kind === "set" && member.value.joined === "±"
    ? member.value.members.map((each) => ({ ...each, name: each.name ?? member.name }))
    : [member];
}

/** "n = 1, 2, 3": the first member's name holds for those behind it. */
function inherited(members: readonly Named[]): readonly Named[] {
  const [first, ...rest] = members;
  if (!first || first.name === null || rest.length === 0 || rest.some(({ name }) => name !== null)) return members;
  return members.map((member) => ({ ...member, name: first.name }));
}

/** a ± b is the two values a + b and a − b. */
function plusMinus(text: string, depth: number): Value | null {
  if (!/^[^±∓]*±[^±∓]*$/.test(text)) return null;
  const equals = text.lastIndexOf("=");
  const [name, value] = equals < 0 ? [null, text] : [text.slice(0, equals).trim(), text.slice(equals + 1)];
  if (name !== null && nameOf(name) === null) return null;
  const before = value.split("±")[0]?.trim() ?? "";
  const members = ["+", "-"].map((sign) =>
    readNamed(value.replace("±", before === "" && sign === "+" ? "" : sign).trim(), depth + 1),
  );
  return { kind: "set", members: members.map((member) => ({ ...member, name: name && nameOf(name) })), joined: "±" };
}

/** Name = value; or a chain such as 2 + 6 = 8, which is kept whole as an equation. */
function named(source: string, sides: readonly string[], depth: number): Named {
  const [left = "", ...rest] = sides;
  const right = rest.at(-1) ?? "";
  if (rest.length === 1) {
    // 12 = x says x = 12.
    if (nameOf(left) === null && /^[A-Za-z]$/.test(right)) return named(source, [right, left], depth);
    const name = left === "" ? "" : nameOf(left);
    if (name !== null && right !== "" && !mentions(right, name)) {
      const inner = readNamed(right, depth + 1);
      if (inner.name === null && inner.value.kind !== "equation")
        return { ...inner, name: name === "" ? null : name, source };
    }
    if (left !== "" && right !== "") return { name: null, value: { kind: "equation", sides: [left, right] }, source };
  }
  return { name: null, value: { kind: "text", text: source }, source };
}

/** A name: a letter with an index, a segment or an angle, f(2), or up to five words. Null for anything computed. */
export function nameOf(text: string): string | null {
  const t = text
    .replace(/^m(?=∠)/, "")
    .replace(/\s+/g, " ")
    .trim();
  if (/^(?:overline|vec|bar)\([A-Za-z]{1,3}\)$/.test(t)) return t;
  if (/^[A-Za-zα-ωΔ](?:_?(?:[A-Za-z0-9]{1,5}|\([^()]{1,8}\)))?'?$/.test(t) && !/^\d/.test(t)) {
    // A letter, x_1, AB, x1; longer runs of letters are words, below.
    if (t.length <= 2 || t.includes("_") || /^[A-Z]{2,4}$/.test(t)) return t;
  }
  if (/^\|[A-Z]{2}\|$/.test(t)) return t;
  if (/^\([a-z](?:,\s?[a-z]){1,3}\)$/.test(t)) return t.replace(/\s/g, "");
  if (/^[∠△]\s*(?:[A-Z]{1,3}|\d|[a-zα-ω])'?$/.test(t)) return t.replace(/\s/g, "");
  if (/^[A-Za-z]\([^()]{1,8}\)$/.test(t)) return t;
  const words = t.split(" ");
  const plain = words.length <= 5 && words.every((word) => /^[A-Za-z]{1,14}(?:'s)?$/.test(word));
  return plain && !NOT_A_NAME.test(t) ? t.toLowerCase() : null;
}

const NOT_A_NAME = anyWordOf(`
    not no never or and if than less more minus plus times twice double half square cube root sqrt sin cos tan log
  ln exp either neither unless maybe`);

function mentions(text: string, name: string): boolean {
  return /^[A-Za-z](?:_\w+)?$/.test(name) && new RegExp(`(?<![A-Za-z_])${name}(?![A-Za-z_])`).test(text);
}

function readSingle(text: string, depth: number): Value {
  const brackets = outerBrackets(text);
  if (brackets && brackets !== "{}") {
    const inner = splitTop(text.slice(1, -1), /[,;]/).map((member) => member.trim());
    if (inner.length > 1 && inner.length <= MAX_MEMBERS && !inner.includes("")) {
      const members = inner.map((member) => readNamed(member, depth + 1));
      return {
        kind: "tuple",
        open: brackets.startsWith("[") ? "[" : "(",
        close: brackets.endsWith("]") ? "]" : ")",
        members,
      };
    }
  }
  const condition = readCondition(text, (member) => readNamed(member, depth + 1));
  if (condition) return { kind: "interval", variable: condition.variable, pieces: [condition.interval] };
  const range = readRange(text);
  if (range) return range;
  const terms = splitTop(text, /:|(?<=\d) to (?=\d)/).map((term) => term.trim());
  if (terms.length >= 2 && terms.length <= 4 && terms.every((term) => parseExpression(term) !== null))
    return { kind: "ratio", terms };
  const withUnit = readExpressionWithUnit(text);
  if (withUnit) return { kind: "number", quantity: withUnit };
  const expression = parseExpression(text.replace(/^≈\s*/, ""));
  if (expression && !/^[A-Za-z]+$/.test(text)) {
    return expression.variables.length === 0
      ? { kind: "number", quantity: plainQuantity(null, text.replace(/^≈\s*/, "")) }
      : { kind: "expression", text };
  }
  return { kind: "text", text };
}

/** "5-7", "5 to 7 cm", "2014-15": never a subtraction. */
function readRange(text: string): Value | null {
  const [, low = "", high = ""] =
    /^(\d[\d.,]*(?:\s*[A-Za-z%°]+)?)\s*(?:-|to)\s*(\d[\d.,]*(?:\s*[A-Za-z%°/^\d]+)?)$/.exec(text) ?? [];
  const [from, to] = [readQuantity(low), readQuantity(high)];
  return from && to ? { kind: "range", low: from, high: to } : null;
}

/** "2:30 PM", "14:30". Without am, pm or an hour of 13 and more, 2:30 stays a ratio or a time: it compares as text. */
function readClock(text: string): Value | null {
  const match = /^(\d{1,2}):([0-5]\d)\s*(?:(a|p)\.?\s?m\.?)?$/i.exec(text);
  if (!match) return null;
  const half = match[3] === undefined ? null : match[3].toLowerCase() === "a" ? "am" : "pm";
  const hour = Number(match[1]);
  if (hour > 24 || (half && (hour < 1 || hour > 12))) return null;
  const past = half === null ? hour : (hour % 12) + (half === "pm" ? 12 : 0);
  return { kind: "clock", minutes: 60 * past + Number(match[2]), half: half ?? (hour > 12 ? "pm" : null) };
}
