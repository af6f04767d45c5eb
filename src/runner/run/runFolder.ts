/**
 * A run on disk: plan.json (what the run is), snapshot.bin (where it stands), its logs, and a folder for each finished
 * stage with what was trained. Each file is the old or the new one whenever the process is killed; a run goes on from
 * its snapshot, and its logs are cut back to it first.
 */
import { join } from "node:path";
import type { GroupRecord, StepMetrics } from "../../training/records";
import type { Session } from "../../training/session";
import { decodeSnapshot, encodeSnapshot } from "../../training/snapshot";
import { UsageError } from "../arguments/usage";
import { readIfThere, writeAtomically, writeFolder } from "../files/atomicWrite";
import { reloadAdapter, reloadPolicy } from "./reloaded";
import { RunLogs } from "./runLogs";
import { type RunPlan, writePlan } from "./runPlan";

export class RunFolder {
  readonly #logs: RunLogs;

  constructor(
    readonly path: string,
    private readonly plan: RunPlan,
  ) {
    this.#logs = new RunLogs(path, plan.logs);
  }

  private get snapshotPath(): string {
    return join(this.path, "snapshot.bin");
  }

  async save(session: Session): Promise<void> {
    await writeAtomically(this.snapshotPath, encodeSnapshot(await session.snapshot()));
  }

  /** The plan is written last: a folder with a plan has a snapshot to begin from. */
  async begin(session: Session): Promise<void> {
    await this.save(session);
    await this.#logs.standAt([]);
    await writePlan(this.path, this.plan);
  }

  /** Restore the last snapshot and cut the logs back to it. @throws UsageError when there is none */
  async restore(session: Session): Promise<void> {
    const bytes = await readIfThere(this.snapshotPath);
    if (bytes === null) throw new UsageError(`${this.snapshotPath}: missing; the run cannot be continued`);
    await session.restore(decodeSnapshot(bytes));
    await this.#logs.standAt(session.history);
  }

  /** Log a finished step. */
  log(metrics: StepMetrics, groups: readonly GroupRecord[]): Promise<void> {
    return this.#logs.step(metrics, groups);
  }

  /**
   * Write what a stage trained into a folder of its name, open that folder again and compare. @throws Error when it
   * differs
   */
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
