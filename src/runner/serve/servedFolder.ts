/**
 * A served run on disk: what the page keeps in IndexedDB, as files. The latest state is `snapshot.bin`, as `srpo train`
 * writes it, with the same plan and logs beside it, so that a run begun by one command can be continued by the other.
 * One process at a time.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { GroupRecord, StepMetrics } from "../../training/records";
import type { Event } from "../../worker/protocol";
import { LATEST, type SnapshotStore } from "../../worker/store";
import { readIfThere, writeAtomically } from "../files/atomicWrite";
import { RunLock } from "../run/runLock";
import { RunLogs } from "../run/runLogs";
import type { RunPlan } from "../run/runPlan";

export class FolderStore implements SnapshotStore {
  constructor(private readonly folder: string) {}

  async put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await writeAtomically(this.path(key), bytes);
  }

  get(key: string): Promise<Uint8Array | null> {
    return readIfThere(this.path(key));
  }

  async delete(key: string): Promise<void> {
    await rm(this.path(key), { force: true });
  }

  /** Keys hold colons and, of dropped folders, slashes. */
  private path(key: string): string {
    return key === LATEST
      ? join(this.folder, "snapshot.bin")
      : join(this.folder, "kept", `${encodeURIComponent(key)}.bin`);
  }
}

export class ServedFolder {
  #writing: Promise<void> = Promise.resolve();
  #logs: RunLogs | null = null;

  private constructor(
    readonly path: string,
    private readonly lock: RunLock,
    private readonly onFault: (error: Error) => void,
  ) {}

  /**
   * Take the folder, for this process alone.
   * @param onFault told when the logs cannot be written
   * @throws UsageError when another process has it
   */
  static async take(path: string, onFault: (error: Error) => void): Promise<ServedFolder> {
    return new ServedFolder(path, await RunLock.take(path), onFault);
  }

  get store(): SnapshotStore {
    return new FolderStore(this.path);
  }

  /** Does the folder hold a run? */
  async holdsRun(): Promise<boolean> {
    return (await this.store.get(LATEST)) !== null;
  }

  /** What the run is from now on; its logs follow it. */
  begin(plan: RunPlan): void {
    this.#logs = new RunLogs(this.path, plan.logs);
  }

  /** The run goes back, or is opened: keep the logs in step with it. */
  follow(event: Event): void {
    if (event.type === "opened" || event.type === "restored") this.write((logs) => logs.standAt(event.history));
  }

  /** A finished step. */
  step(metrics: StepMetrics, groups: readonly GroupRecord[]): void {
    this.write((logs) => logs.step(metrics, groups));
  }

  /** Write what is left, and let another process have the folder. */
  async release(): Promise<void> {
    await this.#writing;
    await this.lock.release();
  }

  private write(job: (logs: RunLogs) => Promise<void>): void {
    const logs = this.#logs;
    if (logs === null) return;
    this.#writing = this.#writing
      .then(() => job(logs))
      .catch((error: unknown) => this.onFault(error instanceof Error ? error : new Error(String(error))));
  }
}
