/** From a response's text to its score: parse, grade both answers, count tokens, and compute every reward term. */
import { type ResponseFacts, type RightAnswers, transitionsIn } from "./facts";
import { type ParsedResponse, parseResponse, type Round, type Solution } from "./format";
import { formatReasons } from "./formatReasons";
import { type Grade, type GraderName, gradeAnswer, type TrueAnswer } from "./grader/grader";
import { type RewardFacts, rewardFacts } from "./language/rewardFacts";
import { PAPER_FORM, type ReflectionForm } from "./reflectionForm";
import { graderOf, patternOf, rewardTerms } from "./reward";
import type { RewardConfig, RewardTerms, Transition } from "./types";

/** Tokens of a text. The reward's vectors count white-space words; a policy counts its own tokens. */
export type CountTokens = (text: string) => number;

export function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0;
}

/** A sentence per answer, by grader; `between` as in `RightAnswers`. */
export type GradeReasons = Readonly<
  Record<GraderName, { readonly first: string; readonly refined: string; readonly between?: readonly string[] }>
>;

/** One round of reflection and what it did to the answer. */
export interface ScoredRound extends Round {
  readonly transition: Transition;
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
  /** Why each answer is right or wrong, in a sentence, by each grader. */
  readonly gradeReasons: GradeReasons;
  /** That of the last round. */
  readonly transition: Transition | null;
  /** Every round, where the form allows several. */
  readonly rounds?: readonly ScoredRound[];
  readonly terms: RewardTerms;
}

/** Values of a reward file's terms for one response (`ResponseFacts.measured`). Must not throw. */
export type MeasureTerms = (facts: RewardFacts) => NonNullable<ResponseFacts["measured"]>;

/**
 * Score one response against the true answer. Never throws on malformed text.
 * @param form how the response was asked to reflect
 * @param grader who judges the answers; by default the one the variant was defined with (`graderOf`)
 * @param measure computes the terms of a reward file
 * @throws RewardTermError when a term of one's own has no value for this response
 */
export function scoreResponse(
  text: string,
  answer: string | TrueAnswer,
  config: RewardConfig,
  countTokens: CountTokens = countWords,
  form: ReflectionForm = PAPER_FORM,
  grader: GraderName = graderOf(config.variant),
  measure?: MeasureTerms,
): ScoredResponse {
  const parsed = parseResponse(text, form);
  const grades = gradesOf(parsed, answer);
  const read = factsOf(parsed, grades, answer, countTokens, form);
  const facts = measure ? { ...read, measured: measure(rewardFacts(read, grader)) } : read;
  const right = facts.right[grader];
  const transitions = transitionsIn(facts, grader);
  const pattern = patternOf(config.variant);
  const reasons = formatReasons(text, pattern, form);
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
    transition: transitions.at(-1) ?? null,
    ...(form.rounds === 1
      ? {}
      : {
          rounds: transitions.flatMap((transition, i): ScoredRound[] => {
            const round = parsed.rounds[i];
            return round === undefined ? [] : [{ ...round, transition }];
          }),
        }),
    terms: rewardTerms(facts, config, grader),
  };
}

/** The facts of a response (see `ResponseFacts`): compute once, then `rewardTerms(facts, config)` for any config. */
export function responseFacts(
  response: ParsedResponse | string,
  answer: string | TrueAnswer,
  countTokens: CountTokens = countWords,
  form: ReflectionForm = PAPER_FORM,
): ResponseFacts {
  const parsed = typeof response === "string" ? parseResponse(response, form) : response;
  return factsOf(parsed, gradesOf(parsed, answer), answer, countTokens, form);
}

interface AnswerGrades {
  readonly first: Grade;
  readonly refined: Grade;
  /** The answers that end the rounds before the last one. */
  readonly between: readonly Grade[];
}

function gradesOf(parsed: ParsedResponse, answer: string | TrueAnswer): Readonly<Record<GraderName, AnswerGrades>> {
  const grade = (grader: GraderName): AnswerGrades => ({
    first: gradeAnswer(parsed.firstAnswer, answer, grader),
    refined: gradeAnswer(parsed.lastAnswer, answer, grader),
    between: parsed.rounds.slice(0, -1).map(({ solution }) => gradeAnswer(solution.answer, answer, grader)),
  });
  return { equivalent: grade("equivalent"), exact: grade("exact") };
}

function reasonsOf({ first, refined, between }: AnswerGrades): GradeReasons[GraderName] {
  const others = between.length === 0 ? {} : { between: between.map(({ reason }) => reason) };
  return { first: first.reason, refined: refined.reason, ...others };
}

function factsOf(
  parsed: ParsedResponse,
  { equivalent, exact }: Readonly<Record<GraderName, AnswerGrades>>,
  answer: string | TrueAnswer,
  countTokens: CountTokens,
  form: ReflectionForm,
): ResponseFacts {
  const right = ({ first, refined, between }: AnswerGrades): RightAnswers => ({
    first: first.right,
    refined: refined.right,
    ...(between.length === 0 ? {} : { between: between.map((grade) => grade.right) }),
  });
  return {
    wellFormed: formatReasons(parsed.text, "strict", form).length === 0,
    wellFormedReleased: formatReasons(parsed.text, "released", form).length === 0,
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
