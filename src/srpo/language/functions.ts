/** The functions of the reward language: pure, and the only things that an expression can call. */
import type { Value, ValueType } from "./rewardFacts";

export interface LanguageFunction {
  readonly parameters: readonly ValueType[];
  /** The last parameter may repeat. */
  readonly variadic?: boolean;
  /** The last argument must be a text in quotes, which bounds the work of a search. */
  readonly literal?: boolean;
  readonly result: ValueType;
  readonly what: string;
  readonly of: (args: readonly Value[]) => Value;
}

const numbers = (args: readonly Value[]): number[] => args.map(Number);
const texts = (args: readonly Value[]): string[] => args.map(String);

const unary = (what: string, of: (x: number) => number): LanguageFunction => ({
  parameters: ["number"],
  result: "number",
  what,
  of: (args) => of(Number(args[0])),
});

/** A whole text as a number, white space around it aside; NaN for any other text. */
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

function occurrences(text: string, part: string): number {
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found++;
  return found;
}

export const FUNCTIONS = {
  min: {
    parameters: ["number"],
    variadic: true,
    result: "number",
    what: "the smallest",
    of: (args) => Math.min(...numbers(args)),
  },
  max: {
    parameters: ["number"],
    variadic: true,
    result: "number",
    what: "the largest",
    of: (args) => Math.max(...numbers(args)),
  },
  clamp: {
    parameters: ["number", "number", "number"],
    result: "number",
    what: "clamp(x, low, high)",
    of: (args) => {
      const [x = 0, low = 0, high = 0] = numbers(args);
      return Math.min(Math.max(x, low), high);
    },
  },
  abs: unary("absolute value", Math.abs),
  sign: unary("−1, 0 or 1", Math.sign),
  sqrt: unary("square root", Math.sqrt),
  exp: unary("e to the power of x", Math.exp),
  log: unary("natural logarithm", Math.log),
  floor: unary("rounded down", Math.floor),
  ceil: unary("rounded up", Math.ceil),
  round: unary("rounded to the nearest whole number", Math.round),
  count: {
    parameters: ["text", "text"],
    literal: true,
    result: "number",
    what: "how often the text in quotes occurs, without overlaps",
    of: (args) => {
      const [text = "", part = ""] = texts(args);
      return occurrences(text, part);
    },
  },
  words: {
    parameters: ["text"],
    result: "number",
    what: "words between white space",
    of: (args) => String(args[0]).match(/\S+/g)?.length ?? 0,
  },
  characters: {
    parameters: ["text"],
    result: "number",
    what: "characters (UTF-16 units)",
    of: (args) => String(args[0]).length,
  },
  lower: {
    parameters: ["text"],
    result: "text",
    what: "the text in lower case",
    of: (args) => String(args[0]).toLowerCase(),
  },
  isNumber: {
    parameters: ["text"],
    result: "condition",
    what: "the text is one decimal number",
    of: (args) => DECIMAL.test(String(args[0]).trim()),
  },
  number: {
    parameters: ["text"],
    result: "number",
    what: "the text as a decimal number; any other text fails",
    of: (args) => {
      const text = String(args[0]).trim();
      return DECIMAL.test(text) ? Number(text) : Number.NaN;
    },
  },
} as const satisfies Readonly<Record<string, LanguageFunction>>;

export type FunctionName = keyof typeof FUNCTIONS;

export const FUNCTION_NAMES = Object.keys(FUNCTIONS) as readonly FunctionName[];

export function isFunctionName(name: string): name is FunctionName {
  return Object.hasOwn(FUNCTIONS, name);
}
