/**
 * Training without the page: stages in order, metrics as JSON lines, regular snapshots. A killed run resumes from its
 * last snapshot, bit for bit on the same backend.
 */
import { StepRefused } from "../../training/optimiserStep";
import type { GroupRecord, StepMetrics, TrainedStage } from "../../training/records";
import type { Session } from "../../training/session";
import { UnusableProblemError } from "../../training/unusableProblem";
import { InputError } from "../files/inputError";
import type { RunFolder } from "./runFolder";

export interface TrainPlan {
  readonly stages: readonly TrainedStage[];
  /** Steps between snapshots. */
  readonly saveEvery: number;
}

export interface TrainEvents {
  /** Awaited, so that an evaluation sees the weights of this step. */
  onStep?(metrics: StepMetrics, planned: number, groups: readonly GroupRecord[]): void | Promise<void>;
  onData?(collected: number, wanted: number): void;
  onRefused?(message: string): void;
}

/** The run stops after this many refused steps in a row. */
const MAX_REFUSALS = 3;

/**
 * Train the remaining steps of the plan.
 * @throws StepRefused after three refused steps in a row
 */
export async function trainStages(
  session: Session,
  plan: TrainPlan,
  folder: RunFolder,
  events: TrainEvents = {},
): Promise<void> {
  for (const stage of remaining(session, plan.stages)) {
    if (session.stage !== stage) {
      await session.enter(stage);
      await folder.save(session);
    }
    await trainStage(session, stage, plan.saveEvery, folder, events);
    await folder.save(session);
    await folder.writeTrained(session, stage);
  }
}

/**
 * The current stage and those after it; before them, all of them.
 * @throws InputError when the run is past all of them
 */
function remaining(session: Session, stages: readonly TrainedStage[]): readonly TrainedStage[] {
  // biome-ignore lint/complexity/useIndexOf: indexOf takes no stage that may be the base.
  const at = stages.findIndex((stage) => stage === session.stage);
  if (at < 0 && session.stage === "grpo")
    throw new InputError(
      `the run's snapshot is in the stage grpo, its plan has only ${stages.join(", ")}: restore plan.json or the ` +
        "snapshot, or start a new run from the trained policy",
    );
  return at < 0 ? stages : stages.slice(at);
}

async function trainStage(
  session: Session,
  stage: TrainedStage,
  saveEvery: number,
  folder: RunFolder,
  events: TrainEvents,
): Promise<void> {
  let refusals = 0;
  while (session.step < session.settings[stage].steps) {
    try {
      const result = await session.phase();
      if (result.kind === "data") {
        events.onData?.(result.progress.collected, result.progress.wanted);
        if (result.progress.collected >= result.progress.wanted) await folder.save(session);
      }
      if (result.kind !== "stepped") continue;
      refusals = 0;
      await folder.log(result.metrics, result.groups);
      await events.onStep?.(result.metrics, session.settings[stage].steps, result.groups);
      if (session.step % saveEvery === 0) await folder.save(session);
    } catch (error) {
      if (!(error instanceof StepRefused)) {
        // The step was not begun: the run goes on from here when the record is mended.
        if (error instanceof InputError || error instanceof UnusableProblemError) await folder.save(session);
        throw error;
      }
      if (++refusals >= MAX_REFUSALS) {
        // A refused step leaves the session whole: none of the steps before it is lost.
        await folder.save(session);
        throw error;
      }
      events.onRefused?.(error.message);
    }
  }
}
