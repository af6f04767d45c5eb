/**
 * Where a session's problems come from: the built-in picture tasks, made from seeds, or a data set of the user's own
 * (src/runner/data/dataSource.ts). A source is a pure function of its arguments: the same cursor and settings give the
 * same problems, and a problem can be looked up by its id, so snapshots hold no problems.
 */
import type { Problem } from "../tasks/problem";
import { FAMILY_NAMES } from "../tasks/problem";
import { problemOf } from "../tasks/problems";
import { heldOutProblems, requestedProblem, trainingProblems } from "./dataCursor";
import type { Stage } from "./records";
import type { Settings } from "./settings";
import type { StoredExample } from "./state";
import type { TrainingProblem } from "./trainingProblem";

export interface ProblemSource {
  /** Problems [cursor, cursor + count) of a stage's training stream; the stream has no end. */
  training(stage: Stage, cursor: number, count: number, settings: Settings): Promise<readonly TrainingProblem[]>;
  /** The first `count` problems that are never trained on. @throws Error when there are fewer */
  heldOut(count: number, settings: Settings): Promise<readonly TrainingProblem[]>;
  /**
   * A held-out problem to look at, another for each `count`, of one family if named.
   * @throws Error when there is no such family
   */
  requested(count: number, family: string | null, settings: Settings): Promise<TrainingProblem>;
  /** @throws Error when there is no problem of this id */
  problemOf(id: string): Promise<TrainingProblem>;
  /**
   * Reflection data made beforehand, for the first stage; it is trained on batch by batch and stays out of snapshots.
   * Null: the session collects its own answers and lets the built-in teacher write.
   */
  readonly reflections: readonly StoredExample[] | null;
}

/** The built-in picture tasks. */
export const taskSource: ProblemSource = {
  training: (stage, cursor, count, settings) => Promise.resolve(trainingProblems(stage, cursor, count, settings)),
  heldOut: (count, settings) => Promise.resolve(heldOutProblems(count, settings)),
  async requested(count, family, settings) {
    const known = FAMILY_NAMES.find((name) => name === family);
    if (family !== null && known === undefined)
      throw new Error(`sample: there is no family "${family}"; expected one of ${FAMILY_NAMES.join(", ")}`);
    return requestedProblem(count, known === undefined ? settings.families : [known]);
  },
  problemOf: async (id): Promise<Problem> => problemOf(id),
  reflections: null,
};
