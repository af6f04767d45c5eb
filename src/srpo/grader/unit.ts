/**
 * Units in answers: a closed list (SI with prefixes, time, money, angle, volume, counted things) and products,
 * quotients and powers of its members. A word that is not on the list is no unit: "5x", "8 halves", "8 minus x" are
 * other answers.
 */
import { parseNumber, type Rational, times } from "./number";
import { COUNT_NOUNS, KNOWN_UNITS, PREFIXES, QUALIFIERS } from "./unitTable";

export interface Unit {
  /** Exponents of the base dimensions, as text in a fixed order: "length^1 time^-2". */
  readonly dimension: string;
  /** Size in the base unit of the dimension. */
  readonly size: Rational;
}

const ONE: Rational = { numerator: 1n, denominator: 1n, places: 0 };

interface Atom {
  readonly dimension: ReadonlyMap<string, number>;
  readonly size: Rational;
}

/** Symbols that people write in capitals; others would turn ordinals and words into units ("7th", "2nd"). */
const WRITTEN_IN_ANY_CASE = new Set(
  "mm cm dm km mg kg ml cl dl hz khz ghz kj kw kwh kn kpa kv kcal lb lbs oz ft".split(" "),
);

const ATOMS: ReadonlyMap<string, readonly Atom[]> = allAtoms();
const FOLDED: ReadonlyMap<string, readonly Atom[]> = foldedAtoms();

/** Every reading of a unit's text ("pounds" is money or mass), none where it is not a unit. */
export function readUnit(text: string): readonly Unit[] {
  const t = text
    .trim()
    .replace(/\.$/, "")
    .replace(/^(?:in )?(.+?) (?:left|remaining|altogether|total|in total|in all)$/i, "$1")
    .replace(/\bsq(?:uare)?\.? ([A-Za-z]+)/gi, "$1^2")
    .replace(/\bcu(?:bic)?\.? ([A-Za-z]+)/gi, "$1^3")
    .replace(/ squared\b/gi, "^2")
    .replace(/ cubed\b/gi, "^3")
    .replace(/\^\((-?\d)\)/g, "^$1")
    .replace(/ ?(?:\/| per | a (?=second|minute|hour|day|week|month|year)) ?/gi, "/")
    .replace(/平方([^\d/]+)/g, "$1^2")
    .replace(/立方([^\d/]+)/g, "$1^3");
  if (t === "" || t.length > 40) return [];
  if (/^(?:left|remaining|altogether|total|in total|in all)$/i.test(t)) return [{ dimension: "count", size: ONE }];
  return product(t);
}

/** factor (* factor | / factor)*; a factor is a name with an optional power, or names in brackets after a slash. */
function product(text: string): readonly Unit[] {
  const parts = text.replace(/\/\(([^()]+)\)/g, (_, inner: string) => `/${inner.split(/[ *]+/).join("/")}`).split("/");
  const factors: { readonly name: string; readonly power: number }[] = [];
  for (const [at, part] of parts.entries()) {
    const names = at === 0 ? numerator(part) : [part.trim()];
    for (const name of names) {
      const [, base = "", power = "1"] = /^(.+?)(?:\^(-?[1-9]))?$/.exec(name.trim()) ?? [];
      factors.push({ name: base.trim(), power: at === 0 ? Number(power) : -Number(power) });
    }
  }
  if (factors.length > 5) return [];
  let readings: Atom[] = [{ dimension: new Map(), size: ONE }];
  for (const { name, power } of factors) {
    const atoms = atomsOf(name);
    readings = readings.flatMap((so) => atoms.map((atom) => multiply(so, atom, power)));
    if (readings.length === 0 || readings.length > 8) return [];
  }
  return readings.map(({ dimension, size }) => ({ dimension: dimensionText(dimension), size }));
}

/** "N m", "N*m", "kg m s^-2" are products; "red circles" and "nautical miles" are one name. */
function numerator(part: string): readonly string[] {
  const whole = part.trim();
  if (atomsOf(whole.replace(/\^-?\d$/, "")).length > 0) return [whole];
  return whole.split(/[ *]+/);
}

