/**
 * Reward terms of one's own: a name, an expression (parser.ts) and a weight. Such a term adds weight × value to the
 * total of every variant. Where it has no finite value the response has no score: 0 would be a verdict on a response
 * about which nothing is known. A term with weight 0 is off and is not computed.
 */

import type { ResponseFacts } from "../facts";
import type { GraderName } from "../grader/grader";
import type { CustomTerm, RewardConfig } from "../types";
import { EvaluationError, evaluate } from "./evaluate";
import type { Expression } from "./expression";
import { ExpressionError } from "./lexer";
import { parseExpression } from "./parser";
import { rewardFacts } from "./rewardFacts";

export const MAX_TERMS = 8;

/** Letters, digits and underscores, at most 24, a letter first: also the name of a metric and a column. */
export const TERM_NAME = /^[A-Za-z][A-Za-z0-9_]{0,23}$/;

/** Names of the built-in terms and of what is logged beside them. */
const TAKEN = [
  "format",
  "accuracy",
  "effectiveness",
  "reflectionFormat",
  "length",
  "lengthWeighted",
  "total",
  "note",
  "kl",
];

/** What is wrong with a term's name; null: nothing. */
export function nameFault(name: string): string | null {
  if (!TERM_NAME.test(name)) return `"${name}" is not a name: up to 24 letters, digits and underscores, a letter first`;
  if (TAKEN.includes(name) || name in {}) return `"${name}" is taken; choose another name`;
  return null;
}

/** What is wrong with an expression, with its column; null: nothing. */
export function expressionFault(expression: string): string | null {
  try {
    parseExpression(expression);
    return null;
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

/** A term of one's own that has no value for a response. `facts`: what scoring it again needs. */
export class RewardTermError extends Error {
  override readonly name = "RewardTermError";

  constructor(
    readonly term: string,
    readonly reason: string,
    readonly facts: ResponseFacts,
  ) {
    super(`reward term "${term}": ${reason}`);
  }
}

/** Parsed once per term: a slider computes each term of a group on every movement. */
const parsed = new WeakMap<Pick<CustomTerm, "expression">, Expression>();

/** The expression of a term as a tree. @throws ExpressionError */
export function parsedTerm(term: Pick<CustomTerm, "expression">): Expression {
  const known = parsed.get(term);
  if (known !== undefined) return known;
  const made = parseExpression(term.expression);
  parsed.set(term, made);
  return made;
}

/** The value of a term before its weight. @throws RewardTermError when it has none */
export function termValue(
  term: Pick<CustomTerm, "name" | "expression">,
  facts: ResponseFacts,
  grader: GraderName,
): number {
  try {
    return evaluate(term.expression, parsedTerm(term), rewardFacts(facts, grader), facts.measured);
  } catch (error) {
    if (error instanceof EvaluationError) throw new RewardTermError(term.name, error.message, facts);
    throw error;
  }
}

/** Weight × value of every term of one's own, by name. @throws RewardTermError for the first that has no value */
export function customContributions(
  facts: ResponseFacts,
  { customTerms }: Pick<RewardConfig, "customTerms">,
  grader: GraderName,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    customTerms.map((term) => {
      const value = term.weight === 0 ? 0 : term.weight * termValue(term, facts, grader);
      if (!Number.isFinite(value))
        throw new RewardTermError(term.name, `weight ${term.weight} times its value is not finite`, facts);
      return [term.name, value];
    }),
  );
}
