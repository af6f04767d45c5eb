/** The facts of a response: what its reward is computed from, whatever the weights. */
import type { Solution } from "./format";
import type { GraderName } from "./grader/grader";
import type { Transition } from "./types";

/**
 * Everything about a response that no weight, tier or variant changes: scoring a frozen group again needs only this.
 */
export interface ResponseFacts {
  /** Well formed under the paper's strict pattern, and under the released scorer's looser one. */
  readonly wellFormed: boolean;
  readonly wellFormedReleased: boolean;
  /** Exactly one non-blank reflection stands between the first answer and the last. */
  readonly reflectionBetween: boolean;
  /** Closed blocks. */
  readonly thinkBlocks: number;
  readonly answerBlocks: number;
  /**
   * Is the first answer, and the last of two or more, right; by each grader. `refined` is false where there is no
   * second answer.
   */
  readonly right: Readonly<Record<GraderName, { readonly first: boolean; readonly refined: boolean }>>;
  /** Tokens of the whole response; tokens of the first think and answer. */
  readonly lengthTokens: number;
  readonly baseTokens: number;
  /** Tokens of the reflection; of the refined think and answer. */
  readonly reflectionTokens: number;
  readonly refinedTokens: number;
  /** What terms of one's own read. */
  readonly texts: ResponseTexts;
  /** Values of a reward file's terms by name, or why a term gave none; absent without a file. */
  readonly measured?: Readonly<Record<string, number | { readonly error: string }>>;
}

/** The segments' texts as in `ParsedResponse`, and the right answer. */
export interface ResponseTexts {
  readonly response: string;
  readonly truth: string;
  readonly first: Solution | null;
  readonly reflection: string | null;
  readonly refined: Solution | null;
}

export function transitionOf(firstRight: boolean, refinedRight: boolean): Transition {
  if (firstRight) return refinedRight ? "kept" : "spoilt";
  return refinedRight ? "fixed" : "stillWrong";
}

/** The transition of a response; null where it has no second answer. */
export function transitionIn(facts: ResponseFacts, grader: GraderName): Transition | null {
  const { first, refined } = facts.right[grader];
  return facts.answerBlocks >= 2 ? transitionOf(first, refined) : null;
}
