/**
 * A served run on disk: files instead of the page's IndexedDB. The latest state is `snapshot.bin`, the one before
 * `snapshot.previous.bin`, with the same plan and logs as `srpo train`, so each command can resume the other's runs.
 * One process at a time.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { GroupRecord, StepMetrics } from "../../training/records";
import type { Event } from "../../worker/protocol";
import { LATEST, PREVIOUS, type SnapshotStore } from "../../worker/store";
import { readIfThere, writeAtomically } from "../files/atomicWrite";
import { refuseForeign } from "../run/runEntries";
import { RunLock } from "../run/runLock";
import { RunLogs } from "../run/runLogs";
import { type RunPlan, readPlan } from "../run/runPlan";
import { NEWEST as NEWEST_FILE, PREVIOUS as PREVIOUS_FILE, writeSnapshot } from "../run/snapshotFiles";

export class FolderStore implements SnapshotStore {
  constructor(private readonly folder: string) {}

  async put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (key === LATEST) await writeSnapshot(this.folder, bytes);
    else await writeAtomically(this.path(key), bytes);
  }

  get(key: string): Promise<Uint8Array | null> {
    return readIfThere(this.path(key));
  }

  async delete(key: string): Promise<void> {
    await rm(this.path(key), { force: true });
  }

  /** Keys contain colons, and slashes for dropped folders. */
  private path(key: string): string {
    if (key === LATEST) return join(this.folder, NEWEST_FILE);
    if (key === PREVIOUS) return join(this.folder, PREVIOUS_FILE);
    return join(this.folder, "kept", `${encodeURIComponent(key)}.bin`);
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
   * Lock the folder for this process.
   * @param onFault called when the logs cannot be written
   * @throws InputError when another process has it
   * @throws UsageError when it contains no run but other files
   */
  static async take(path: string, onFault: (error: Error) => void): Promise<ServedFolder> {
    const holds = (await readPlan(path)) !== null || (await new FolderStore(path).get(LATEST)) !== null;
    if (!holds) await refuseForeign(path, "run");
    return new ServedFolder(path, await RunLock.take(path), onFault);
  }

  get store(): SnapshotStore {
    return new FolderStore(this.path);
  }

  /** Whether the folder contains a run. */
  async holdsRun(): Promise<boolean> {
    return (await this.store.get(LATEST)) !== null || (await this.store.get(PREVIOUS)) !== null;
  }

  /** Start logging the run. */
  begin(plan: RunPlan): void {
    this.#logs = new RunLogs(this.path, plan.logs);
  }

  /** Cut the logs back when the run is opened or restored. */
  follow(event: Event): void {
    if (event.type === "opened" || event.type === "restored") this.write((logs) => logs.standAt(event.history));
  }

  /** A finished step. */
  step(metrics: StepMetrics, groups: readonly GroupRecord[]): void {
    this.write((logs) => logs.step(metrics, groups));
  }

  /** Finish writing and unlock the folder. */
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
