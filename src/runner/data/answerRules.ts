/** What a record may require of its answer, as written in data sets and in the input of `score` and `grade`. */
import { z } from "zod";
import { ANSWER_KINDS, type AnswerKind, isTolerance } from "../../srpo/grader/kind";

export const answerRuleShape = {
  answerKind: z.enum(ANSWER_KINDS, `expected one of ${ANSWER_KINDS.join(", ")}`).nullish(),
  tolerance: z
    .union([z.number(), z.string()])
    .refine(isTolerance, 'expected a number from 0 on, or a share of the answer such as "5%"')
    .nullish(),
};

export interface AnswerRule {
  readonly answerKind?: AnswerKind;
  readonly tolerance?: number | string;
}

/** Without the fields that a record leaves open. */
export function answerRuleOf(record: {
  readonly answerKind?: AnswerKind | null | undefined;
  readonly tolerance?: number | string | null | undefined;
}): AnswerRule {
  return {
    ...(record.answerKind == null ? {} : { answerKind: record.answerKind }),
    ...(record.tolerance == null ? {} : { tolerance: record.tolerance }),
  };
}
