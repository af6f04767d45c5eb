/**
 * Values of an expression: in exact fractions at rational points (fraction.js) and in complex numbers at real points of
 * both signs (complex.js). A closed list of operations; powers, factorials and the size of fractions are bounded, so
 * the time is bounded too.
 *
 * Why these two and no computer algebra system: @cortex-js/compute-engine 0.140 adds 988 kB (gzip) and seconds of
 * start-up, mathjs 15.2 adds 100 kB, and nothing bounds the time of their `simplify`, `expand` and `rationalize`.
 * fraction.js and complex.js are what mathjs computes with, 5 kB together.
 */
import Complex from "complex.js";
import Fraction from "fraction.js";
import type { Node } from "./expressionParser";

export const EXACT_POINTS = 6;
export const COMPLEX_POINTS = 8;

const MAX_EXPONENT = 40n;
const MAX_FACTORIAL = 60;
/** Largest numerator or denominator kept. */
const MAX_SIZE = 2n ** 600n;

/** Exact values at fixed, irregular rational points; null where one is not rational or grows out of bounds. */
export function exactValues(tree: Node): readonly (Fraction | null)[] {
  return Array.from({ length: EXACT_POINTS }, (_, point) =>
    exactValue(tree, (name) => new Fraction(numeratorAt(name, point), 7 + point)),
  );
}

/** Values at fixed, irregular real points of both signs. `imaginary`: the letter i is the imaginary unit. */
export function complexValues(tree: Node, imaginary: boolean): readonly Complex[] {
  return Array.from({ length: COMPLEX_POINTS }, (_, point) =>
    complexValue(tree, (name) => (imaginary && name === "i" ? new Complex(0, 1) : new Complex(realAt(name, point), 0))),
  );
}

function exactValue(node: Node, at: (name: string) => Fraction): Fraction | null {
  const value = exactOperation(node, at);
  return value !== null && value.n < MAX_SIZE && value.d < MAX_SIZE ? value : null;
}

function exactOperation(node: Node, at: (name: string) => Fraction): Fraction | null {
  switch (node.op) {
    case "number":
      return new Fraction(node.digits);
    case "constant":
      return null;
    case "variable":
      return at(node.name);
    case "negate":
      return exactValue(node.operand, at)?.neg() ?? null;
    case "call":
      return exactCall(node.name, exactValue(node.argument, at));
    default: {
      const [a, b] = [exactValue(node.left, at), exactValue(node.right, at)];
      return a && b && exactBinary(node.op, a, b);
    }
  }
}

function exactBinary(op: "+" | "-" | "*" | "/" | "^", a: Fraction, b: Fraction): Fraction | null {
  if (op === "+") return a.add(b);
  if (op === "-") return a.sub(b);
  if (op === "*") return a.mul(b);
  if (op === "/") return b.n === 0n ? null : a.div(b);
  if (b.d !== 1n || b.n > MAX_EXPONENT || (a.n === 0n && b.s <= 0n)) return null;
  return a.pow(b);
}

function exactCall(name: string, argument: Fraction | null): Fraction | null {
  if (argument === null) return null;
  if (name === "abs") return argument.abs();
  if (name !== "factorial" || argument.d !== 1n || argument.s < 0n || argument.n > BigInt(MAX_FACTORIAL)) return null;
  let product = 1n;
  for (let n = 2n; n <= argument.n; n++) product *= n;
  return new Fraction(product, 1n);
}

/** Between schools (base 10) and analysis (base e) nothing decides: log equals only itself, in a base of its own. */
const LOG_FACTOR = 0.7310585786300049;
const CALLS: Readonly<Record<string, (x: Complex) => Complex>> = {
  sqrt: (x) => x.sqrt(),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  tan: (x) => x.tan(),
  cot: (x) => x.cot(),
  sec: (x) => x.sec(),
  csc: (x) => x.csc(),
  arcsin: (x) => x.asin(),
  arccos: (x) => x.acos(),
  arctan: (x) => x.atan(),
  sinh: (x) => x.sinh(),
  cosh: (x) => x.cosh(),
  tanh: (x) => x.tanh(),
  ln: (x) => x.log(),
  log: (x) => x.log().mul(LOG_FACTOR),
  exp: (x) => x.exp(),
  abs: (x) => new Complex(x.abs(), 0),
  factorial: (x) => new Complex(factorial(x), 0),
};

function complexValue(node: Node, at: (name: string) => Complex): Complex {
  switch (node.op) {
    case "number":
      return new Complex(Number(node.digits), 0);
    case "constant":
      return new Complex(node.name === "pi" ? Math.PI : Math.E, 0);
    case "variable":
      return at(node.name);
    case "negate":
      return complexValue(node.operand, at).neg();
    case "call": {
      const call = CALLS[node.name];
      if (!call) throw new RangeError(`Unknown function ${node.name}.`);
      return call(complexValue(node.argument, at));
    }
    default: {
      const [a, b] = [complexValue(node.left, at), complexValue(node.right, at)];
      if (node.op === "+") return a.add(b);
      if (node.op === "-") return a.sub(b);
      if (node.op === "*") return a.mul(b);
      return node.op === "/" ? a.div(b) : a.pow(b);
    }
  }
}

function factorial(x: Complex): number {
  if (x.im !== 0 || !Number.isInteger(x.re) || x.re < 0 || x.re > MAX_FACTORIAL) return Number.NaN;
  let product = 1;
  for (let n = 2; n <= x.re; n++) product *= n;
  return product;
}

/** A fixed, irregular number in [0, 1) for a variable at a point: the same in every run. */
function fractional(name: string, point: number): number {
  let hash = 2166136261 ^ Math.imul(point + 1, 0x9e3779b9);
  for (const c of name) hash = Math.imul(hash ^ c.charCodeAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

function sign(point: number): number {
  return point % 2 === 0 ? 1 : -1;
}

/** Away from 0 and 1. */
function realAt(name: string, point: number): number {
  return sign(point) * (1.1 + 2 * fractional(name, point));
}

function numeratorAt(name: string, point: number): number {
  return sign(point) * (11 + Math.floor(1e6 * fractional(name, point)));
}
