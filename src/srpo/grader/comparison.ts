/** How two readings compare, kind by kind. Each comparison says in a sentence why it accepts or refuses. */

import { expressionText, piecesOf, sidesOf, termsOf } from "./comparableParts";
import { ExpressionComparison, isConstantExpression } from "./expression";
import type { Interval, Named } from "./forms";
import type { Tolerance } from "./kind";
import { type Rational, times } from "./number";
import { plainQuantity, type Quantity } from "./quantity";
import { type Difference, quantityDifference, sameRational } from "./quantityComparison";
import { sameWords } from "./words";

export interface Verdict {
  readonly right: boolean;
  readonly reason: string;
}

const yes = (reason: string): Verdict => ({ right: true, reason });
const no = (reason: string): Verdict => ({ right: false, reason });

/** The text to compare as an expression: "ab" beside an expression is the product of a and b, not a word. */
function factors({ value, source }: Named): string | null {
  return value.kind === "text" && /^[a-z]{2,3}$/.test(source) ? source : expressionText(value);
}

/** Compares the readings of one pair of texts. `given` is the answer, `wanted` the truth. */
export class Comparison {
  readonly #expressions = new ExpressionComparison();
  readonly #tolerance: Tolerance | null;

  constructor(tolerance: Tolerance | null) {
    this.#tolerance = tolerance;
  }

  /** The bound on the work of one pair was reached. */
  get exhausted(): boolean {
    return this.#expressions.exhausted;
  }

  named(given: Named, wanted: Named): Verdict {
    if (given.name !== null && wanted.name !== null && bareName(given.name) !== bareName(wanted.name)) {
      // y = x/2 is also x = 2y.
      if (given.value.kind === "expression" && wanted.value.kind === "expression")
        return this.#equations(given, wanted);
      return no(`It is about ${given.name}; the right answer is about ${wanted.name}.`);
    }
    return this.value(given, wanted);
  }

  value(given: Named, wanted: Named): Verdict {
    const [a, b] = [given.value, wanted.value];
    if (a.kind === "number" && b.kind === "number") return this.#numbers(a.quantity, b.quantity, given, wanted);
    if (b.kind === "equation" || a.kind === "equation") return this.#equations(given, wanted);
    if (a.kind === "ratio" || b.kind === "ratio") return this.#ratios(given, wanted);
    if (a.kind === "range" || b.kind === "range") return this.#ranges(given, wanted);
    if (a.kind === "clock" || b.kind === "clock") return clocks(given, wanted);
    if (a.kind === "interval" || b.kind === "interval") return this.#intervals(given, wanted);
    if (a.kind === "tuple" || b.kind === "tuple") return this.#tuples(given, wanted);
    if (a.kind === "set" || b.kind === "set") return this.#sets(given, wanted);
    if (a.kind === "expression" || b.kind === "expression") return this.#expression(given, wanted);
    if (sameWords(given.source, wanted.source)) return yes(`Both say ${quoted(wanted)}.`);
    if (b.kind === "number")
      return no(`${quoted(given)} is not one number with a known unit; the right answer is ${quoted(wanted)}.`);
    return no(`${quoted(given)} and ${quoted(wanted)} are different words.`);
  }

  #numbers(a: Quantity, b: Quantity, given: Named, wanted: Named): Verdict {
    const difference = quantityDifference(a, b, (x, xFactor, y, yFactor) => this.#sameNumber(x, xFactor, y, yFactor));
    if (difference !== null) return no(numberReason(difference, given, wanted));
    if (plainSource(given) === plainSource(wanted)) return yes(`Both say ${quoted(wanted)}.`);
    const tolerance = this.#tolerance && a.value && b.value && !sameAsWritten(a, b) ? ", within the tolerance" : "";
    const measured = a.units !== null || b.units !== null ? "quantity" : "number";
    return yes(`${quoted(given)} and ${quoted(wanted)} are the same ${measured}${tolerance}.`);
  }

  #sameNumber(a: Quantity, aFactor: Rational, b: Quantity, bFactor: Rational): boolean {
    if (a.value !== null && b.value !== null) {
      if (sameRational(a, aFactor, b, bFactor)) return true;
      if (!this.#tolerance) return false;
      const [x, y] = [asFloat(times(a.value, aFactor)), asFloat(times(b.value, bFactor))];
      const { size, relative } = this.#tolerance;
      const allowed = relative ? size * Math.abs(y) : size * asFloat(bFactor);
      // Allow for binary rounding: 0.1 + 0.2 lies within 0.1 of 0.2.
      return Math.abs(x - y) <= allowed * (1 + 1e-12);
    }
    return this.#expressions.same(scaled(a, aFactor), scaled(b, bFactor)) === true;
  }

