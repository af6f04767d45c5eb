/**
 * Reflection data for a data set (SRPO, section 3.2): the policy writes a first solution; a teacher that knows the
 * answer writes the reflection, by one of two strategies: correction of a wrong solution, simplification of a right
 * one. An example counts only if the teacher's refined answer is right.
 */
import { parseResponse } from "../../srpo/format";
import { isRight } from "../../srpo/grader/grader";
import type { StoredExample } from "../../training/state";
import type { TrainingProblem } from "../../training/trainingProblem";
import { shortened } from "../files/shortened";
import { encodePng } from "./pictures";
import { fillPrompt } from "./prompts";
import { type Teacher, type TeacherAnswer, TeacherRefusal } from "./teacherClient";
import { visibleAnswer } from "./visibleAnswer";

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

/** A record without an example, and why. */
export interface Discarded {
  readonly problem: string;
  readonly discarded: string;
  /** The teacher refused, or failed on this record alone. */
  readonly refused?: true;
}

/** One line of the file: an example, or the reason why there is none; and its cost. */
export type ReflectionLine = (StoredExample | Discarded) & { readonly cost: Cost };

/** Requests per record until the teacher gives a valid reflection. */
const ATTEMPTS = 2;

/**
 * @param question without the instruction that the policy got
 * @param response the policy's own first solution
 * @throws TeacherError when the request fails, but for a refusal
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
    const answer = await answerOf(teacher, prompt, images);
    cost = {
      requests: cost.requests + 1,
      promptTokens: cost.promptTokens + answer.promptTokens,
      completionTokens: cost.completionTokens + answer.completionTokens,
    };
    if ("refused" in answer) return { problem: problem.id, discarded: answer.refused, refused: true, cost };
    const visible = visibleAnswer(answer.text);
    if ("fault" in visible) {
      discarded = visible.fault;
      continue;
    }
    const { reflection, firstSolution: refined } = parseResponse(visible.text);
    if (reflection === null || reflection === "" || refined === null || refined.think === "" || refined.answer === "")
      discarded = "the teacher's blocks could not be parsed";
    else if (!isRight(refined.answer, problem, "equivalent"))
      discarded = `the teacher's answer was ${shortened(refined.answer)}`;
    else
      return { problem: problem.id, strategy, firstRight, firstSolution, reflection, refinedSolution: refined, cost };
  }
  return { problem: problem.id, discarded, cost };
}

type Refused = Omit<TeacherAnswer, "text"> & { readonly refused: string };

async function answerOf(
  teacher: Teacher,
  prompt: string,
  images: readonly Uint8Array[],
): Promise<TeacherAnswer | Refused> {
  try {
    return await teacher.ask(prompt, images);
  } catch (error) {
    if (!(error instanceof TeacherRefusal)) throw error;
    const { message, promptTokens, completionTokens } = error;
    return { refused: message, promptTokens, completionTokens };
  }
}
