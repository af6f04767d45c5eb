/**
 * The worker's end of the protocol: owns one run and does what commands say, one at a time. Plays on promises and the
 * message loop (never requestAnimationFrame, which a hidden tab stops), so commands are heard between phases.
 *
 * A lost device: a new one is opened, the last kept state restored, and the work that failed done again; at most
 * three times without a finished step in between, and the page is told each time.
 */
import { DeviceLostError } from "../tensor/home";
import type { CheckpointFiles } from "../policy/checkpointFiles";
import { configure } from "../training/configure";
import { StepRefused } from "../training/optimiserStep";
import type { PhaseResult } from "../training/session";
import { defaultSettings } from "../training/settings";
import type { Snapshot } from "../training/snapshot";
import { GroupFeed } from "./groupFeed";
import { Keeper } from "./keeper";
import { parseCommand } from "./parse";
import type { Command, Event, PolicySource, Stage } from "./protocol";
import { closeRun, download, openRun, type OpenHome, type Run } from "./run";
import type { SnapshotStore } from "./store";

export interface HostDependencies {
  readonly openHome: OpenHome;
  /** The folder that a source names; `base`: address that the shipped ones are relative to. */
  readonly filesOf: (source: PolicySource, base: string | undefined) => CheckpointFiles;
  readonly store: SnapshotStore;
  readonly post: (event: Event, transfer: Transferable[]) => void;
  /** Milliseconds. */
  readonly now: () => number;
  /** Resolves after `ms`; 0 lets waiting messages be heard. */
  readonly sleep: (ms: number) => Promise<void>;
}

type Open = Extract<Command, { type: "open" }>;
type EventBody = Event extends infer E ? (E extends Event ? Omit<E, "run"> : never) : never;

const INTERRUPTING: ReadonlySet<Command["type"]> = new Set(["pause", "open", "stage", "reset", "restore", "close"]);
const STEPPING: ReadonlySet<Command["type"]> = new Set(["step", "phase"]);
const MAX_RECOVERIES = 3;
/** Where a shipped policy's lesson goes on. */
const STAGE_OF_SHIPPED: Readonly<Record<"base" | "sft" | "srpo", Stage>> = { base: "base", sft: "grpo", srpo: "grpo" };

export class Host {
  /** The run that events speak of, and the one that commands are taken for: they differ while another run is being opened. */
  #id = "";
  #wanted = "";
  #run: Run | null = null;
  #opening: { readonly command: Open; readonly files: CheckpointFiles } | null = null;
  #queue: Promise<void> = Promise.resolve();
  /** Serialises everything that touches the session: phases of a playing run and commands between them. */
  #turn: Promise<void> = Promise.resolve();
  #playing: Promise<void> | null = null;
  #stopping = false;
  #recoveries = 0;
  readonly #keeper: Keeper;
  readonly #feed: GroupFeed;

  constructor(private readonly dependencies: HostDependencies) {
    this.#keeper = new Keeper(dependencies.store, (error) => this.post({ type: "error", message: `This run is not being saved: ${error.message}`, fatal: false }));
    this.#feed = new GroupFeed((post) => this.post({ type: "phase", ...post }), dependencies.now);
  }

