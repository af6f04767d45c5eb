/**
 * A run on disk: plan.json (what the run is), snapshot.bin (its latest state) and the one before, its logs, and a
 * folder per finished stage with the trained weights. Writes are atomic. A resumed run continues from its newest
 * snapshot that can be read, and its logs are cut back to it first.
 */
import { join } from "node:path";
import type { GroupRecord, StepMetrics } from "../../training/records";
import type { Session } from "../../training/session";
import { encodeSnapshot } from "../../training/snapshot";
import { writeFolder } from "../files/atomicWrite";
import { InputError } from "../files/inputError";
import { reloadAdapter, reloadPolicy } from "./reloaded";
import { RunLogs } from "./runLogs";
import { type RunPlan, writePlan } from "./runPlan";
import { NEWEST, newestSnapshot, writeSnapshot } from "./snapshotFiles";

export class RunFolder {
  readonly #logs: RunLogs;

  constructor(
    readonly path: string,
    private readonly plan: RunPlan,
  ) {
    this.#logs = new RunLogs(path, plan.logs);
  }

  async save(session: Session): Promise<void> {
    await writeSnapshot(this.path, encodeSnapshot(await session.snapshot()));
  }

  /** The plan is written last, so a folder with a plan always has a snapshot. */
  async begin(session: Session): Promise<void> {
    await this.save(session);
    await this.#logs.standAt([]);
    await writePlan(this.path, this.plan);
  }

  /**
   * Restore the last snapshot and cut the logs back to it. → a warning where the newest is damaged and an older one was
   * taken, else null
   * @throws InputError when there is none
   */
  async restore(session: Session): Promise<string | null> {
    const found = await newestSnapshot(this.path);
    if (found === null)
      throw new InputError(`${join(this.path, NEWEST)}: not found; without it the run cannot be resumed`);
    await session.restore(found.snapshot);
    await this.#logs.standAt(session.history);
    return found.warning;
  }

  /** Log a finished step. */
  log(metrics: StepMetrics, groups: readonly GroupRecord[]): Promise<void> {
    return this.#logs.step(metrics, groups);
  }

  /** Write the trained weights of a stage into a folder, read it back and compare. @throws Error when it differs */
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
