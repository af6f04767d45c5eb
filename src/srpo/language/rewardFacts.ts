/**
 * What a reward term of one's own can read: the facts of a response under the names of the reward language. A reward
 * file gets them as an object (`RewardFacts`); an expression names them by path, such as `first.right`.
 */

import type { ResponseFacts } from "../facts";
import { transitionIn } from "../facts";
import type { GraderName } from "../grader/grader";
import type { Transition } from "../types";

/** A response as a reward term sees it. A missing segment is empty text of 0 tokens, and its answer is not right. */
export interface RewardFacts {
  /** Tokens of the whole response. */
  readonly length: number;
  /** Tokens of the first think and answer. */
  readonly base: number;
  /** Closed blocks. */
  readonly thinkBlocks: number;
  readonly answerBlocks: number;
  /** Well formed under the paper's strict pattern. */
  readonly wellFormed: boolean;
  /** Exactly one non-empty reflection stands between the first answer and the last. */
  readonly reflectionBetween: boolean;
  /** "none": there is no second answer. */
  readonly transition: Transition | "none";
  /** The whole response, and the right answer as the data gives it. */
  readonly text: string;
  readonly truth: string;
  readonly first: SolutionFacts;
  readonly reflection: { readonly text: string; readonly tokens: number };
  readonly refined: SolutionFacts;
}

interface SolutionFacts {
  readonly right: boolean;
  readonly think: string;
  readonly answer: string;
  readonly tokens: number;
}

/** The view of a response's facts under a grader's verdicts. */
export function rewardFacts(facts: ResponseFacts, grader: GraderName): RewardFacts {
  const { texts, right } = facts;
  return {
    length: facts.lengthTokens,
    base: facts.baseTokens,
    thinkBlocks: facts.thinkBlocks,
    answerBlocks: facts.answerBlocks,
    wellFormed: facts.wellFormed,
    reflectionBetween: facts.reflectionBetween,
    transition: transitionIn(facts, grader) ?? "none",
    text: texts.response,
    truth: texts.truth,
    first: {
      right: right[grader].first,
      think: texts.first?.think ?? "",
      answer: texts.first?.answer ?? "",
      tokens: facts.baseTokens,
    },
    reflection: { text: texts.reflection ?? "", tokens: facts.reflectionTokens },
    refined: {
      right: right[grader].refined,
      think: texts.refined?.think ?? "",
      answer: texts.refined?.answer ?? "",
      tokens: facts.refinedTokens,
    },
  };
}

/** The types of the language. A condition counts as 1 or 0 where a number is expected. */
export type ValueType = "number" | "condition" | "text";
export type Value = number | boolean | string;

interface Fact {
  readonly type: ValueType;
  readonly what: string;
  readonly of: (facts: RewardFacts) => Value;
}

/** Every fact that an expression can name, with its type and meaning. */
export const FACTS = {
  length: { type: "number", what: "tokens of the whole response", of: (f) => f.length },
  base: { type: "number", what: "tokens of the first think and answer", of: (f) => f.base },
  thinkBlocks: { type: "number", what: "closed think blocks", of: (f) => f.thinkBlocks },
  answerBlocks: { type: "number", what: "closed answer blocks", of: (f) => f.answerBlocks },
  wellFormed: { type: "condition", what: "the five blocks in order, none empty", of: (f) => f.wellFormed },
  reflectionBetween: {
    type: "condition",
    what: "exactly one non-empty reflection between the first answer and the last",
    of: (f) => f.reflectionBetween,
  },
  transition: { type: "text", what: '"kept", "fixed", "stillWrong", "spoilt" or "none"', of: (f) => f.transition },
  text: { type: "text", what: "the whole response", of: (f) => f.text },
  truth: { type: "text", what: "the right answer", of: (f) => f.truth },
  "first.right": { type: "condition", what: "the first answer is right", of: (f) => f.first.right },
  "first.tokens": { type: "number", what: "tokens of the first think and answer", of: (f) => f.first.tokens },
  "first.think": { type: "text", what: "the first think", of: (f) => f.first.think },
  "first.answer": { type: "text", what: "the first answer", of: (f) => f.first.answer },
  "reflection.tokens": { type: "number", what: "tokens of the reflection", of: (f) => f.reflection.tokens },
  "reflection.text": { type: "text", what: "the reflection", of: (f) => f.reflection.text },
  "refined.right": { type: "condition", what: "the refined answer is right", of: (f) => f.refined.right },
  "refined.tokens": { type: "number", what: "tokens of the refined think and answer", of: (f) => f.refined.tokens },
  "refined.think": { type: "text", what: "the refined think", of: (f) => f.refined.think },
  "refined.answer": { type: "text", what: "the refined answer", of: (f) => f.refined.answer },
} as const satisfies Readonly<Record<string, Fact>>;

export type FactName = keyof typeof FACTS;

export const FACT_NAMES = Object.keys(FACTS) as readonly FactName[];

export function isFactName(name: string): name is FactName {
  return Object.hasOwn(FACTS, name);
}
