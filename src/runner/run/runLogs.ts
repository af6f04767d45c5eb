/**
 * The logs of a run: metrics.jsonl, and as its plan says a TensorBoard event file and one completions table per step.
 * When a run resumes from a snapshot its logs are cut back to the snapshot's history, so each step is logged exactly
 * once.
 */
import { readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { GroupRecord, Stage, StepMetrics } from "../../training/records";
import { appendLine, writeAtomically } from "../files/atomicWrite";
import { completionsTable } from "./completions";
import { TABLE } from "./runEntries";
import type { RunPlan } from "./runPlan";
import { EVENT_FILE, EventFile } from "./tensorboard";

export class RunLogs {
  readonly #events: EventFile;
  readonly #completions: string;
  readonly metrics: string;

  constructor(
    folder: string,
    private readonly logs: RunPlan["logs"],
  ) {
    this.metrics = join(folder, "metrics.jsonl");
    this.#events = new EventFile(join(folder, "tensorboard", EVENT_FILE));
    this.#completions = join(folder, "completions");
  }

  /** A finished step. */
  async step(metrics: StepMetrics, groups: readonly GroupRecord[]): Promise<void> {
    await appendLine(this.metrics, metrics);
    if (this.logs.tensorboard) await this.#events.append(metrics);
    const { stage, step } = metrics;
    if (this.logs.completions && groups.length > 0)
      await writeAtomically(
        join(this.#completions, tableName(stage, step)),
        await completionsTable(stage, step, groups),
      );
  }

  /** Bring the logs in line with `history`: empty for a new run. */
  async standAt(history: readonly StepMetrics[]): Promise<void> {
    await writeAtomically(this.metrics, history.map((metrics) => `${JSON.stringify(metrics)}\n`).join(""));
    if (this.logs.tensorboard) await this.#events.restore(history);
    if (this.logs.completions) await this.removeTablesAfter(history);
  }

  private async removeTablesAfter(history: readonly StepMetrics[]): Promise<void> {
    const known = new Set(history.map(({ stage, step }) => tableName(stage, step)));
    const names = await readdir(this.#completions).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    for (const name of names) if (TABLE.test(name) && !known.has(name)) await unlink(join(this.#completions, name));
  }
}

/** Names in order of the steps, e.g. grpo-000012.parquet. */
function tableName(stage: Stage, step: number): string {
  return `${stage}-${String(step).padStart(6, "0")}.parquet`;
}
