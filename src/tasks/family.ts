/** The one interface behind which every task family stands. */
import type { FamilyName, Inference, Picture, Reading } from "./problem";
import type { Random } from "./random";

/** A problem before it is drawn and before it has a split. */
export interface ProblemParts {
  /** Everything that decides what the picture shows, as text: the split is a hash of it. */
  readonly facts: string;
  /** White-space separated words of the closed vocabulary. */
  readonly question: string;
  readonly readings: readonly Reading[];
  readonly inferences: readonly Inference[];
  /** Draws the picture; apart from the rest so that a draw of the other split costs no pixels. */
  draw(): Picture;
}

export interface TaskFamily {
  readonly name: FamilyName;
  /** For people: "Bar charts". */
  readonly title: string;
  /** The public benchmarks whose kind of problem this is, e.g. "as ChartQA, DVQA". */
  readonly sources: string;
  make(random: Random): ProblemParts;
}

/** left op right with its result. */
export function infer(left: number, op: Inference["op"], right: number): Inference {
  return { left, op, right, result: compute(left, op, right) };
}

/** The value of left op right. */
export function compute(left: number, op: Inference["op"], right: number): number {
  switch (op) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "max":
      return Math.max(left, right);
    case "min":
      return Math.min(left, right);
    default:
      return op satisfies never;
  }
}
