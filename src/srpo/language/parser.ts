/**
 * Parses an expression of the reward language: numbers, conditions and texts over the facts of a response. Operators in
 * rising order: `? :`, `or`, `and`, `not`, comparisons and `contains`, `+ -`, `* / %`, minus, `^`. Types are checked
 * here, so a wrong expression is refused before any response is scored.
 *
 * Nothing else can be written: no assignment, no call but the listed functions, no access to members of values. An
 * expression has at most `MAX_LENGTH` characters and `MAX_DEPTH` levels, which bounds its nodes.
 */

import { TRANSITIONS } from "../types";
import { nearestName } from "./editDistance";
import type { BinaryOperator, Expression } from "./expression";
import { FUNCTION_NAMES, FUNCTIONS, isFunctionName, type LanguageFunction } from "./functions";
import { ExpressionError, type Token, tokensOf } from "./lexer";
import { FACT_NAMES, FACTS, isFactName, type ValueType } from "./rewardFacts";

export const MAX_LENGTH = 500;
export const MAX_DEPTH = 40;

/** Values that a text fact can have, where it is one of a list. */
const LISTED: Readonly<Partial<Record<string, readonly string[]>>> = { transition: [...TRANSITIONS, "none"] };

const SPELLINGS: Readonly<Partial<Record<string, string>>> = { "&&": "and", "||": "or", "!": "not", "**": "^" };

/** Behind the last token, which is an end too. */
const END: Token = { kind: "end", text: "", start: 0, end: 0 };

type Operator = BinaryOperator | "?";
const LEVELS = new Map<string, number>([
  ["?", 1],
  ["or", 2],
  ["and", 3],
  ...["==", "!=", "<", "<=", ">", ">=", "contains"].map((operator): [string, number] => [operator, 5]),
  ["+", 6],
  ["-", 6],
  ["*", 7],
  ["/", 7],
  ["%", 7],
  ["^", 9],
]);
const NOT_LEVEL = 4;
const COMPARISON_LEVEL = 5;
const MINUS_LEVEL = 8;

const TYPE_WORDS: Readonly<Record<ValueType, string>> = {
  number: "a number",
  condition: "a condition",
  text: "a text",
};

/** @throws ExpressionError with the column of what is wrong, and what to write instead */
export function parseExpression(text: string): Expression {
  if (text.length > MAX_LENGTH)
    throw new ExpressionError(`${text.length} characters; an expression has at most ${MAX_LENGTH}`, MAX_LENGTH + 1);
  if (text.trim() === "") throw new ExpressionError("the expression is empty", 1);
  const parsed = new Parser(tokensOf(text)).whole();
  if (parsed.type === "text") throw wrongType(parsed, "number");
  return parsed;
}

