/**
 * The lifecycle of the host's one run: open, resume from the store, recover on a new device, close. Keeps the policy's
 * files, so recovery needs no network.
 */
import type { CheckpointFiles } from "../policy/checkpoint/checkpointFiles";
import { configure } from "../training/configure";
import type { ProblemSource } from "../training/problemSource";
import type { Scorer } from "../training/score";
import { defaultSettings } from "../training/settings";
import type { Snapshot } from "../training/snapshot";
import { type Command, type Event, type PolicySource, type ShippedName, STAGE_OF_SHIPPED } from "./protocol";
import {
  adapterOf,
  closeRun,
  download,
  type LoadPolicy,
  loadPolicy,
  type OnProgress,
  type OpenBackend,
  type OpenReplicas,
  openRun,
  type Run,
} from "./run";
import type { RunStore } from "./runStore";
import type { SnapshotStore } from "./store";
import { storedSource, storeSource } from "./storedSource";

export type OpenCommand = Extract<Command, { type: "open" }>;
/** An event without its run, which the host adds. */
export type EventBody = Event extends infer E ? (E extends Event ? Omit<E, "run"> : never) : never;

export interface LifecycleDependencies {
  readonly openBackend: OpenBackend;
  readonly openReplicas: OpenReplicas;
  /** The folder of a source; `base`: URL that the shipped policies are relative to. */
  readonly filesOf: (source: PolicySource, base: string | undefined) => CheckpointFiles;
  /** Default: the whole policy, with the vision tower frozen or not as set. */
  readonly load?: LoadPolicy;
  /** Default: the built-in picture problems. */
  readonly source?: ProblemSource;
  /** Scores responses; the method's own by default. */
  readonly scorer?: Scorer;
  /** The files are local and can be read at any time, so none is kept in memory. */
  readonly filesAtHand?: boolean;
  /**
   * Called when the stored run cannot be resumed, before a new one is stored: makes room for it beside the other one.
   * Where it is absent, opening fails instead.
   */
  readonly leaveStored?: () => Promise<void>;
  readonly store: SnapshotStore;
  /** Milliseconds. */
  readonly now: () => number;
}

/** Give up after this many recoveries without a finished step. */
const MAX_RECOVERIES = 3;

/** The run cannot continue. */
export class FatalError extends Error {
  override readonly name = "FatalError";
}

export class RunLifecycle {
  #run: Run | null = null;
  #opening: { readonly command: OpenCommand; readonly files: CheckpointFiles } | null = null;
  #recoveries = 0;
  /** Group to re-evaluate after each update. It outlives the run, since the page sends it once. */
  #observedGroup: number | null = 0;

  /** @param onLost called when the device of the current run is lost between two pieces of work */
  constructor(
    private readonly dependencies: LifecycleDependencies,
    private readonly runStore: RunStore,
    private readonly post: (event: EventBody) => void,
    private readonly onLost: (run: Run, message: string) => void,
  ) {}

