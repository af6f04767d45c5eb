/**
 * The worker's end of the protocol: does what commands say, one at a time, with the one run it has. Plays on promises
 * and the message loop (never requestAnimationFrame, which a hidden tab stops), so commands are heard between phases.
 *
 * A lost device: a new one is opened, the last kept state restored, and the work that failed done again; at most
 * three times without a finished step in between, and the page is told each time (runLifecycle.ts).
 */
import { DeviceLostError } from "../tensor/backend";
import { StepRefused } from "../training/optimiserStep";
import type { GroupRecord, StepMetrics } from "../training/records";
import type { PhaseResult } from "../training/session";
import type { Snapshot } from "../training/snapshot";
import { GroupFeed, phaseBefore } from "./groupFeed";
import { parseCommand } from "./parse";
import type { Command, Event, Stage } from "./protocol";
import { adapterOf, type Run } from "./run";
import { type EventBody, FatalError, type LifecycleDependencies, type OpenCommand, RunLifecycle } from "./runLifecycle";
import { RunStore } from "./runStore";

export interface HostDependencies extends LifecycleDependencies {
  readonly post: (event: Event, transfer: Transferable[]) => void;
  /** A finished step with all its groups, for logs: events may pass groups over when steps come fast. */
  readonly onStep?: (metrics: StepMetrics, groups: readonly GroupRecord[]) => void;
  /** Resolves after `ms`; 0 lets waiting messages be heard. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** Commands that end playing, and a long step, at the next phase; a step or phase ends playing only. */
const INTERRUPTING: ReadonlySet<Command["type"]> = new Set(["pause", "open", "stage", "reset", "restore", "close"]);
const STEPPING: ReadonlySet<Command["type"]> = new Set(["step", "phase"]);

export class Host {
  /**
   * The run that events speak of, and the one that commands are taken for: they differ while another run is being
   * opened.
   */
  #id = "";
  #wanted = "";
  #queue: Promise<void> = Promise.resolve();
  /** Serialises everything that touches the session: phases of a playing run and commands between them. */
  #turn: Promise<void> = Promise.resolve();
  #playing: Promise<void> | null = null;
  #stopping = false;
  /**
   * Steps planned for the stage of the last finished phase; null in the base stage. Noted in the phase's turn, since
   * afterwards the run may be on its way to another device.
   */
  #planned: number | null = null;
  readonly #runStore: RunStore;
  readonly #feed: GroupFeed;
  readonly #life: RunLifecycle;

  constructor(private readonly dependencies: HostDependencies) {
    const post = (event: EventBody): void => this.post(event);
    this.#runStore = new RunStore(dependencies.store, (error) =>
      post({ type: "error", message: `This run is not being saved: ${error.message}`, fatal: false }),
    );
    this.#feed = new GroupFeed((groups) => post({ type: "phase", ...groups }), dependencies.now);
    this.#life = new RunLifecycle(dependencies, this.#runStore, post, (run, message) => {
      this.inTurn(async () => {
        if (this.#life.isCurrent(run)) await this.recover(message);
      }).catch((error: unknown) => this.fail(error, true));
    });
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
    if (INTERRUPTING.has(command.type) || (this.#playing !== null && STEPPING.has(command.type))) this.#stopping = true;
    this.#queue = this.#queue.then(() =>
      this.handle(command).catch((error: unknown) => this.fail(error, command.type === "open")),
    );
  }

  /** Resolves when every command received so far is done and, if it plays, playing has ended. */
  async idle(): Promise<void> {
    await this.#queue;
    await this.#playing;
    await this.#runStore.settled();
  }

