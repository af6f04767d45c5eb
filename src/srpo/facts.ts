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
  /** Which answers are right, by each grader. */
  readonly right: Readonly<Record<GraderName, RightAnswers>>;
  /** Tokens of the whole response; tokens of the first think and answer. */
  readonly lengthTokens: number;
  readonly baseTokens: number;
  /** Tokens of the reflection; of the refined think and answer. */
  readonly reflectionTokens: number;
  readonly refinedTokens: number;
  /** Tokens of a sampled response, the end token included, and the most that it could have had; absent otherwise. */
  readonly sampled?: { readonly tokens: number; readonly limit: number };
  /** What terms of one's own read. */
  readonly texts: ResponseTexts;
  /** Values of a reward file's terms by name, or why a term gave none; absent without a file. */
  readonly measured?: Readonly<Record<string, number | { readonly error: string }>>;
}

export interface RightAnswers {
  readonly first: boolean;
  /** The last of two or more answers; false where there is no second answer. */
  readonly refined: boolean;
  /** The answers that end the rounds before the last one; absent where there is one round, or none. */
  readonly between?: readonly boolean[];
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

/** What each round did to the answer, in order; none where there is no second answer. */
export function transitionsIn(facts: ResponseFacts, grader: GraderName): readonly Transition[] {
  if (facts.answerBlocks < 2) return [];
  const { first, between = [], refined } = facts.right[grader];
  const answers = [first, ...between, refined];
  return answers.slice(1).map((right, i) => transitionOf(answers[i] ?? first, right));
}

/** The transition that is rewarded: that of the last round; null where there is no second answer. */
export function transitionIn(facts: ResponseFacts, grader: GraderName): Transition | null {
  return transitionsIn(facts, grader).at(-1) ?? null;
}