  /** @throws Error when no run is open */
  get run(): Run {
    if (this.#run === null) throw new Error("no run is open: send the command open first");
    return this.#run;
  }

  /** What the run started from. @throws Error when none was opened */
  get start(): ShippedName | "own" {
    if (this.#opening === null) throw new Error("no run is open: send the command open first");
    const { source } = this.#opening.command;
    return source.kind === "shipped" ? source.name : "own";
  }

  /** @throws Error when no run is open */
  requireRun(): void {
    void this.run;
  }

  /** Set the observed group, of the next run if none is open. */
  observe(group: number | null): void {
    this.#observedGroup = group;
    if (this.#run !== null) this.#run.session.observedGroup = group;
  }

  isCurrent(run: Run): boolean {
    return this.#run === run;
  }

  /** A step was finished: reset the count of recoveries. */
  trust(): void {
    this.#recoveries = 0;
  }

  /** → whether a stored run was resumed */
  async open(command: OpenCommand): Promise<boolean> {
    await this.close();
    this.trust();
    if (command.resume && (await this.resume(command))) return true;
    const downloadTime = await this.fetch(command, command.source);
    await this.begin(downloadTime, null);
    const { store } = this.dependencies;
    await this.runStore.start(await this.run.session.snapshot(), () => storeSource(store, command.source));
    return false;
  }

  /**
   * Open a new device and restore the last saved state.
   * @throws FatalError after MAX_RECOVERIES without a finished step
   */
  async recover(message: string): Promise<{ readonly otherBackend: boolean }> {
    const lost = this.run;
    this.#run = null;
    await closeRun(lost, true);
    for (let failure = message; ; ) {
      const attempt = ++this.#recoveries;
      const recovering = attempt <= MAX_RECOVERIES;
      this.post({ type: "deviceLost", message: failure, recovering, attempt: Math.min(attempt, MAX_RECOVERIES) });
      if (!recovering)
        throw new FatalError(
          `The device was lost ${MAX_RECOVERIES} times without a finished step: ${failure} ` +
            "Reload the page to continue from the last saved step.",
        );
      try {
        await this.begin(0, this.runStore.latest());
        return { otherBackend: this.run.opened.backend.name !== lost.opened.backend.name };
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
      }
    }
  }

  async close(): Promise<void> {
    const run = this.#run;
    this.#run = null;
    await this.runStore.settled();
    if (run !== null) await closeRun(run, false);
  }

  /** Resume the stored run from its policy. → false if there is none or it cannot be resumed, which is reported */
  private async resume(command: OpenCommand): Promise<boolean> {
    try {
      const kept = await this.runStore.resume();
      if (kept === null) return false;
      const source = (await storedSource(this.dependencies.store)) ?? command.source;
      await this.begin(await this.fetch(command, source), kept.snapshot);
      if (kept.damaged !== null) this.post({ type: "saving", state: "olderSave", message: kept.damaged });
      return true;
    } catch (error) {
      await this.close();
      if (this.dependencies.leaveStored === undefined) throw error;
      await this.dependencies.leaveStored();
      const message = error instanceof Error ? error.message : String(error);
      this.post({ type: "saving", state: "unreadable", message });
      return false;
    }
  }

  /** Read the policy's files. → milliseconds */
  private async fetch(command: OpenCommand, source: PolicySource): Promise<number> {
    const { now, filesOf, filesAtHand = false } = this.dependencies;
    const began = now();
    const files = filesOf(source, command.base);
    this.#opening = {
      command: { ...command, source },
      files: filesAtHand ? files : await download(files, this.progress),
    };
    return now() - began;
  }

  /** Open a backend, load the policy, and restore `from` if given. */
  private async begin(downloadTime: number, from: Snapshot | null): Promise<void> {
    if (this.#opening === null) throw new Error("no run is open: send the command open first");
    const { command, files } = this.#opening;
    const settings = from?.state.settings ?? configure(defaultSettings, command.settings);
    const stage = command.source.kind === "shipped" ? STAGE_OF_SHIPPED[command.source.name] : "base";
    const { openBackend, load = loadPolicy, source, scorer, now, openReplicas } = this.dependencies;
    const run = await openRun({
      openBackend,
      load,
      source,
      scorer,
      wanted: command.backend,
      files,
      settings,
      stage,
      downloadTime,
      now,
      onProgress: this.progress,
      openReplicas,
      onReplicas: this.replicas,
    });
    run.session.observedGroup = this.#observedGroup;
    this.#run = run;
    if (from !== null) await run.session.restore(from);
    void run.opened.backend.lost.then((error) => this.onLost(run, error.message));
  }

  /** A replica was lost or did not start. */
  private readonly replicas = (message: string): void => {
    this.post({ type: "error", fatal: false, message });
    if (this.#run !== null) this.post({ type: "adapter", adapter: adapterOf(this.#run) });
  };

  private readonly progress: OnProgress = (what, done, total) => this.post({ type: "progress", what, done, total });
}
