/** From a response's text to its score: parse, grade both answers, count tokens, and compute every reward term. */

import type { ResponseFacts } from "./facts";
import { transitionIn } from "./facts";
import { formatReasons, type ParsedResponse, parseResponse, type Solution } from "./format";
import { type Grade, type GraderName, gradeAnswer, type TrueAnswer } from "./grader/grader";
import { type RewardFacts, rewardFacts } from "./language/rewardFacts";
import { graderOf, rewardTerms } from "./reward";
import type { RewardConfig, RewardTerms, Transition } from "./types";

/** Tokens of a text. The reward's vectors count white-space words; a policy counts its own tokens. */
export type CountTokens = (text: string) => number;

export function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

/** A sentence per answer, by grader. */
export type GradeReasons = Readonly<Record<GraderName, { readonly first: string; readonly refined: string }>>;

/** A scored response. Without `parsed` these are exactly the fields of a session's `SampleScore`. */
export interface ScoredResponse {
  readonly parsed: ParsedResponse;
  readonly facts: ResponseFacts;
  readonly firstSolution: Solution | null;
  readonly reflection: string | null;
  readonly refinedSolution: Solution | null;
  /** Under the pattern of the config's variant. */
  readonly wellFormed: boolean;
  readonly formatReasons: readonly string[];
  readonly firstRight: boolean;
  /** False where there is no second answer. */
  readonly refinedRight: boolean;
  /** Why each answer is right or wrong, in a sentence, by each grader. */
  readonly gradeReasons: GradeReasons;
  readonly transition: Transition | null;
  readonly terms: RewardTerms;
}

/** Values of a reward file's terms for one response (`ResponseFacts.measured`). Must not throw. */
export type MeasureTerms = (facts: RewardFacts) => NonNullable<ResponseFacts["measured"]>;

/**
 * Score one response against the true answer. Never throws on malformed text.
 * @param grader who judges the answers; by default the one the variant was defined with (`graderOf`)
 * @param measure computes the terms of a reward file
 * @throws RewardTermError when a term of one's own has no value for this response
 */
export function scoreResponse(
  text: string,
  answer: string | TrueAnswer,
  config: RewardConfig,
  countTokens: CountTokens = countWords,
  grader: GraderName = graderOf(config.variant),
  measure?: MeasureTerms,
): ScoredResponse {
  const parsed = parseResponse(text);
  const grades = gradesOf(parsed, answer);
  const read = factsOf(parsed, grades, answer, countTokens);
  const facts = measure ? { ...read, measured: measure(rewardFacts(read, grader)) } : read;
  const right = facts.right[grader];
  const pattern = config.variant === "paper" ? "strict" : "released";
  const reasons = formatReasons(text, pattern);
  return {
    parsed,
    facts,
    firstSolution: parsed.firstSolution,
    reflection: parsed.reflection,
    refinedSolution: parsed.refinedSolution,
    wellFormed: reasons.length === 0,
    formatReasons: reasons,
    firstRight: right.first,
    refinedRight: right.refined,
    gradeReasons: { equivalent: reasonsOf(grades.equivalent), exact: reasonsOf(grades.exact) },
    transition: transitionIn(facts, grader),
    terms: rewardTerms(facts, config, grader),
  };
}

/** The facts of a response (see `ResponseFacts`): compute once, then `rewardTerms(facts, config)` for any config. */
export function responseFacts(
  response: ParsedResponse | string,
  answer: string | TrueAnswer,
  countTokens: CountTokens = countWords,
): ResponseFacts {
  const parsed = typeof response === "string" ? parseResponse(response) : response;
  return factsOf(parsed, gradesOf(parsed, answer), answer, countTokens);
}

interface AnswerGrades {
  readonly first: Grade;
  readonly refined: Grade;
}

function gradesOf(parsed: ParsedResponse, answer: string | TrueAnswer): Readonly<Record<GraderName, AnswerGrades>> {
  const grade = (grader: GraderName): AnswerGrades => ({
    first: gradeAnswer(parsed.firstAnswer, answer, grader),
    refined: gradeAnswer(parsed.lastAnswer, answer, grader),
  });
  return { equivalent: grade("equivalent"), exact: grade("exact") };
}

function reasonsOf({ first, refined }: AnswerGrades): GradeReasons[GraderName] {
  return { first: first.reason, refined: refined.reason };
}

function factsOf(
  parsed: ParsedResponse,
  { equivalent, exact }: Readonly<Record<GraderName, AnswerGrades>>,
  answer: string | TrueAnswer,
  countTokens: CountTokens,
): ResponseFacts {
  const right = ({ first, refined }: AnswerGrades): { readonly first: boolean; readonly refined: boolean } => ({
    first: first.right,
    refined: refined.right,
  });
  return {
    wellFormed: formatReasons(parsed.text, "strict").length === 0,
    wellFormedReleased: formatReasons(parsed.text, "released").length === 0,
    reflectionBetween: parsed.reflectionBetween,
    thinkBlocks: parsed.thinks.length,
    answerBlocks: parsed.answers.length,
    right: { equivalent: right(equivalent), exact: right(exact) },
    lengthTokens: countTokens(parsed.text),
    baseTokens:
      countTokens(parsed.thinks[0]?.content.trim() ?? "") + countTokens(parsed.answers[0]?.content.trim() ?? ""),
    reflectionTokens: countTokens(parsed.reflection ?? ""),
    refinedTokens: countTokens(parsed.refinedSolution?.think ?? "") + countTokens(parsed.refinedSolution?.answer ?? ""),
    texts: {
      response: parsed.text,
      truth: typeof answer === "string" ? answer : answer.answer,
      first: parsed.firstSolution,
      reflection: parsed.reflection,
      refined: parsed.refinedSolution,
    },
  };
}