  /** A message from the page. Commands are done in order; one that fails is reported and does not stop the next. */
  receive(message: unknown): void {
    let command: Command;
    try {
      command = parseCommand(message);
    } catch (error) {
      return this.fail(error, false);
    }
    if (command.type === "open") this.#wanted = command.run;
    else if (command.run !== this.#wanted) return;
    // These end playing at the next phase without waiting for their turn in the queue; all but another step also end a long step.
    if (INTERRUPTING.has(command.type) || (this.#playing !== null && STEPPING.has(command.type))) this.#stopping = true;
    this.#queue = this.#queue.then(() => this.handle(command).catch((error: unknown) => this.fail(error, command.type === "open")));
  }

  /** Resolves when every command received so far is done and, if it plays, playing has ended. */
  async idle(): Promise<void> {
    await this.#queue;
    await this.#playing;
    await this.#keeper.settled();
  }

  private async handle(command: Command): Promise<void> {
    if (command.type !== "open" && command.run !== this.#id) return;
    switch (command.type) {
      case "open": return this.open(command);
      case "play": return this.play(command.delay, command.until);
      case "pause": return this.stop();
      case "step": return this.stopped(() => this.stepThrough());
      case "phase": return this.stopped(async () => void await this.phase(true));
      case "stage": return this.stopped(() => this.enter(command.stage));
      case "reset": return this.stopped(() => this.backTo(async () => {
        const start = await this.#keeper.reset();
        await this.#keeper.start(start);
        return start;
      }));
      case "restore": return this.stopped(() => this.backTo(async () => {
        const snapshot = await this.#keeper.rewind(command.snapshot);
        await this.#keeper.keep(snapshot);
        return snapshot;
      }));
      case "configure": return this.work(async ({ session }) => this.post({ type: "configured", settings: session.configure(command.settings) }));
      case "watch": return this.work(async ({ session }) => void (session.watched = command.group));
      case "sample": return this.work(async ({ session }) => this.post({ type: "sampled", group: await session.sample(command.family, command.greedy) }));
      case "evaluate": return this.work(async ({ session }) => {
        const evaluation = await session.evaluate(command.problems, { onProgress: (done, total) => this.post({ type: "progress", what: "evaluate", done, total }) });
        this.post({ type: "evaluated", evaluation });
      });
      case "export": return this.work(async ({ policy }) => {
        const files = [...await policy.toFiles()].map(([path, bytes]) => ({ path, bytes: Uint8Array.from(bytes).buffer }));
        this.post({ type: "exported", files }, files.map((file) => file.bytes));
      });
      case "loseDevice": return this.inTurn(() => this.recover("The device was destroyed on request."));
      case "close": return this.stopped(() => this.close());
      default: return command satisfies never;
    }
  }

  private async open(command: Open): Promise<void> {
    await this.stop();
    await this.close();
    this.#id = command.run;
    this.#stopping = false;
    this.#recoveries = 0;
    const { now, filesOf } = this.dependencies;
    const began = now();
    const files = await download(filesOf(command.source, command.base), (what, done, total) => this.post({ type: "progress", what, done, total }));
    this.#opening = { command, files };
    const resumed = command.resume && await this.resume(now() - began);
    if (!resumed) {
      await this.start(now() - began, null);
      await this.#keeper.start(await this.run().session.snapshot());
    }
    this.postOpened(resumed);
  }

  /** Go on with the stored run. → false where there is none, or it cannot be used, which is said */
  private async resume(downloadTime: number): Promise<boolean> {
    try {
      const kept = await this.#keeper.resume();
      if (kept === null) return false;
      await this.start(downloadTime, kept);
      return true;
    } catch (error) {
      await this.close();
      this.fail(new Error(`The stored run could not be continued, a fresh one is started: ${error instanceof Error ? error.message : String(error)}`), false);
      return false;
    }
  }

  /** Open a home, load the policy, and go on from `from` if given. */
  private async start(downloadTime: number, from: Snapshot | null): Promise<void> {
    if (this.#opening === null) throw new Error("no run is open; send open first");
    const { command, files } = this.#opening;
    const settings = from?.state.settings ?? configure(defaultSettings, command.settings);
    const stage = command.source.kind === "shipped" ? STAGE_OF_SHIPPED[command.source.name] : "base";
    const run = await openRun(this.dependencies.openHome, command.home, files, settings, stage, downloadTime, this.dependencies.now,
      (what, done, total) => this.post({ type: "progress", what, done, total }));
    run.session.watched = 0;
    this.#run = run;
    if (from !== null) await run.session.restore(from);
    void run.opened.home.lost.then((error) => this.inTurn(async () => {
      if (this.#run === run) await this.recover(error.message);
    })).catch((error: unknown) => this.fail(error, true));
  }

  private postOpened(resumed: boolean): void {
    const { opened: { home, passedOver }, policy, session, costs } = this.run();
    const { adapter, features } = home.description;
    this.post({
      type: "opened", home: home.name, adapter, features, costs, passedOver, parameters: policy.parameters.count,
      settings: session.settings, stage: session.stage, step: session.step, resumed, history: session.history,
    });
    this.post({ type: "snapshots", snapshots: [...this.#keeper.timeline] });
    if (session.groups.length > 0) this.#feed.offer({ phase: madeBefore(session.nextPhase), step: session.step + 1, groups: session.groups }, true);
  }

  private async play(delay: number, until: number | null): Promise<void> {
    await this.stop();
    this.#stopping = false;
    this.run();
    this.post({ type: "playing", playing: true });
    this.#playing = this.playOn(delay, until).catch((error: unknown) => this.fail(error, false)).finally(() => {
      this.#playing = null;
      this.#feed.flush();
      this.post({ type: "playing", playing: false });
    });
  }

  private async playOn(delay: number, until: number | null): Promise<void> {
    while (!this.#stopping) {
      const result = await this.phase(delay > 0);
      if (result === null || (result.kind === "stepped" && this.arrived(result.step, until))) return;
      await this.dependencies.sleep(delay);
    }
  }

  /** Has playing come to its end: the given step, else the stage's planned number of steps? */
  private arrived(step: number, until: number | null): boolean {
    const { stage, settings } = this.run().session;
    if (until !== null) return step >= until;
    return stage !== "base" && step === settings[stage].steps;
  }

  private async stepThrough(): Promise<void> {
    while (!this.#stopping) {
      const result = await this.phase(true);
      if (result === null || result.kind === "stepped") return;
      await this.dependencies.sleep(0);
    }
  }

  /** One phase; null when the step was refused. @param every post its groups in any case */
  private async phase(every: boolean): Promise<PhaseResult | null> {
    let result: PhaseResult | null = null;
    await this.work(async ({ session }) => {
      const step = session.step + 1;
      this.post({ type: "phaseStarted", phase: session.nextPhase, step });
      try {
        result = await session.phase();
      } catch (error) {
        if (!(error instanceof StepRefused)) throw error;
        this.post({ type: "refused", step, message: error.message });
        return;
      }
      this.report(result, every);
      if (result.kind === "groups") return;
      await this.#keeper.keep(await session.snapshot());
      if (result.kind === "stepped") {
        this.#recoveries = 0;
        this.post({ type: "snapshots", snapshots: [...this.#keeper.timeline] });
      }
    });
    return result;
  }

  private report(result: PhaseResult, every: boolean): void {
    switch (result.kind) {
      case "groups": return this.#feed.offer({ phase: result.phase, step: result.step, groups: result.groups }, every);
      case "data": return this.post({ type: "data", progress: result.progress, examples: result.examples });
      case "stepped":
        if (result.groups.length > 0) this.#feed.offer({ phase: "update", step: result.step, groups: result.groups }, every);
        return this.post({ type: "stepped", metrics: result.metrics });
      default: return result satisfies never;
    }
  }

  private enter(stage: Stage): Promise<void> {
    return this.work(async ({ session }) => {
      await session.enter(stage);
      const snapshot = await session.snapshot();
      await this.#keeper.keep(snapshot);
      await this.#keeper.mark(snapshot, stage);
      this.#feed.clear();
      this.post({ type: "stage", stage, step: session.step });
      this.post({ type: "snapshots", snapshots: [...this.#keeper.timeline] });
    });
  }

  private backTo(take: () => Promise<Snapshot>): Promise<void> {
    return this.work(async ({ session }) => {
      await session.restore(await take());
      this.postRestored();
    });
  }

  private postRestored(): void {
    const { session } = this.run();
    this.#feed.clear();
    this.post({ type: "restored", stage: session.stage, step: session.step, history: session.history });
    this.post({ type: "snapshots", snapshots: [...this.#keeper.timeline] });
  }

  /** Do something with the run when its turn comes, again after a lost device. */
  private work(job: (run: Run) => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      for (;;) {
        const run = this.run();
        try {
          return await job(run);
        } catch (error) {
          if (!(error instanceof DeviceLostError)) throw error;
          await this.recover(error.message);
        }
      }
    });
  }

  private inTurn<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(job);
    this.#turn = result.then(() => undefined, () => undefined);
    return result;
  }

  /** A new device, with the last kept state on it. @throws Error after MAX_RECOVERIES without a finished step */
  private async recover(message: string): Promise<void> {
    const lost = this.run();
    const before = lost.opened.home.name;
    this.#run = null;
    await closeRun(lost, true);
    for (let failure = message; ;) {
      const attempt = ++this.#recoveries;
      const recovering = attempt <= MAX_RECOVERIES;
      this.post({ type: "deviceLost", message: failure, recovering, attempt: Math.min(attempt, MAX_RECOVERIES) });
      if (!recovering) throw new FatalError(`The device was lost ${MAX_RECOVERIES} times without a finished step: ${failure} Reload the page to go on from the last saved step.`);
      try {
        await this.start(0, this.#keeper.latest());
        break;
      } catch (error) {
        failure = error instanceof Error ? error.message : String(error);
      }
    }
    if (this.run().opened.home.name !== before) this.postOpened(true);
    this.postRestored();
  }

  private async stop(): Promise<void> {
    this.#stopping = true;
    await this.#playing;
    await this.#turn;
  }

  /** Do something once playing has ended. */
  private async stopped(job: () => Promise<void>): Promise<void> {
    await this.stop();
    this.#stopping = false;
    await job();
  }

  private async close(): Promise<void> {
    const run = this.#run;
    this.#run = null;
    await this.#keeper.settled();
    if (run !== null) await closeRun(run, false);
  }

  private run(): Run {
    if (this.#run === null) throw new Error("no run is open; send open first");
    return this.#run;
  }

  private fail(error: unknown, fatal: boolean): void {
    this.post({ type: "error", message: error instanceof Error ? error.message : String(error), fatal: fatal || error instanceof FatalError });
  }

  private post(event: EventBody, transfer: Transferable[] = []): void {
    this.dependencies.post({ ...event, run: this.#id }, transfer);
  }
}

/** The run cannot go on. */
class FatalError extends Error {
  override readonly name = "FatalError";
}

/** The phase whose results a resumed run shows: the one before the next. */
function madeBefore(next: string): "rollout" | "score" | "normalise" {
  return next === "score" ? "rollout" : next === "normalise" ? "score" : "normalise";
}