class Parser {
  #at = 0;
  #depth = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  whole(): Expression {
    const parsed = this.expression(0);
    const { next } = this;
    if (next.kind !== "end") throw this.unexpected(next, "an operator or the end");
    return parsed;
  }

  private get next(): Token {
    return this.tokens[this.#at] ?? END;
  }

  private take(): Token {
    const token = this.next;
    this.#at++;
    return token;
  }

  private expect(sign: string, why: string): Token {
    if (this.next.kind !== "sign" || this.next.text !== sign) throw this.unexpected(this.next, `${sign} ${why}`);
    return this.take();
  }

  private unexpected({ kind, text, start }: Token, wanted: string): ExpressionError {
    const found = kind === "end" ? "the expression ends" : `found ${JSON.stringify(text)}`;
    return new ExpressionError(`expected ${wanted}, but ${found}`, start + 1);
  }

  /** An expression whose operators bind at least as tightly as `level`. */
  private expression(level: number): Expression {
    if (++this.#depth > MAX_DEPTH)
      throw new ExpressionError(`nested more than ${MAX_DEPTH} levels deep`, this.next.start + 1);
    let left = this.operand();
    for (;;) {
      const operator = operatorOf(this.next);
      const binding = operator === null ? 0 : (LEVELS.get(operator) ?? 0);
      if (operator === null || binding < level || binding === 0) break;
      this.take();
      left = operator === "?" ? this.choice(left) : this.binary(operator, binding, left);
      const following = operatorOf(this.next);
      if (binding === COMPARISON_LEVEL && following !== null && LEVELS.get(following) === COMPARISON_LEVEL)
        throw new ExpressionError("comparisons do not chain; write a < b and b < c", this.next.start + 1);
    }
    this.#depth--;
    return left;
  }

  private choice(when: Expression): Expression {
    require(when, "condition");
    const then = this.expression(1);
    this.expect(":", "and what holds otherwise");
    const otherwise = this.expression(1);
    if ((then.type === "text") !== (otherwise.type === "text"))
      throw wrongType(otherwise, then.type === "text" ? "text" : "number");
    const type = then.type === otherwise.type ? then.type : "number";
    return { kind: "choice", when, then, otherwise, type, start: when.start, end: otherwise.end };
  }

  private binary(operator: BinaryOperator, level: number, left: Expression): Expression {
    // Only ^ groups from the right.
    const right = this.expression(operator === "^" ? MINUS_LEVEL : level + 1);
    const made = (type: ValueType): Expression => ({
      kind: "binary",
      operator,
      left,
      right,
      type,
      start: left.start,
      end: right.end,
    });
    switch (operator) {
      case "or":
      case "and":
        require(left, "condition");
        require(right, "condition");
        return made("condition");
      case "==":
      case "!=":
        if (left.type === "text") require(right, "text");
        else require(right, "number");
        requireListed(left, right);
        requireListed(right, left);
        return made("condition");
      case "contains":
        require(left, "text");
        requireLiteral(right, "contains");
        return made("condition");
      case "<":
      case "<=":
      case ">":
      case ">=":
        require(left, "number");
        require(right, "number");
        return made("condition");
      default:
        require(left, "number");
        require(right, "number");
        return made("number");
    }
  }

  private operand(): Expression {
    const token = this.take();
    const { kind, text, start, end } = token;
    switch (kind) {
      case "number":
        return { kind: "literal", value: Number(text), type: "number", start, end };
      case "text":
        return { kind: "literal", value: text, type: "text", start, end };
      case "name":
        return this.named(token);
      case "sign":
        if (text === "(") {
          const inner = this.expression(0);
          const { end: closing } = this.expect(")", "that closes the bracket");
          return { ...inner, start, end: closing };
        }
        if (text === "-" || text === "+") {
          const of = this.expression(MINUS_LEVEL);
          require(of, "number");
          return text === "+" ? of : { kind: "unary", operator: "-", of, type: "number", start, end: of.end };
        }
        if (text === "!") return this.negated(start);
        throw this.unexpected(token, "a number, a fact or a function");
      case "end":
        throw this.unexpected(token, "a number, a fact or a function");
    }
  }

  private negated(start: number): Expression {
    const of = this.expression(NOT_LEVEL);
    require(of, "condition");
    return { kind: "unary", operator: "not", of, type: "condition", start, end: of.end };
  }

  private named(token: Token): Expression {
    const { text, start, end } = token;
    if (this.next.kind === "sign" && this.next.text === "(" && text !== "not") return this.call(token);
    if (text === "true" || text === "false")
      return { kind: "literal", value: text === "true", type: "condition", start, end };
    if (text === "not") return this.negated(start);
    if (operatorOf(token) !== null) throw this.unexpected(token, "a number, a fact or a function");
    if (isFactName(text)) return { kind: "fact", name: text, type: FACTS[text].type, start, end };
    const [, measured] = /^file\.([A-Za-z][A-Za-z0-9_]*)$/.exec(text) ?? [];
    if (measured !== undefined) return { kind: "file", name: measured, type: "number", start, end };
    if (isFunctionName(text)) throw new ExpressionError(`${text} is a function; write ${text}(…)`, start + 1);
    throw new ExpressionError(`there is no fact "${text}"${suggested(text, FACT_NAMES)}`, start + 1);
  }

  private call({ text: name, start }: Token): Expression {
    if (!isFunctionName(name))
      throw new ExpressionError(`there is no function "${name}"${suggested(name, FUNCTION_NAMES)}`, start + 1);
    const { parameters, variadic, literal, result }: LanguageFunction = FUNCTIONS[name];
    this.expect("(", "");
    const args: Expression[] = [];
    while (!(this.next.kind === "sign" && this.next.text === ")")) {
      if (args.length > 0) this.expect(",", "or )");
      args.push(this.expression(0));
    }
    const { end } = this.expect(")", "that closes the bracket");
    const fits = variadic ? args.length >= parameters.length : args.length === parameters.length;
    if (!fits) {
      const wanted = `${parameters.length}${variadic ? " or more" : ""}`;
      throw new ExpressionError(`${name} takes ${wanted} values, not ${args.length}`, start + 1);
    }
    for (const [i, arg] of args.entries()) require(arg, parameters[Math.min(i, parameters.length - 1)] ?? "number");
    const last = args.at(-1);
    if (literal && last) requireLiteral(last, name);
    return { kind: "call", name, args, type: result, start, end };
  }
}

function operatorOf({ kind, text }: Token): Operator | null {
  if (kind !== "sign" && kind !== "name") return null;
  const name = SPELLINGS[text] ?? text;
  return LEVELS.has(name) ? (name as Operator) : null;
}

/** @throws ExpressionError when a value of the expression's type cannot stand there */
function require(expression: Expression, wanted: ValueType): void {
  const fits = expression.type === wanted || (wanted === "number" && expression.type === "condition");
  if (!fits) throw wrongType(expression, wanted);
}

function wrongType({ type, start }: Expression, wanted: ValueType): ExpressionError {
  const advice =
    wanted === "condition" && type === "number"
      ? "; compare it, as in x > 0"
      : wanted === "condition"
        ? '; compare it, as in text contains "wait"'
        : wanted === "number"
          ? "; count something in it, as in words(text)"
          : "";
  return new ExpressionError(`expected ${TYPE_WORDS[wanted]}, but this is ${TYPE_WORDS[type]}${advice}`, start + 1);
}

function requireLiteral(expression: Expression, name: string): void {
  require(expression, "text");
  if (expression.kind !== "literal" || expression.value === "")
    throw new ExpressionError(`${name} looks for a text in quotes, as in "wait"`, expression.start + 1);
}

/** @throws ExpressionError when a fact is compared with a text that it never is */
function requireListed(fact: Expression, { kind, ...other }: Expression): void {
  const listed = fact.kind === "fact" ? LISTED[fact.name] : undefined;
  if (listed === undefined || kind !== "literal" || !("value" in other) || typeof other.value !== "string") return;
  if (listed.includes(other.value)) return;
  const known = listed.map((each) => `"${each}"`).join(", ");
  throw new ExpressionError(
    `${fact.kind === "fact" ? fact.name : ""} is never "${other.value}"${suggested(other.value, listed)}; it is one ` +
      `of ${known}`,
    other.start + 1,
  );
}

function suggested(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === null ? `; known: ${known.join(", ")}` : `; did you mean "${nearest}"?`;
}