function atomsOf(name: string): readonly Atom[] {
  const exact = ATOMS.get(name);
  if (exact) return exact;
  const folded = name.length >= 2 ? FOLDED.get(name.toLowerCase()) : undefined;
  if (folded) return folded;
  const noun = countNoun(name);
  return noun === null ? [] : [{ dimension: new Map([[noun, 1]]), size: ONE }];
}

/** "apples", "red circles", "students" → the noun in the singular with its qualifiers; null for any other word. */
function countNoun(name: string): string | null {
  const words = name.toLowerCase().split(" ");
  const noun = words.pop() ?? "";
  if (words.length > 2 || !words.every((word) => QUALIFIERS.has(word))) return null;
  const singular = COUNT_NOUNS.get(noun);
  return singular === undefined ? null : [...words, singular].join(" ");
}

function multiply(left: Atom, right: Atom, power: number): Atom {
  const dimension = new Map(left.dimension);
  for (const [base, exponent] of right.dimension) {
    const sum = (dimension.get(base) ?? 0) + exponent * power;
    if (sum === 0) dimension.delete(base);
    else dimension.set(base, sum);
  }
  let size = left.size;
  const by = power > 0 ? right.size : inverse(right.size);
  for (let n = 0; n < Math.abs(power); n++) size = times(size, by);
  return { dimension, size };
}

function inverse({ numerator, denominator }: Rational): Rational {
  return { numerator: denominator, denominator: numerator, places: null };
}

function dimensionText(dimension: ReadonlyMap<string, number>): string {
  return [...dimension]
    .map(([base, exponent]) => `${base}^${exponent}`)
    .sort()
    .join(" ");
}

function allAtoms(): ReadonlyMap<string, readonly Atom[]> {
  const atoms = new Map<string, Atom[]>();
  const add = (name: string, atom: Atom): void => {
    atoms.set(name, [...(atoms.get(name) ?? []), atom]);
  };
  for (const { symbols = "", names = "", dimension, size, prefixed } of KNOWN_UNITS) {
    const atom: Atom = { dimension: dimensionOf(dimension), size: parseNumber(size) ?? ONE };
    const scaled = (by: string): Atom => ({ ...atom, size: times(atom.size, parseNumber(by) ?? ONE) });
    for (const symbol of symbols.split(" ").filter(Boolean)) {
      add(symbol, atom);
      if (prefixed) for (const { symbol: prefix, size: by } of PREFIXES) add(prefix + symbol, scaled(by));
    }
    for (const name of names.split(" ").filter(Boolean)) {
      const spelled = name.replaceAll("_", " ");
      add(spelled, atom);
      if (prefixed) for (const { name: prefix, size: by } of PREFIXES) if (prefix) add(prefix + spelled, scaled(by));
    }
  }
  return atoms;
}

/** Words in any case, and the symbols above where only one unit is meant ("MM" could be Mm). */
function foldedAtoms(): ReadonlyMap<string, readonly Atom[]> {
  const folded = new Map<string, readonly Atom[] | null>();
  const key = (atoms: readonly Atom[]): string =>
    atoms.map(({ dimension, size }) => `${dimensionText(dimension)}:${size.numerator}/${size.denominator}`).join();
  for (const [name, atoms] of ATOMS) {
    const lower = name.toLowerCase();
    if (!/^[a-z][a-z -]{2,}$/.test(name) && !WRITTEN_IN_ANY_CASE.has(lower)) continue;
    const seen = folded.get(lower);
    folded.set(lower, seen === undefined ? atoms : seen !== null && key(seen) === key(atoms) ? seen : null);
  }
  return new Map([...folded].flatMap(([name, atoms]) => (atoms === null ? [] : [[name, atoms] as const])));
}

function dimensionOf(text: string): ReadonlyMap<string, number> {
  return new Map(
    text
      .split(" ")
      .filter(Boolean)
      .map((factor) => {
        const [base = "", exponent = "1"] = factor.split("^");
        return [base, Number(exponent)];
      }),
  );
}
