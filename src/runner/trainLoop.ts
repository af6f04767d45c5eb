/**
 * Training without a page: stages one after the other, metrics as JSON lines, a snapshot now and then. After a kill the
 * run goes on from its last snapshot, bit for bit on the same home; the metrics file is cut back to that snapshot first.
 */
import { join } from "node:path";
import { z } from "zod";
import { StepRefused } from "../training/optimiserStep";
import type { Stage, StepMetrics } from "../training/records";
import type { Session } from "../training/session";
import { decodeSnapshot, encodeSnapshot } from "../training/snapshot";
import { appendLine, readIfThere, writeAtomically, writeFolder } from "./atomicWrite";
import { UsageError } from "./usage";

export type TrainedStage = Exclude<Stage, "base">;

export interface TrainPlan {
  readonly stages: readonly TrainedStage[];
  /** Steps between snapshots. */
  readonly saveEvery: number;
}

export interface TrainEvents {
  /** Awaited, so that an evaluation sees the weights of this very step. */
  onStep?(metrics: StepMetrics, planned: number): void | Promise<void>;
  onData?(collected: number, wanted: number): void;
  onRefused?(message: string): void;
}

/** Refused steps in a row after which a run gives up. */
const MAX_REFUSALS = 3;

/** A run's folder: snapshot.bin, metrics.jsonl, plan.json, and policy/ when a stage is done. */
export class RunFolder {
  constructor(readonly path: string) {}

  get metrics(): string { return join(this.path, "metrics.jsonl"); }
  private get snapshotPath(): string { return join(this.path, "snapshot.bin"); }
  private get planPath(): string { return join(this.path, "plan.json"); }

  async save(session: Session): Promise<void> {
    await writeAtomically(this.snapshotPath, encodeSnapshot(await session.snapshot()));
  }

  /** The stored plan; null where no run has begun here. @throws UsageError when it cannot be read */
  async plan(): Promise<TrainPlan & { readonly policy: string } | null> {
    const bytes = await readIfThere(this.planPath);
    if (bytes === null) return null;
    const parsed = planSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    if (!parsed.success) throw new UsageError(`${this.planPath}: not the plan of a run; remove the folder or choose another --out`);
    return parsed.data;
  }

  /** The plan is written last: a folder with a plan has a snapshot to begin from. */
  async begin(plan: TrainPlan & { readonly policy: string }, session: Session): Promise<void> {
    await this.save(session);
    await writeAtomically(this.metrics, "");
    await writeAtomically(this.planPath, `${JSON.stringify(plan, null, 2)}\n`);
  }

  /** Restore the last snapshot and cut the metrics back to it. @throws UsageError when there is none */
  async restore(session: Session): Promise<void> {
    const bytes = await readIfThere(this.snapshotPath);
    if (bytes === null) throw new UsageError(`${this.snapshotPath}: missing; the run cannot be continued`);
    await session.restore(decodeSnapshot(bytes));
    await writeAtomically(this.metrics, session.history.map((metrics) => `${JSON.stringify(metrics)}\n`).join(""));
  }

  async writePolicy(session: Session, name: string): Promise<void> {
    await writeFolder(join(this.path, name), await session.policy.toFiles());
  }
}

const planSchema = z.object({ stages: z.array(z.enum(["sft", "grpo"])).nonempty(), saveEvery: z.int().positive(), policy: z.string() });

/**
 * Run what is left of the plan.
 * @throws StepRefused after three refused steps in a row
 */
export async function trainStages(session: Session, plan: TrainPlan, folder: RunFolder, events: TrainEvents = {}): Promise<void> {
  for (const stage of remaining(session, plan.stages)) {
    if (session.stage !== stage) {
      await session.enter(stage);
      await folder.save(session);
    }
    await trainStage(session, stage, plan.saveEvery, folder, events);
    await folder.save(session);
    await folder.writePolicy(session, stage);
  }
}

/** The stage the session is in and those after it; a session still at the base has everything before it. */
function remaining(session: Session, stages: readonly TrainedStage[]): readonly TrainedStage[] {
  const at = stages.findIndex((stage) => stage === session.stage);
  return at < 0 ? stages : stages.slice(at);
}

async function trainStage(session: Session, stage: TrainedStage, saveEvery: number, folder: RunFolder, events: TrainEvents): Promise<void> {
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
      await appendLine(folder.metrics, result.metrics);
      await events.onStep?.(result.metrics, session.settings[stage].steps);
      if (session.step % saveEvery === 0) await folder.save(session);
    } catch (error) {
      if (!(error instanceof StepRefused) || ++refusals >= MAX_REFUSALS) throw error;
      events.onRefused?.(error.message);
    }
  }
}
