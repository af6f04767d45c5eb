/**
 * A run on disk: plan.json (what the run is), snapshot.bin (where it stands), metrics.jsonl and the other logs, and a folder
 * for each finished stage with what was trained. Each file is the old or the new one whenever the process is killed;
 * a run goes on from its snapshot, and its logs are cut back to it first.
 */
import { readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { GroupRecord, Stage, StepMetrics } from "../training/records";
import type { Session } from "../training/session";
import { decodeSnapshot, encodeSnapshot } from "../training/snapshot";
import { appendLine, readIfThere, writeAtomically, writeFolder } from "./atomicWrite";
import { completionsTable } from "./completions";
import { reloadAdapter, reloadPolicy } from "./reloaded";
import { dataSchema, logsSchema, loraSchema, runConfigSchema } from "./runConfig";
import { EVENT_FILE, EventFile } from "./tensorboard";
import { UsageError } from "./usage";

/** What stays fixed over a run, however often it is resumed. Keys that older runs lack have their values then. */
const planSchema = z.object({
  stages: z.array(z.enum(["sft", "grpo"])).nonempty(),
  saveEvery: z.int().positive(),
  policy: z.string(),
  home: runConfigSchema.shape.home,
  lora: loraSchema.prefault({}),
  data: dataSchema.prefault({}),
  logs: logsSchema.prefault({ tensorboard: false, completions: false }),
});

export type RunPlan = z.output<typeof planSchema>;

/** A plan with the defaults of what is left out. */
export function planOf(plan: z.input<typeof planSchema>): RunPlan {
  return planSchema.parse(plan);
}

export class RunFolder {
  /** Which logs are written besides the metrics; what the plan says. */
  #logs: RunPlan["logs"] = { tensorboard: false, completions: false };
  readonly #events: EventFile;

  constructor(readonly path: string) {
    this.#events = new EventFile(join(path, "tensorboard", EVENT_FILE));
  }

  get metrics(): string { return join(this.path, "metrics.jsonl"); }
  private get completionsPath(): string { return join(this.path, "completions"); }
  private get snapshotPath(): string { return join(this.path, "snapshot.bin"); }
  private get planPath(): string { return join(this.path, "plan.json"); }

  async save(session: Session): Promise<void> {
    await writeAtomically(this.snapshotPath, encodeSnapshot(await session.snapshot()));
  }

  /** The stored plan; null where no run has begun here. @throws UsageError when it cannot be read */
  async plan(): Promise<RunPlan | null> {
    const bytes = await readIfThere(this.planPath);
    if (bytes === null) return null;
    const parsed = planSchema.safeParse(jsonOrNull(bytes));
    if (!parsed.success) throw new UsageError(`${this.planPath}: not the plan of a run; remove the folder or choose another --out`);
    return parsed.data;
  }

  /** The plan is written last: a folder with a plan has a snapshot to begin from. */
  async begin(plan: RunPlan, session: Session): Promise<void> {
    this.#logs = plan.logs;
    await this.save(session);
    await writeAtomically(this.metrics, "");
    if (plan.logs.tensorboard) await this.#events.begin();
    await writeAtomically(this.planPath, `${JSON.stringify(plan, null, 2)}\n`);
  }

  /** Restore the last snapshot and cut the logs back to it. @throws UsageError when there is none */
  async restore(session: Session): Promise<void> {
    this.#logs = (await this.plan())?.logs ?? this.#logs;
    const bytes = await readIfThere(this.snapshotPath);
    if (bytes === null) throw new UsageError(`${this.snapshotPath}: missing; the run cannot be continued`);
    await session.restore(decodeSnapshot(bytes));
    await writeAtomically(this.metrics, session.history.map((metrics) => `${JSON.stringify(metrics)}\n`).join(""));
    if (this.#logs.tensorboard) await this.#events.restore(session.history);
    if (this.#logs.completions) await this.removeCompletionsAfter(session.history);
  }

  /** Log a finished step. */
  async log(metrics: StepMetrics, groups: readonly GroupRecord[]): Promise<void> {
    await appendLine(this.metrics, metrics);
    if (this.#logs.tensorboard) await this.#events.append(metrics);
    const { stage, step } = metrics;
    if (this.#logs.completions && groups.length > 0) await writeAtomically(join(this.completionsPath, tableName(stage, step)), await completionsTable(stage, step, groups));
  }

  private async removeCompletionsAfter(history: readonly StepMetrics[]): Promise<void> {
    const known = new Set(history.map(({ stage, step }) => tableName(stage, step)));
    const names = await readdir(this.completionsPath).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return [];
      throw error;
    });
    for (const name of names) if (!known.has(name)) await unlink(join(this.completionsPath, name));
  }

  /** Write what a stage trained into a folder of its name, open that folder again and compare. @throws Error when it differs */
  async writeTrained({ policy }: Session, name: string): Promise<void> {
    const folder = join(this.path, name);
    if (policy.model.lora === null) {
      await writeFolder(folder, await policy.toFiles());
      await reloadPolicy(policy, folder);
    } else {
      await writeFolder(folder, await policy.adapterFiles());
      await reloadAdapter(policy, folder);
    }
  }
}

/** Names in order of the steps, e.g. grpo-000012.parquet. */
function tableName(stage: Stage, step: number): string {
  return `${stage}-${String(step).padStart(6, "0")}.parquet`;
}

/** Null for what is no JSON: no schema takes it. */
function jsonOrNull(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
