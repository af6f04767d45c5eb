/**
 * Computes an expression of the reward language over the facts of one response. This interpreter is the sandbox: it
 * reads numbers, conditions and texts from the facts, calls the listed functions, and can reach nothing else. Its work
 * is bounded by the length of the expression and by `MAX_TEXT_WORK`, a count and not a clock: a reward must not depend
 * on how busy the machine is.
 */
import type { ResponseFacts } from "../facts";
import type { Expression } from "./expression";
import { FUNCTIONS } from "./functions";
import { FACTS, type RewardFacts, type Value } from "./rewardFacts";

/** Characters that one term may read of one response, each counted once per character searched for. */
export const MAX_TEXT_WORK = 50_000_000;

/** An expression has no value for a response; `column` counts characters from 1, null: the fault is not in it. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";

  constructor(reason: string, column: number | null) {
    super(column === null ? reason : `column ${column}: ${reason}`);
  }
}

/** Values of a reward file's terms for one response, or why there is none. */
export type MeasuredValues = NonNullable<ResponseFacts["measured"]>;

/**
 * The value of an expression; a condition is 1 or 0.
 * @param text the expression as written, for errors
 * @throws EvaluationError when it is not a finite number, or reads too much text
 */
export function evaluate(text: string, expression: Expression, facts: RewardFacts, measured?: MeasuredValues): number {
  const value = Number(new Evaluation(text, facts, measured ?? {}).value(expression));
  if (Number.isFinite(value)) return value;
  throw new EvaluationError(`gives ${value > 0 ? "∞" : "−∞"}, which no reward can be`, expression.start + 1);
}

class Evaluation {
  #work = 0;

  constructor(
    private readonly text: string,
    private readonly facts: RewardFacts,
    private readonly measured: MeasuredValues,
  ) {}

  value(node: Expression): Value {
    switch (node.kind) {
      case "literal":
        return node.value;
      case "fact":
        return FACTS[node.name].of(this.facts);
      case "file":
        return this.fromFile(node.name, node);
      case "unary":
        return node.operator === "not" ? !this.value(node.of) : -this.number(node.of);
      case "choice":
        return this.value(this.value(node.when) ? node.then : node.otherwise);
      case "binary":
        return this.binary(node);
      case "call": {
        const args = node.args.map((arg) => this.value(arg));
        this.read(args, node);
        return this.known(FUNCTIONS[node.name].of(args), node);
      }
    }
  }

  private binary(node: Extract<Expression, { kind: "binary" }>): Value {
    const { operator } = node;
    if (operator === "and") return this.value(node.left) === true && this.value(node.right) === true;
    if (operator === "or") return this.value(node.left) === true || this.value(node.right) === true;
    if (node.left.type === "text") {
      const [left, right] = [String(this.value(node.left)), String(this.value(node.right))];
      if (operator === "contains") {
        this.read([left, right], node);
        return left.includes(right);
      }
      return (left === right) === (operator === "==");
    }
    const [left, right] = [this.number(node.left), this.number(node.right)];
    switch (operator) {
      case "==":
        return left === right;
      case "!=":
        return left !== right;
      case "<":
        return left < right;
      case "<=":
        return left <= right;
      case ">":
        return left > right;
      case ">=":
        return left >= right;
      case "+":
        return this.known(left + right, node);
      case "-":
        return this.known(left - right, node);
      case "*":
        return this.known(left * right, node);
      case "/":
        return this.known(left / right, node);
      case "%":
        return this.known(left % right, node);
      case "^":
        return this.known(left ** right, node);
      case "contains":
        throw new EvaluationError("contains needs a text on its left", node.start + 1);
    }
  }

  private number(node: Expression): number {
    return Number(this.value(node));
  }

  private fromFile(name: string, { start }: Expression): number {
    const value = Object.hasOwn(this.measured, name) ? this.measured[name] : undefined;
    if (value === undefined)
      throw new EvaluationError(`no reward file gave "${name}"; start the runner with --reward`, start + 1);
    if (typeof value === "number") return value;
    throw new EvaluationError(value.error, null);
  }

  /** NaN ends the evaluation where it arises: a comparison would turn it into an ordinary "no". */
  private known(value: Value, { start, end }: Expression): Value {
    if (!Number.isNaN(value)) return value;
    throw new EvaluationError(`${this.text.slice(start, end)} is not a number here`, start + 1);
  }

  private read(args: readonly Value[], { start }: Expression): void {
    const [text, part] = args;
    if (typeof text !== "string") return;
    this.#work += text.length * (typeof part === "string" ? part.length : 1);
    if (this.#work > MAX_TEXT_WORK)
      throw new EvaluationError(`reads more than ${MAX_TEXT_WORK} characters of text`, start + 1);
  }
}
