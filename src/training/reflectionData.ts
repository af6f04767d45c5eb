/**
 * The data of stage 1 (SRPO, section 3.2): the policy answers by itself, a teacher that sees the ground truth writes
 * the reflection, and the refined solution follows from it. About 30 % of the first answers should be right and 70 %
 * wrong: answers beyond either share are skipped until twice as many as needed have been seen; after that every answer
 * is taken, so a policy that is nearly always right (or wrong) still gets its data. The split is reported.
 *
 * Departs from the released records, which lack the second <think> block: ours have it, as the format requires. A
 * response is written in the run's form of reflection (src/srpo/reflectionForm.ts); where that allows several rounds,
 * the examples have 1, 2, … rounds in turn.
 */

import { parseResponse, type Solution } from "../srpo/format";
import { isRight } from "../srpo/grader/grader";
import { PAPER_FORM, type ReflectionForm, writeReflection } from "../srpo/reflectionForm";
import { teachRounds } from "../srpo/teacher";
import { problemRecord } from "./dataCursor";
import type { ProblemSource } from "./problemSource";
import type { DataProgress, ReflectionExample } from "./records";
import type { StoredExample } from "./state";
import type { TrainingProblem } from "./trainingProblem";

/** Share of right first answers that the paper aims at. */
export const RIGHT_SHARE = 0.3;

/**
 * What the teacher makes of one own answer; null where the answer cannot be read.
 * @param rounds of reflection
 * @throws Error for a problem without readings, e.g. of a data set: its reflections are made beforehand
 */
export function reflect(problem: TrainingProblem, text: string, rounds = 1): ReflectionExample | null {
  const { firstSolution, firstAnswer } = parseResponse(text);
  if (firstSolution === null || firstAnswer === null || firstAnswer === "" || firstSolution.think === "") return null;
  if (problem.readings === undefined || problem.inferences === undefined) {
    throw new Error(
      `reflection data: the built-in teacher cannot write about ${problem.id}, which has no readings; make ` +
        `reflections with "srpo reflect" and name the file as data.reflections`,
    );
  }
  const firstRight = isRight(firstAnswer, problem, "equivalent");
  const [taught, ...later] = teachRounds(
    {
      readings: problem.readings,
      inferences: problem.inferences,
      answer: problem.answer,
      firstThink: firstSolution.think,
      firstAnswer,
      firstRight,
    },
    rounds,
  );
  return {
    problem: problemRecord(problem),
    strategy: taught.strategy,
    firstRight,
    firstSolution,
    reflection: taught.reflection,
    refinedSolution: { think: taught.refinedThink, answer: taught.refinedAnswer },
    ...(later.length === 0
      ? {}
      : {
          laterRounds: later.map((round) => ({
            reflection: round.reflection,
            solution: { think: round.refinedThink, answer: round.refinedAnswer },
          })),
        }),
  };
}

/** The whole response that SFT imitates, in the form of the run. */
export function responseText(
  {
    firstSolution,
    reflection,
    refinedSolution,
    laterRounds = [],
  }: Pick<ReflectionExample, "firstSolution" | "reflection" | "refinedSolution" | "laterRounds">,
  form: ReflectionForm = PAPER_FORM,
): string {
  const written = ({ think, answer }: Solution): string => `<think> ${think} </think> <answer> ${answer} </answer>`;
  const rounds = [{ reflection, solution: refinedSolution }, ...laterRounds];
  return [
    written(firstSolution),
    ...rounds.flatMap((round) => [writeReflection(round.reflection, form), written(round.solution)]),
  ].join(" ");
}

export function emptyProgress(wanted: number): DataProgress {
  return { collected: 0, wanted, right: 0, wrong: 0, discarded: 0 };
}

/**
 * Take what is still wanted of a chunk of own answers.
 * @param seen answers sampled before this chunk
 * @param rounds maximum number of rounds of reflection; the examples have 1 to `rounds` in turn
 */
export function takeExamples(
  progress: DataProgress,
  answers: readonly { readonly problem: TrainingProblem; readonly text: string }[],
  seen: number,
  rounds = 1,
): { progress: DataProgress; taken: ReflectionExample[] } {
  const wantedRight = Math.round(RIGHT_SHARE * progress.wanted);
  const taken: ReflectionExample[] = [];
  let { collected, right, wrong, discarded } = progress;
  answers.forEach(({ problem, text }, index) => {
    if (collected >= progress.wanted) return;
    const example = reflect(problem, text, 1 + (collected % rounds));
    if (example === null) {
      discarded++;
      return;
    }
    const anyShare = seen + index >= 2 * progress.wanted;
    const capacity = example.firstRight ? right < wantedRight : wrong < progress.wanted - wantedRight;
    if (!capacity && !anyShare) return;
    collected++;
    if (example.firstRight) right++;
    else wrong++;
    taken.push(example);
  });
  return { progress: { ...progress, collected, right, wrong, discarded }, taken };
}

export function storeExample({ problem, ...rest }: ReflectionExample): StoredExample {
  return { ...rest, problem: problem.id };
}

export async function recallExample(
  { problem, ...rest }: StoredExample,
  source: ProblemSource,
): Promise<ReflectionExample> {
  return { ...rest, problem: problemRecord(await source.problemOf(problem)) };
}
