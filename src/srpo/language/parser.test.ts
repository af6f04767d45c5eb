import { describe, expect, test } from "vitest";
import { defaultRewardConfig } from "../reward";
import { scoreResponse } from "../score";
import { evaluate } from "./evaluate";
import { parseExpression } from "./parser";
import { rewardFacts } from "./rewardFacts";

const fixed =
  "<think> A = 3 ; C = 4 ; 3 + 4 = 7 </think> <answer> 7 </answer> <reflection> Wait , A is 3 ; so C is 5 not 4 " +
  "</reflection> <think> so 3 + 5 = 8 </think> <answer> 8 </answer>";
const { facts } = scoreResponse(fixed, "8", defaultRewardConfig);
const view = rewardFacts(facts, "equivalent");
const computed = (text: string): number => evaluate(text, parseExpression(text), view, { brief: 0.5 });

describe("values", () => {
  test.each<[string, number]>([
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["7 - 2 - 1", 4],
    ["2 ^ 3 ^ 2", 512],
    ["-2 ^ 2", -4],
    ["2 ** -1", 0.5],
    ["7 % 4", 3],
    ["1.5e1 + .5", 15.5],
    ["1 < 2 and 2 < 1 or true", 1],
    ["not 1 > 2", 1],
    ["!first.right && refined.right || false", 1],
    ["not first.right == refined.right", 1],
    ["first.right ? 1 : refined.right ? 0.5 : 0", 0.5],
    ['transition == "fixed"', 1],
    ["transition != 'fixed'", 0],
    ["0.5 * refined.right + 0.25", 0.75],
    ['reflection.text contains "Wait"', 1],
    ['reflection.text contains "wait"', 0],
    ['lower(reflection.text) contains "wait"', 1],
    ['count(text, "so")', 2],
    ['count("aaaa", "aa")', 2],
    ["words(reflection.text)", 12],
    ['characters("\\"\\n")', 2],
    ["number(refined.answer) - number(truth)", 0],
    ["isNumber(reflection.text) ? number(reflection.text) : -1", -1],
    ["min(3, 1, 2) + max(4)", 5],
    ["clamp(7, 0, 1)", 1],
    ["abs(-2) + sign(-3) + sqrt(9) + round(1.4) + floor(1.9) + ceil(0.1)", 7],
    ["exp(log(2))", 2],
    ["1 / (1 + exp(1000))", 0],
    // Counted in the text above: white-space words of the whole response, of a1 and t1, and so on.
    ["length", 43],
    ["base", 14],
    ["first.tokens + reflection.tokens + refined.tokens + 10", 43],
    ["thinkBlocks + answerBlocks", 4],
    ["wellFormed and reflectionBetween", 1],
    ["2 * file.brief", 1],
  ])("%s = %d", (text, value) => expect(computed(text)).toBeCloseTo(value, 12));
});

describe("errors name the column and what to write", () => {
  test.each<[string, RegExp]>([
    ["", /^column 1: the expression is empty$/],
    ["  lenght > 3", /^column 3: there is no fact "lenght"; did you mean "length"\?$/],
    ["1 + reflexion.tokens", /^column 5: there is no fact "reflexion.tokens"; did you mean "reflection.tokens"\?$/],
    ["mix(1, 2)", /^column 1: there is no function "mix"; did you mean "min"\?$/],
    ['transition == "fixd"', /^column 15: transition is never "fixd"; did you mean "fixed"\?; it is one of "kept"/],
    ["reflection.text", /^column 1: expected a number, but this is a text; count something/],
    ["length ? 1 : 0", /^column 1: expected a condition, but this is a number; compare it/],
    ["1 + text", /^column 5: expected a number, but this is a text/],
    ["text == 3", /^column 9: expected a text, but this is a number/],
    ["first.right ? text : 1", /^column 22: expected a text, but this is a number/],
    ["1 < length < 3", /^column 12: comparisons do not chain; write a < b and b < c$/],
    ["length = 3", /^column 8: "=" is not part of the language; to compare, write ==$/],
    ["length − 3", /^column 8: "−" is not part of the language; write minus as -$/],
    ["(1 + 2", /^column 7: expected \) that closes the bracket, but the expression ends$/],
    ["1 2", /^column 3: expected an operator or the end, but found "2"$/],
    ["1 +", /^column 4: expected a number, a fact or a function, but the expression ends$/],
    ["and 1", /^column 1: expected a number, a fact or a function, but found "and"$/],
    ["log", /^column 1: log is a function; write log\(…\)$/],
    ["clamp(1, 2)", /^column 1: clamp takes 3 values, not 2$/],
    ["min()", /^column 1: min takes 1 or more values, not 0$/],
    ["count(text, reflection.text)", /^column 13: count looks for a text in quotes/],
    ['text contains ""', /^column 15: contains looks for a text in quotes/],
    ['text contains "wait', /^column 15: a text begins here and does not end/],
    ["text contains “wait”", /^column 15: "“" is not part of the language; write texts in plain quotes/],
    [`1 + ${"1".repeat(500)}`, /^column 501: 504 characters; an expression has at most 500$/],
  ])("%s", (text, message) => expect(() => parseExpression(text)).toThrow(message));
});

describe("values that are none", () => {
  test.each<[string, RegExp]>([
    ["1 + log(length - 90)", /^column 5: log\(length - 90\) is not a number here$/],
    ["log(length - 90) > 3", /^column 1: log\(length - 90\) is not a number here$/],
    ["number(reflection.text)", /^column 1: number\(reflection.text\) is not a number here$/],
    ["1 / (base - 14)", /^column 1: gives ∞, which no reward can be$/],
    ["-exp(1000)", /^column 1: gives −∞/],
    ["file.other", /^column 1: no reward file gave "other"; start the runner with --reward$/],
  ])("%s", (text, message) => expect(() => computed(text)).toThrow(message));
});