  #expression(given: Named, wanted: Named): Verdict {
    const [a, b] = [factors(given), factors(wanted)];
    const same = a === null || b === null ? null : this.#expressions.same(a, b);
    if (same === true) return yes(`${quoted(given)} and ${quoted(wanted)} are the same expression.`);
    if (same === null && sameWords(given.source, wanted.source)) return yes(`Both say ${quoted(wanted)}.`);
    return no(
      same === null
        ? `Only one of ${quoted(given)} and ${quoted(wanted)} is an expression.`
        : `${quoted(given)} and ${quoted(wanted)} are different expressions.`,
    );
  }

  #equations(given: Named, wanted: Named): Verdict {
    const [a, b] = [sidesOf(given), sidesOf(wanted)];
    // 2 + 6 = 8 answers 8 where it is true.
    if (a && given.value.kind === "equation" && wanted.value.kind === "number" && wanted.name === null) {
      const [left, right] = a;
      const holds = isConstantExpression(left) && isConstantExpression(right) && this.#expressions.same(left, right);
      if (holds === true) return this.value(number(right), wanted);
    }
    if (!a || !b) return no(`Only one of ${quoted(given)} and ${quoted(wanted)} is an equation.`);
    return this.#expressions.sameEquation(a, b) === true
      ? yes(`${quoted(given)} and ${quoted(wanted)} are the same equation.`)
      : no(`${quoted(given)} and ${quoted(wanted)} are different equations.`);
  }

  #ratios(given: Named, wanted: Named): Verdict {
    const [a, b] = [termsOf(given), termsOf(wanted)];
    const differ = no(`${quoted(given)} and ${quoted(wanted)} are different ratios.`);
    if (!a || !b || a.length !== b.length) return differ;
    const sameTerms = a.every((term, at) => this.#expressions.same(term, b[at] ?? "") === true);
    const cross = (at: number): boolean =>
      this.#expressions.same(`(${a[0]})*(${b[at] ?? ""})`, `(${b[0]})*(${a[at] ?? ""})`) === true;
    const nonzero = [...a, ...b].every((term) => !/^[+-]?0*\.?0*$/.test(term.trim()));
    return sameTerms || (nonzero && a.every((_, at) => at === 0 || cross(at)))
      ? yes(`${quoted(given)} and ${quoted(wanted)} are the same ratio.`)
      : differ;
  }

  #ranges(given: Named, wanted: Named): Verdict {
    const [a, b] = [given.value, wanted.value];
    if (a.kind !== "range" || b.kind !== "range")
      return no(`Only one of ${quoted(given)} and ${quoted(wanted)} is a range.`);
    const end = (x: Quantity, y: Quantity): boolean => this.#numbers(x, y, given, wanted).right;
    return end(a.low, b.low) && end(a.high, b.high)
      ? yes(`${quoted(given)} and ${quoted(wanted)} are the same range.`)
      : no(`${quoted(given)} and ${quoted(wanted)} are different ranges.`);
  }

  #intervals(given: Named, wanted: Named): Verdict {
    const [a, b] = [piecesOf(given), piecesOf(wanted)];
    if (!a || !b) return no(`Only one of ${quoted(given)} and ${quoted(wanted)} is an interval.`);
    if (a.variable !== null && b.variable !== null && a.variable !== b.variable)
      return no(`It is about ${a.variable}; the right answer is about ${b.variable}.`);
    const end = (x: Named | null, y: Named | null): boolean => (x && y ? this.value(x, y).right : x === y);
    const same = (x: Interval, y: Interval): boolean =>
      x.lowClosed === y.lowClosed && x.highClosed === y.highClosed && end(x.low, y.low) && end(x.high, y.high);
    return a.pieces.length === b.pieces.length && matched(a.pieces, b.pieces, same)
      ? yes(`${quoted(given)} and ${quoted(wanted)} are the same interval.`)
      : no(`${quoted(given)} and ${quoted(wanted)} differ in an end, or in which ends belong to them.`);
  }

  /** Members in order, in the same brackets. A truth in square brackets is a list, whose brackets may be left out. */
  #tuples(given: Named, wanted: Named): Verdict {
    const [a, b] = [given.value, wanted.value];
    const differ = no(`${quoted(given)} and ${quoted(wanted)} differ in brackets, members or order.`);
    if (b.kind !== "tuple") {
      const listed =
        a.kind === "tuple" && a.open === "[" && a.close === "]" && b.kind === "set" && b.joined !== "braces";
      return listed && this.#inOrder(a.members, b.members) ? yes(`${quoted(given)} lists the right members.`) : differ;
    }
    const square = b.open === "[" && b.close === "]";
    if (a.kind === "tuple") {
      const same = a.open === b.open && a.close === b.close && this.#inOrder(a.members, b.members);
      return same ? yes(`${quoted(given)} and ${quoted(wanted)} have the same members in the same order.`) : differ;
    }
    if (a.kind !== "set" || a.joined === "braces" || a.joined === "or" || a.joined === "±") return differ;
    const names = a.members.map(({ name }) => name);
    const coordinates = /^(?:x,y|x,y,z)$/.test(names.join());
    const unnamed = names.every((name) => name === null);
    return ((square && unnamed) || coordinates) && this.#inOrder(a.members, b.members)
      ? yes(`${quoted(given)} lists the members of ${quoted(wanted)} in order.`)
      : differ;
  }

  #inOrder(given: readonly Named[], wanted: readonly Named[]): boolean {
    return given.length === wanted.length && wanted.every((each, at) => this.#member(given[at], each));
  }

  #member(given: Named | undefined, wanted: Named): boolean {
    return given !== undefined && this.named(given, wanted).right;
  }

  /** The same members in any order; named members by name. */
  #sets(given: Named, wanted: Named): Verdict {
    const [a, b] = [given.value, wanted.value];
    if (a.kind !== "set" || b.kind !== "set") {
      const [one, many] = a.kind === "set" ? [a, "It gives"] : [b.kind === "set" ? b : null, "The right answer has"];
      return no(`${many} ${one?.kind === "set" ? one.members.length : "several"} values, the other one.`);
    }
    if (a.joined === "or" && !(b.joined === "or" || b.members.every(({ value }) => value.kind !== "text")))
      return no(`${quoted(given)} leaves open which one is meant.`);
    if (a.joined === "or" && b.joined === "and") return no(`${quoted(given)} leaves open which one is meant.`);
    if (a.members.length !== b.members.length)
      return no(`It gives ${a.members.length} values; the right answer has ${b.members.length}.`);
    const names = new Set(a.members.map(({ name }) => name && bareName(name)));
    const truthNamed = b.members.some(({ name }) => name !== null);
    // Different names without names in the truth: only the order can tell which value belongs to which.
    const same =
      names.size > 1 && !truthNamed
        ? isSorted(a.members) && this.#inOrder(a.members, b.members)
        : matched(a.members, b.members, (x, y) => this.#member(x, y));
    return same
      ? yes(`${quoted(given)} and ${quoted(wanted)} have the same members.`)
      : no(`${quoted(given)} and ${quoted(wanted)} have different members.`);
  }
}

