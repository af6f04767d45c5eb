/** An expression of the reward language as it reads for one response: facts in place of their names. */

import type { ResponseFacts } from "../facts";
import type { GraderName } from "../grader/grader";
import { formatFactor } from "../notation";
import type { CustomTerm } from "../types";
import { parsedTerm } from "./customTerms";
import type { Expression } from "./expression";
import { FACTS, rewardFacts, type Value } from "./rewardFacts";

/** Characters of a text that `withValues` shows. */
const SHOWN = 24;

/** The expression with the facts of a response in place of their names, as in `37 < 2 * 14`. */
export function withValues(term: Pick<CustomTerm, "expression">, facts: ResponseFacts, grader: GraderName): string {
  const view = rewardFacts(facts, grader);
  const shown = (value: Value): string => {
    if (typeof value === "boolean") return String(value);
    if (typeof value === "number") return formatFactor(value);
    const text = value.replaceAll(/\s+/g, " ");
    return text.length > SHOWN ? `"${text.slice(0, SHOWN)}…"` : `"${text}"`;
  };
  let out = "";
  let at = 0;
  for (const node of namesIn(parsedTerm(term))) {
    const value = node.kind === "fact" ? FACTS[node.name].of(view) : facts.measured?.[node.name];
    if (value === undefined || typeof value === "object") continue;
    out += term.expression.slice(at, node.start) + shown(value);
    at = node.end;
  }
  return out + term.expression.slice(at);
}

/** The facts that an expression names, in the order in which they stand. */
function namesIn(node: Expression): readonly Extract<Expression, { kind: "fact" | "file" }>[] {
  switch (node.kind) {
    case "literal":
      return [];
    case "fact":
    case "file":
      return [node];
    case "unary":
      return namesIn(node.of);
    case "binary":
      return [...namesIn(node.left), ...namesIn(node.right)];
    case "choice":
      return [...namesIn(node.when), ...namesIn(node.then), ...namesIn(node.otherwise)];
    case "call":
      return node.args.flatMap(namesIn);
  }
}
