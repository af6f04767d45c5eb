/**
 * The worker's end of the protocol: executes commands in order on its one run. Playing uses promises and the message
 * loop (not requestAnimationFrame, which stops in a hidden tab), so commands are received between phases.
 *
 * When the device is lost, a new one is opened, the last saved state restored, and the failed work repeated; at most
 * three times without a finished step in between. Each loss is reported to the page (runLifecycle.ts).
 */
import { DeviceLostError } from "../tensor/backend";
import { StepRefused } from "../training/optimiserStep";
import type { PhaseResult } from "../training/phaseResult";
import type { GroupRecord, StepMetrics } from "../training/records";
import type { Snapshot } from "../training/snapshot";
import { CommandQueue } from "./commandQueue";
import { parseCommand } from "./parse";
import type { Command, Event, Stage } from "./protocol";
import { exportedFiles, type Run } from "./run";
import { type EventBody, FatalError, type LifecycleDependencies, type OpenCommand, RunLifecycle } from "./runLifecycle";
import { RunReporter } from "./runReporter";
import { RunStore } from "./runStore";

export interface HostDependencies extends LifecycleDependencies {
  readonly post: (event: Event, transfer: Transferable[]) => void;
  /** A finished step with all its groups, for logs: events skip groups when steps come fast. */
  readonly onStep?: (metrics: StepMetrics, groups: readonly GroupRecord[]) => void;
  /** Resolves after `ms`; 0 lets waiting messages in. */
  readonly sleep: (ms: number) => Promise<void>;
}

/** Commands that stop playing, and a long step, at the next phase. STEPPING commands stop playing only. */
const INTERRUPTING: ReadonlySet<Command["type"]> = new Set(["pause", "open", "stage", "reset", "restore", "close"]);
const STEPPING: ReadonlySet<Command["type"]> = new Set(["step", "phase"]);

export class Host {
  /** The run of our events, and the run whose commands we accept: they differ while another run is being opened. */
  #id = "";
  #wanted = "";
  readonly #queue = new CommandQueue();
  /** Serialises all work on the session: the phases of a playing run, and commands between them. */
  #turn: Promise<void> = Promise.resolve();
  #playing: Promise<void> | null = null;
  #stopping = false;
  /** Steps of the current stage; null in the base stage. Set during a phase: afterwards the run may be recovering. */
  #planned: number | null = null;
  readonly #runStore: RunStore;
  readonly #life: RunLifecycle;
  readonly #reporter: RunReporter;

  constructor(private readonly dependencies: HostDependencies) {
    const post = (event: EventBody): void => this.post(event);
    this.#runStore = new RunStore(
      dependencies.store,
      (saving) => this.#reporter.saving(saving),
      () => this.#reporter.snapshots(),
    );
    this.#life = new RunLifecycle(dependencies, this.#runStore, post, (run, message) => {
      this.inTurn(async () => {
        if (this.#life.isCurrent(run)) await this.recover(message);
      }).catch((error: unknown) => this.fail(error, true));
    });
    const { now, onStep } = dependencies;
    const known = { life: this.#life, runStore: this.#runStore, post, now };
    this.#reporter = new RunReporter({ ...known, ...(onStep ? { onStep } : {}) });
  }

  /** A message from the page. Commands run in order; a failing one is reported and does not stop the next. */
  receive(message: unknown): void {
    let command: Command;
    try {
      command = parseCommand(message);
    } catch (error) {
      return this.fail(error, false);
    }
    if (command.type !== "open" && command.run !== this.#wanted) return;
    const refusal = this.#queue.refusal(command.type, INTERRUPTING.has(command.type));
    if (refusal !== null) return this.fail(refusal, false);
    if (command.type === "open") this.#wanted = command.run;
    if (INTERRUPTING.has(command.type) || (this.#playing !== null && STEPPING.has(command.type))) this.#stopping = true;
    const onFault = (error: unknown): void => this.fail(error, command.type === "open");
    this.#queue.add(() => this.handle(command), onFault);
  }

  /** The last write failed: what is stored is older. */
  get unsaved(): boolean {
    return this.#runStore.failing;
  }

  /** Resolves when every command received so far is done and playing has ended. */
  async idle(): Promise<void> {
    await this.#queue.idle();
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
        return this.inTurn(async () => this.#life.observe(command.group));
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
          const files = await exportedFiles(policy);
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
    await this.inTurn(async () => this.#reporter.opened(await this.#life.open(command)));
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
        this.#reporter.flush();
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

  /** Is this the last step to play: `until`, else the last of the stage? */
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

  /** One phase; null when the step was refused. @param every post its groups even when steps come fast */
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
      if (result.kind === "groups") return this.#reporter.phase(result, every);
      // Report a step only when the one before it is durable: a tab closed now loses at most this step.
      await this.#runStore.settled();
      this.#reporter.phase(result, every);
      await this.#runStore.keep(await session.snapshot());
      if (result.kind === "stepped") {
        this.#life.trust();
        this.#reporter.snapshots();
      }
    });
    return result;
  }

  private enter(stage: Stage): Promise<void> {
    return this.work(async ({ session }) => {
      await session.enter(stage);
      const snapshot = await session.snapshot();
      await this.#runStore.keep(snapshot);
      await this.#runStore.mark(snapshot, stage);
      this.#reporter.stage();
    });
  }

  private backTo(take: () => Promise<Snapshot>): Promise<void> {
    return this.work(async ({ session }) => {
      await session.restore(await take());
      this.#reporter.restored();
    });
  }

  /** Run a job on the session in its turn, and again after a lost device. */
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
    if (otherBackend) this.#reporter.opened(true);
    this.#reporter.restored();
  }

  private inTurn<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(job);
    const ended = (): void => undefined;
    this.#turn = result.then(ended, ended);
    return result;
  }

  private async stop(): Promise<void> {
    this.#stopping = true;
    await this.#playing;
    await this.#turn;
  }

  /** Stop playing, then run the job. */
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
