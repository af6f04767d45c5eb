/** Hostile expressions: what they could want to reach, and how long they could run. */
import { describe, expect, test } from "vitest";
import { defaultRewardConfig } from "../reward";
import { scoreResponse } from "../score";
import { evaluate } from "./evaluate";
import { parseExpression } from "./parser";
import { rewardFacts } from "./rewardFacts";

const viewOf = (text: string) => rewardFacts(scoreResponse(text, "8", defaultRewardConfig).facts, "equivalent");
const view = viewOf("<think> a </think> <answer> 8 </answer>");

describe("nothing but the facts can be reached", () => {
  test.each([
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
    "first.constructor",
    "text.length",
    "text.__proto__",
    "first.right.constructor",
    "this",
    "globalThis",
    "window.document",
    "process.env",
    "file.constructor.name",
    "file.__proto__",
    "constructor(1)",
    "toString()",
    "valueOf(1)",
    "__defineGetter__(1)",
    'eval("1")',
    'fetch("http://localhost")',
    'import("fs")',
    "new Date()",
    "min.constructor(1)",
    "(min)(1)",
    "1 .constructor",
    'text["length"]',
    "text[0]",
    "`1`",
    "a => a",
    "length = 3",
    "length++",
    "[1, 2]",
    "{}",
    "1; 2",
    "/a/",
    "\\u0061",
    "1 // comment",
  ])("%s is no expression", (text) => expect(() => parseExpression(text)).toThrow(/^column \d+: /));

  test("a name of the file is looked up among its own values only", () => {
    for (const name of ["constructor", "toString", "hasOwnProperty"]) {
      const text = `file.${name}`;
      expect(() => evaluate(text, parseExpression(text), view, {})).toThrow(/no reward file gave/);
    }
  });
});

describe("no expression runs long", () => {
  /** The slowest of a few runs would be the machine's; the fastest is the work itself. */
  const fastest = (run: () => void): number =>
    Math.min(
      ...Array.from({ length: 3 }, () => {
        const began = performance.now();
        run();
        return performance.now() - began;
      }),
    );

  test.each([
    ["brackets", `${"(".repeat(249)}1${")".repeat(249)}`],
    ["minus signs", `${"-".repeat(499)}1`],
    ["not", `${"!".repeat(496)}true`],
    ["choices", "true?".repeat(80)],
    ["powers", `${"2^".repeat(200)}2`],
    ["calls", "abs(".repeat(120)],
  ])("nested %s end in an error", (_, text) => expect(() => parseExpression(text)).toThrow(/nested more than 40/));

  test("the longest sums and the highest powers are computed at once", () => {
    const sum = `${"1+".repeat(249)}1`;
    expect(evaluate(sum, parseExpression(sum), view)).toBe(250);
    const power = "9^9^9^9^9";
    expect(() => evaluate(power, parseExpression(power), view)).toThrow(/gives ∞/);
  });

  test("searching a long response again and again stops at a count of characters", () => {
    const long = viewOf(`<think> ${"a".repeat(2_000_000)} </think>`);
    const text = Array.from({ length: 30 }, () => 'count(text, "ab")')
      .join("+")
      .slice(0, 495)
      .replace(/\+[^+]*$/, "");
    const parsed = parseExpression(text);
    const time = fastest(() => expect(() => evaluate(text, parsed, long)).toThrow(/reads more than 50000000/));
    expect(time).toBeLessThan(5000);
    const needle = `count(text, "${"a".repeat(450)}b")`;
    const slow = parseExpression(needle);
    expect(() => evaluate(needle, slow, long)).toThrow(/reads more than 50000000/);
    const shorter = viewOf(`<think> ${"a".repeat(100_000)} </think>`);
    expect(fastest(() => evaluate(needle, slow, shorter))).toBeLessThan(5000);
  });

  test("no expression makes a text longer", () => {
    expect(() => parseExpression("words(text + text)")).toThrow(/expected a number, but this is a text/);
  });
});
