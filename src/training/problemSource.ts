/**
 * Where a session's problems come from: the built-in picture tasks, made from seeds, or a data set of the user's own
 * (src/runner/data/dataSource.ts). A source is a pure function of its arguments: the same cursor and settings give the
 * same problems, and a problem can be looked up by its id, so snapshots hold no problems.
 *
 * A data set may hold problems that the policy cannot be shown. A source that passes over them goes on to the next in
 * its order, and says how many places it passed, so that the cursor of a resumed run stands where it stood.
 */
import type { Problem } from "../tasks/problem";
import { FAMILY_NAMES } from "../tasks/problem";
import { problemOf } from "../tasks/problems";
import { heldOutProblems, requestedProblem, trainingProblems } from "./dataCursor";
import type { ReflectionExample, Stage } from "./records";
import type { Settings } from "./settings";
import type { TrainingProblem } from "./trainingProblem";

/** @throws UnusableProblemError when the policy cannot be shown the problem. → tokens of its prompt */
export type CheckProblem = (problem: TrainingProblem) => number;
/** The same for an example of reflection SFT, whose response is known. */
export type CheckExample = (example: ReflectionExample) => number;

export interface Taken<T> {
  readonly items: readonly T[];
  /** Places passed over on the way; absent where problems are made from seeds. */
  readonly skipped?: number;
}

/** Reflection data made beforehand: trained on batch by batch, and never in a snapshot. */
export interface GivenReflections {
  /** Examples, by whether their first answer was right. */
  readonly right: number;
  readonly wrong: number;
  /**
   * `count` examples from place `cursor` of the epoch-wise shuffled stream on. An example that comes twice is the same
   * object.
   * @throws UnusableProblemError when none can be used
   */
  take(cursor: number, count: number, settings: Settings, check: CheckExample): Promise<Taken<ReflectionExample>>;
}

export interface ProblemSource {
  /**
   * `count` problems from place `cursor` of a stage's training stream on; the stream has no end.
   * @throws UnusableProblemError when none can be used, or where one is to stop the run
   */
  training(
    stage: Stage,
    cursor: number,
    count: number,
    settings: Settings,
    check: CheckProblem,
  ): Promise<Taken<TrainingProblem>>;
  /**
   * The first `count` problems that are never trained on; fewer only where problems that cannot be used are missing.
   * @throws Error when there are fewer
   */
  heldOut(count: number, settings: Settings, check: CheckProblem): Promise<Taken<TrainingProblem>>;
  /**
   * A held-out problem to look at, another for each `count`, of one family if named.
   * @throws Error when there is no such family
   */
  requested(count: number, family: string | null, settings: Settings, check: CheckProblem): Promise<TrainingProblem>;
  /** @throws Error when there is no problem of this id; UnusableProblemError when its picture cannot be read */
  problemOf(id: string): Promise<TrainingProblem>;
  /** Null: the session collects its own answers and lets the built-in teacher write. */
  readonly reflections: GivenReflections | null;
}

/** The built-in picture tasks. */
export const taskSource: ProblemSource = {
  training: async (stage, cursor, count, settings) => ({ items: trainingProblems(stage, cursor, count, settings) }),
  heldOut: async (count, settings) => ({ items: heldOutProblems(count, settings) }),
  async requested(count, family, settings) {
    const known = FAMILY_NAMES.find((name) => name === family);
    if (family !== null && known === undefined)
      throw new Error(`sample: there is no family "${family}"; expected one of ${FAMILY_NAMES.join(", ")}`);
    return requestedProblem(count, known === undefined ? settings.families : [known]);
  },
  problemOf: async (id): Promise<Problem> => problemOf(id),
  reflections: null,
};
