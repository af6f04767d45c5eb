/** docs/reward-language.md lists what the language has, and its example is one. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { expressionFault } from "./customTerms";
import { FUNCTION_NAMES, FUNCTIONS, type LanguageFunction } from "./functions";
import { FACT_NAMES, FACTS } from "./rewardFacts";

const page = readFileSync("docs/reward-language.md", "utf8");

test("every fact, with its type and meaning", () => {
  const rows = FACT_NAMES.map((name) => `| \`${name}\` | ${FACTS[name].type} | ${FACTS[name].what} |`);
  expect(page).toContain(rows.join("\n"));
});

test("every function, with its parameters and meaning", () => {
  const rows = FUNCTION_NAMES.map((name) => {
    const { parameters, literal, variadic, what }: LanguageFunction = FUNCTIONS[name];
    const shown = parameters.map((type, i) => (literal && i === parameters.length - 1 ? '"…"' : type));
    return `| \`${name}(${[...shown, ...(variadic ? ["…"] : [])].join(", ")})\` | ${what} |`;
  });
  expect(page).toContain(rows.join("\n"));
});

test("the example of a reward file, as it is in the repository", () => {
  expect(page).toContain(`\`\`\`ts\n${readFileSync("docs/examples/my-reward.ts", "utf8")}\`\`\``);
});

test("its run file holds expressions", () => {
  const expressions = [...page.matchAll(/"expression": ("(?:[^"\\]|\\.)*")/g)].map(([, text = ""]) => JSON.parse(text));
  expect(expressions.length).toBeGreaterThanOrEqual(3);
  expect(expressions.map(expressionFault)).toEqual(expressions.map(() => null));
});