/** A one-to-one match of members, in any order. */
function matched<T>(given: readonly T[], wanted: readonly T[], same: (a: T, b: T) => boolean): boolean {
  const free = [...given];
  return wanted.every((each) => {
    const at = free.findIndex((candidate) => same(candidate, each));
    if (at >= 0) free.splice(at, 1);
    return at >= 0;
  });
}

function isSorted(members: readonly Named[]): boolean {
  return members.every(({ name }, at) => at === 0 || (members[at - 1]?.name ?? "") < (name ?? ""));
}

/** Name without its index: x_1 and x_2 are both values of x. */
function bareName(name: string): string {
  return name.replace(/^([A-Za-z])(?:_?\d|_\(\d+\))$/, "$1").replace(/^the /, "");
}

function clocks(given: Named, wanted: Named): Verdict {
  const [a, b] = [given.value, wanted.value];
  const same =
    a.kind === "clock" && b.kind === "clock" && a.minutes === b.minutes && (a.half === null) === (b.half === null);
  if (same || plainSource(given) === plainSource(wanted)) return yes(`Both are ${quoted(wanted)}.`);
  return no(`${quoted(given)} and ${quoted(wanted)} are different times or ratios.`);
}

function numberReason(difference: Difference, given: Named, wanted: Named): string {
  const [a, b] = [quoted(given), quoted(wanted)];
  switch (difference) {
    case "value":
      return `${a} and ${b} are different numbers.`;
    case "unit":
      return `${a} and ${b} measure different things.`;
    case "percent":
      return `Only one of ${a} and ${b} is a percentage, and their values differ.`;
    case "scale":
      return `${a} and ${b} differ in scale.`;
    case "one letter":
      return `The letter in ${a} or ${b} reads as a variable.`;
    default:
      return unknownDifference(difference);
  }
}

function unknownDifference(difference: never): never {
  throw new RangeError(`Unknown difference ${JSON.stringify(difference)}.`);
}

function number(text: string): Named {
  return { name: null, source: text, value: { kind: "number", quantity: plainQuantity(null, text) } };
}

function scaled({ text, value }: Quantity, by: Rational): string {
  const number = text === "" && value ? `(${value.numerator}/${value.denominator})` : `(${text})`;
  return by.numerator === by.denominator ? number : `${number}*(${by.numerator}/${by.denominator})`;
}

function asFloat({ numerator, denominator }: Rational): number {
  return Number(numerator) / Number(denominator);
}

function sameAsWritten(a: Quantity, b: Quantity): boolean {
  return a.value !== null && b.value !== null && asFloat(a.value) === asFloat(b.value);
}

function plainSource({ source }: Named): string {
  return source.replace(/\s+/g, "");
}

function quoted({ source }: Named): string {
  return `“${source.length > 60 ? `${source.slice(0, 57)}…` : source}”`;
}
