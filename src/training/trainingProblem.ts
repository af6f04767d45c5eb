/** A problem as training sees it, whether it comes from the built-in tasks or from a data set. */
import type { AnswerKind } from "../srpo/grader/kind";
import type { Inference, Picture, Reading } from "../tasks/problem";

/** What training needs of a problem. The tasks' `Problem` is one. */
export interface TrainingProblem {
  readonly id: string;
  /** What evaluations are broken down by: a task's family, a data set's category. */
  readonly family: string;
  readonly picture: Picture;
  /** Pictures after the first, for questions about several. */
  readonly morePictures?: readonly Picture[];
  readonly question: string;
  readonly answer: string;
  /** What a data set requires of an answer, if anything (`TrueAnswer`). */
  readonly answerKind?: AnswerKind;
  readonly tolerance?: number | string;
  /** What the built-in teacher works from; absent where only a person or a large model could say. */
  readonly readings?: readonly Reading[];
  readonly inferences?: readonly Inference[];
}
