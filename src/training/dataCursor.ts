/**
 * Which problems a step trains on. A stage's problems are numbered; the cursor is how many have been taken.
 * Each stage has a stream of its own, so sampling from the base does not change which problems SFT or GRPO see.
 * Evaluation problems come from the held-out split and are the same for every run seed.
 */
import type { Problem } from "../tasks/problem";
import { problemAt } from "../tasks/problems";
import { combineSeeds } from "../tasks/random";
import type { ProblemRecord, Stage } from "./records";
import type { Settings } from "./settings";
import type { TrainingProblem } from "./trainingProblem";

const STAGE_STREAMS: Readonly<Record<Stage, number>> = { base: 1, sft: 2, grpo: 3 };
/** Requested single samples take held-out problems far behind those that an evaluation takes. */
const SAMPLE_OFFSET = 1_000_000;

/** Problems [cursor, cursor + count) of a stage's training stream. */
export function trainingProblems(
  stage: Stage,
  cursor: number,
  count: number,
  settings: Pick<Settings, "seed" | "families">,
): Problem[] {
  const stream = combineSeeds(settings.seed, STAGE_STREAMS[stage]);
  return Array.from({ length: count }, (_, i) => problemAt("train", cursor + i, settings.families, stream));
}

/** The first `count` held-out problems of the chosen families. */
export function heldOutProblems(count: number, settings: Pick<Settings, "families">): Problem[] {
  return Array.from({ length: count }, (_, i) => problemAt("eval", i, settings.families));
}

/** Held-out problem for the `count`-th request, of one family if given. */
export function requestedProblem(count: number, families: Settings["families"]): Problem {
  return problemAt("eval", SAMPLE_OFFSET + count, families);
}

export function problemRecord(problem: TrainingProblem): ProblemRecord {
  const { id, family, picture, morePictures, question, answer, answerKind, tolerance } = problem;
  return {
    id,
    family,
    picture,
    ...(morePictures === undefined ? {} : { morePictures }),
    question,
    answer,
    ...(answerKind === undefined ? {} : { answerKind }),
    ...(tolerance === undefined ? {} : { tolerance }),
  };
}
