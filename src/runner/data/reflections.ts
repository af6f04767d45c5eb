/**
 * Reflection data for a data set (SRPO, section 3.2): the policy writes a first solution; a teacher that knows the
 * answer writes the reflection, by one of two strategies: correction of a wrong solution, simplification of a right
 * one. An example counts only if the teacher's refined answer is right.
 */
import { parseResponse } from "../../srpo/format";
import { isRight } from "../../srpo/grader/grader";
import type { StoredExample } from "../../training/state";
import type { TrainingProblem } from "../../training/trainingProblem";
import { encodePng } from "./pictures";
import { fillPrompt } from "./prompts";
import type { Teacher } from "./teacherClient";

export interface ReflectionPrompts {
  readonly correction: string;
  readonly simplification: string;
}

/** The cost of the requests, in the teacher's tokens. */
export interface Cost {
  readonly requests: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export const NO_COST: Cost = { requests: 0, promptTokens: 0, completionTokens: 0 };

/** One line of the file: an example, or the reason why there is none; and its cost. */
export type ReflectionLine = (StoredExample | { readonly problem: string; readonly discarded: string }) & {
  readonly cost: Cost;
};

/** Requests per record until the teacher gives a valid reflection. */
const ATTEMPTS = 2;

/**
 * @param question without the instruction that the policy got
 * @param response the policy's own first solution
 * @throws TeacherError when the request fails
 */
export async function reflectOn(
  problem: TrainingProblem,
  question: string,
  response: string,
  teacher: Teacher,
  prompts: ReflectionPrompts,
): Promise<ReflectionLine> {
  const { firstSolution, firstAnswer } = parseResponse(response);
  if (firstSolution === null || !firstAnswer || firstSolution.think === "")
    return { problem: problem.id, discarded: "the policy's answer could not be parsed", cost: NO_COST };
  const firstRight = isRight(firstAnswer, problem, "equivalent");
  const strategy = firstRight ? "simplification" : "correction";
  const prompt = fillPrompt(prompts[strategy], {
    question,
    answer: problem.answer,
    think: firstSolution.think,
    firstAnswer,
  });
  const images = await Promise.all([problem.picture, ...(problem.morePictures ?? [])].map(encodePng));
  let cost = NO_COST;
  let discarded = "";
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { text, promptTokens, completionTokens } = await teacher.ask(prompt, images);
    cost = {
      requests: cost.requests + 1,
      promptTokens: cost.promptTokens + promptTokens,
      completionTokens: cost.completionTokens + completionTokens,
    };
    const { reflection, firstSolution: refined } = parseResponse(text);
    if (reflection === null || reflection === "" || refined === null || refined.think === "" || refined.answer === "")
      discarded = "the teacher's blocks could not be parsed";
    else if (!isRight(refined.answer, problem, "equivalent")) discarded = `the teacher's answer was ${refined.answer}`;
    else
      return { problem: problem.id, strategy, firstRight, firstSolution, reflection, refinedSolution: refined, cost };
  }
  return { problem: problem.id, discarded, cost };
}
