/** An expression of the reward language as a tree: every node knows its type and its place in the text. */
import type { FunctionName } from "./functions";
import type { FactName, Value, ValueType } from "./rewardFacts";

export const BINARY_OPERATORS = [
  "or",
  "and",
  "==",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "contains",
  "+",
  "-",
  "*",
  "/",
  "%",
  "^",
] as const;
export type BinaryOperator = (typeof BINARY_OPERATORS)[number];

export type Expression = {
  readonly type: ValueType;
  /** Offsets in the text, `end` exclusive. */
  readonly start: number;
  readonly end: number;
} & (
  | { readonly kind: "literal"; readonly value: Value }
  | { readonly kind: "fact"; readonly name: FactName }
  /** A value that a reward file gave under this name (`file.NAME`). */
  | { readonly kind: "file"; readonly name: string }
  | { readonly kind: "unary"; readonly operator: "-" | "not"; readonly of: Expression }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "choice";
      readonly when: Expression;
      readonly then: Expression;
      readonly otherwise: Expression;
    }
  | { readonly kind: "call"; readonly name: FunctionName; readonly args: readonly Expression[] }
);