  private async handle(command: Command): Promise<void> {
    if (command.type !== "open" && command.run !== this.#id) return;
    switch (command.type) {
      case "open":
        return this.open(command);
      case "play":
        return this.play(command.delay, command.until);
      case "pause":
        return this.stop();
      case "step":
        return this.stopped(() => this.stepThrough());
      case "phase":
        return this.stopped(async () => void (await this.phase(true)));
      case "stage":
        return this.stopped(() => this.enter(command.stage));
      case "reset":
        return this.stopped(() =>
          this.backTo(async () => {
            const start = await this.#runStore.reset();
            await this.#runStore.start(start);
            return start;
          }),
        );
      case "restore":
        return this.stopped(() =>
          this.backTo(async () => {
            const snapshot = await this.#runStore.rewind(command.snapshot);
            await this.#runStore.keep(snapshot);
            return snapshot;
          }),
        );
      case "configure":
        return this.work(async ({ session }) =>
          this.post({ type: "configured", settings: session.configure(command.settings) }),
        );
      case "observe":
        return this.inTurn(async () => this.#life.watch(command.group));
      case "sample":
        return this.work(async ({ session }) =>
          this.post({ type: "sampled", group: await session.sample(command.family, command.greedy) }),
        );
      case "evaluate":
        return this.work(async ({ session }) => {
          const evaluation = await session.evaluate(command.problems, {
            onProgress: (done, total) => this.post({ type: "progress", what: "evaluate", done, total }),
          });
          this.post({ type: "evaluated", evaluation });
        });
      case "export":
        return this.work(async ({ policy }) => {
          const written = policy.model.lora === null ? await policy.toFiles() : await policy.adapterFiles();
          const files = [...written].map(([path, bytes]) => ({ path, bytes: Uint8Array.from(bytes).buffer }));
          this.post(
            { type: "exported", files },
            files.map((file) => file.bytes),
          );
        });
      case "loseDevice":
        return this.inTurn(() => this.recover("The device was destroyed on request."));
      case "steer":
        return;
      case "close":
        return this.stopped(() => this.#life.close());
      default:
        return command satisfies never;
    }
  }

  private async open(command: OpenCommand): Promise<void> {
    await this.stop();
    this.#id = command.run;
    this.#stopping = false;
    await this.inTurn(async () => this.postOpened(await this.#life.open(command)));
  }

  private postOpened(resumed: boolean): void {
    const {
      opened: { backend, passedOver },
      policy,
      session,
      costs,
    } = this.#life.run;
    const { features: offered, matmul } = backend.description;
    const features = matmul === undefined ? offered : [...offered, `matmul by ${matmul}`];
    const adapter = adapterOf(this.#life.run);
    this.post({
      type: "opened",
      backend: backend.name,
      adapter,
      features,
      costs,
      passedOver,
      parameters: policy.parameters.count,
      settings: session.settings,
      stage: session.stage,
      step: session.step,
      resumed,
      start: this.#life.start,
      history: session.history,
    });
    this.postSnapshots();
    if (session.dataProgress.collected > 0)
      this.post({ type: "data", progress: session.dataProgress, examples: session.examples });
    this.postGroupsUnderWay();
  }

  private async play(delay: number, until: number | null): Promise<void> {
    await this.stop();
    this.#stopping = false;
    await this.inTurn(async () => this.#life.requireRun());
    this.post({ type: "playing", playing: true });
    this.#playing = this.playOn(delay, until)
      .catch((error: unknown) => this.fail(error, false))
      .finally(() => {
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
    return until === null ? step === this.#planned : step >= until;
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
        this.#planned = session.stage === "base" ? null : session.settings[session.stage].steps;
      } catch (error) {
        if (!(error instanceof StepRefused)) throw error;
        this.post({ type: "refused", step, message: error.message });
        return;
      }
      if (result.kind === "groups") return this.report(result, every);
      // Nothing is shown as done before what came before it is durable: a tab closed now loses this step at most.
      await this.#runStore.settled();
      this.report(result, every);
      await this.#runStore.keep(await session.snapshot());
      if (result.kind === "stepped") {
        this.#life.trust();
        this.postSnapshots();
      }
    });
    return result;
  }

  private report(result: PhaseResult, every: boolean): void {
    switch (result.kind) {
      case "groups":
        return this.#feed.offer({ phase: result.phase, step: result.step, groups: result.groups }, every);
      case "data":
        return this.post({ type: "data", progress: result.progress, examples: result.examples });
      case "stepped":
        this.dependencies.onStep?.(result.metrics, result.groups);
        if (result.groups.length > 0)
          this.#feed.offer({ phase: "update", step: result.step, groups: result.groups }, every);
        return this.post({ type: "stepped", metrics: result.metrics });
      default:
        return result satisfies never;
    }
  }

  private enter(stage: Stage): Promise<void> {
    return this.work(async ({ session }) => {
      await session.enter(stage);
      const snapshot = await session.snapshot();
      await this.#runStore.keep(snapshot);
      await this.#runStore.mark(snapshot, stage);
      this.#feed.clear();
      this.post({ type: "stage", stage, step: session.step });
      this.postSnapshots();
    });
  }

  private backTo(take: () => Promise<Snapshot>): Promise<void> {
    return this.work(async ({ session }) => {
      await session.restore(await take());
      this.postRestored();
    });
  }

  private postRestored(): void {
    const { session } = this.#life.run;
    this.#feed.clear();
    this.post({ type: "restored", stage: session.stage, step: session.step, history: session.history });
    this.postSnapshots();
    this.postGroupsUnderWay();
  }

  private postSnapshots(): void {
    this.post({ type: "snapshots", snapshots: [...this.#runStore.timeline] });
  }

  /** The groups of a step that was restored half done. */
  private postGroupsUnderWay(): void {
    const { session } = this.#life.run;
    if (session.groups.length > 0)
      this.#feed.offer({ phase: phaseBefore(session.nextPhase), step: session.step + 1, groups: session.groups }, true);
  }

  /** Do something with the run when its turn comes, again after a lost device. */
  private work(job: (run: Run) => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      for (;;) {
        const run = this.#life.run;
        try {
          return await job(run);
        } catch (error) {
          if (!(error instanceof DeviceLostError)) throw error;
          await this.recover(error.message);
        }
      }
    });
  }

  private async recover(message: string): Promise<void> {
    const { otherBackend } = await this.#life.recover(message);
    if (otherBackend) this.postOpened(true);
    this.postRestored();
  }

  private inTurn<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(job);
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
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

  private fail(error: unknown, fatal: boolean): void {
    this.post({
      type: "error",
      message: error instanceof Error ? error.message : String(error),
      fatal: fatal || error instanceof FatalError,
    });
  }

  private post(event: EventBody, transfer: Transferable[] = []): void {
    this.dependencies.post({ ...event, run: this.#id }, transfer);
  }
}
