/**
 * Are two expressions the same? First opinion: exact fractions at rational points, decisive for polynomials and their
 * quotients (two that differ agree at all points with a chance below 1 in 10⁹). Second opinion: complex numbers at real
 * points; it must agree with the first, and decides alone where roots, π or functions leave the rational numbers.
 */
import type Complex from "complex.js";
import { type Expression, parseExpression } from "./expressionParser";
import { complexValues, exactValues } from "./expressionValue";

/** Tokens of both sides that one pair of texts may have compared; it bounds the time of lists of long expressions. */
export const WORK_LIMIT = 600;

/** Compares expressions and counts the work, for one pair of texts. */
export class ExpressionComparison {
  #work = 0;

  /** The work ran out: what was left to compare counts as different. */
  get exhausted(): boolean {
    return this.#work > WORK_LIMIT;
  }

  /** Same value wherever both are defined? Null where a text is no expression. */
  same(a: string, b: string): boolean | null {
    if (this.exhausted) return false;
    const [left, right] = [parseExpression(a), parseExpression(b)];
    if (!left || !right) return null;
    if (!sameVariables(left, right)) return false;
    if (!this.#affordable(left, right)) return false;
    const [x, y] = [exactValues(left.tree), exactValues(right.tree)];
    const exact = x.flatMap((value, at) => (value && y[at] ? [value.equals(y[at])] : []));
    if (exact.includes(false)) return false;
    return agree(pointsOf(left, right), exact.length >= 4 ? 1e-6 : 1e-12);
  }

  /** Equations where one is a constant multiple of the other; null where a side is no expression. */
  sameEquation(a: readonly [string, string], b: readonly [string, string]): boolean | null {
    const [left, right] = [parseExpression(difference(a)), parseExpression(difference(b))];
    if (!left || !right) return null;
    if (!sameVariables(left, right) || !this.#affordable(left, right)) return false;
    const points = pointsOf(left, right);
    const [first] = points;
    if (!first || first[0].abs() < 1e-9 || first[1].abs() < 1e-9) return false;
    // a/b is the same constant at every point: a·b₀ = b·a₀.
    return agree(
      points.map(([x, y]) => [x.mul(first[1]), y.mul(first[0])] as const),
      1e-10,
    );
  }

  #affordable(a: Expression, b: Expression): boolean {
    this.#work += a.size + b.size;
    return !this.exhausted;
  }
}

/** Whether a text stands for one number: no variables in it. */
export function isConstantExpression(text: string): boolean {
  const read = parseExpression(text);
  return read !== null && read.variables.length === 0;
}

type ComplexPair = readonly [Complex, Complex];

/** The imaginary unit where i is the only letter; a variable otherwise, so that an index i is never squared to −1. */
function pointsOf(a: Expression, b: Expression): readonly ComplexPair[] {
  const imaginary = [...a.variables, ...b.variables].every((name) => name === "i");
  const [x, y] = [complexValues(a.tree, imaginary), complexValues(b.tree, imaginary)];
  return x.flatMap((value, at): ComplexPair[] => (y[at] ? [[value, y[at]]] : []));
}

/** At least half of the points are defined on both sides, and all of those agree. */
function agree(pairs: readonly ComplexPair[], tolerance: number): boolean {
  let defined = 0;
  for (const [a, b] of pairs) {
    const size = Math.max(a.abs(), b.abs());
    if (!Number.isFinite(a.re + a.im) || !Number.isFinite(b.re + b.im)) {
      if (Number.isFinite(a.re + a.im) !== Number.isFinite(b.re + b.im)) return false;
      continue;
    }
    // sin π comes out as 1e-16.
    const zero = Math.min(a.abs(), b.abs()) === 0 && size < 1e-14;
    if (!zero && a.sub(b).abs() > tolerance * size) return false;
    defined++;
  }
  return 2 * defined >= pairs.length;
}

/** A variable on one side only makes another expression, unless it falls out, which people do not write. */
function sameVariables(a: Expression, b: Expression): boolean {
  return a.variables.join() === b.variables.join() || [...a.variables, ...b.variables].every((name) => name === "i");
}

function difference([left, right]: readonly [string, string]): string {
  return `(${left})-(${right})`;
}
