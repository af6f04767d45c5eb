/** From a response's text to its score: parse, grade both answers, count tokens, and compute every reward term. */
import { formatReasons, type ParsedResponse, parseResponse, type Solution } from "./format";
import { type GraderName, isRight } from "./grader";
import { graderOf, type ResponseFacts, rewardTerms, transitionIn } from "./reward";
import type { RewardConfig, RewardTerms, Transition } from "./types";

/** Tokens of a text. The reward's vectors count white-space words; a policy counts its own tokens. */
export type CountTokens = (text: string) => number;

export function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

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
  readonly transition: Transition | null;
  readonly terms: RewardTerms;
}

/**
 * Score one response against the true answer. Never throws on malformed text.
 * @param grader who judges the answers; by default the one the variant was defined with (`graderOf`)
 */
export function scoreResponse(
  text: string,
  answer: string,
  config: RewardConfig,
  countTokens: CountTokens = countWords,
  grader: GraderName = graderOf(config.variant),
): ScoredResponse {
  const parsed = parseResponse(text);
  const facts = responseFacts(parsed, answer, countTokens);
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
    transition: transitionIn(facts, grader),
    terms: rewardTerms(facts, config, grader),
  };
}

/** The facts of a response (see `ResponseFacts`): compute once, then `rewardTerms(facts, config)` for any config. */
export function responseFacts(
  response: ParsedResponse | string,
  answer: string,
  countTokens: CountTokens = countWords,
): ResponseFacts {
  const parsed = typeof response === "string" ? parseResponse(response) : response;
  const grade = (grader: GraderName): { readonly first: boolean; readonly refined: boolean } => ({
    first: isRight(parsed.firstAnswer, answer, grader),
    refined: isRight(parsed.lastAnswer, answer, grader),
  });
  return {
    wellFormed: formatReasons(parsed.text, "strict").length === 0,
    wellFormedReleased: formatReasons(parsed.text, "released").length === 0,
    reflectionBetween: parsed.reflectionBetween,
    thinkBlocks: parsed.thinks.length,
    answerBlocks: parsed.answers.length,
    right: { equivalent: grade("equivalent"), exact: grade("exact") },
    lengthTokens: countTokens(parsed.text),
    baseTokens:
      countTokens(parsed.thinks[0]?.content.trim() ?? "") + countTokens(parsed.answers[0]?.content.trim() ?? ""),
  };
}
