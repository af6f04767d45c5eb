/**
 * A client that plays a script instead of training, for tests and for drawing the page's states. It answers every
 * command with the events that the worker would send. Its numbers are invented (scriptedRecords.ts), as its adapter's
 * name says.
 */
import type { CommandBody } from "../../worker/client";
import {
  type Event,
  type GroupRecord,
  overlay,
  type Phase,
  type PolicySource,
  type SnapshotInfo,
  STAGE_OF_SHIPPED,
  type Stage,
  type StepMetrics,
  settingsSchema,
} from "../../worker/protocol";
import type { TrainingClient } from "../state/client";
import { PHASES } from "../state/run";
import { group } from "./fixture";
import {
  dataProgress,
  EXAMPLES,
  evaluation,
  example,
  historyTo,
  metricsAt,
  openedAs,
  skillAt,
  snapshot,
  snapshotsTo,
} from "./scriptedRecords";

type Unaddressed<Each> = Each extends unknown ? Omit<Each, "run"> : never;
type Message = Unaddressed<Event>;

export interface Script {
  readonly backend?: "webgpu" | "wasm" | "reference";
  /** Stage and step of the run when it opens. */
  readonly stage?: Stage;
  readonly step?: number;
  /** Milliseconds a phase takes. */
  readonly pace?: number;
  /** Another tab has the run. */
  readonly watching?: boolean;
  /** Never opens: a first visit before the engine is ready. */
  readonly stuck?: "download" | "load" | "selfTest";
}

export class ScriptedClient implements TrainingClient {
  private readonly listeners = new Set<(event: Event) => void>();
  private run = "";
  private settings = settingsSchema.parse({});
  private stage: Stage;
  private step: number;
  private phase: Phase | null = null;
  /** The step under way has rolled out a second time. */
  private refilled = false;
  private playing = false;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private history: StepMetrics[] = [];
  private snapshots: SnapshotInfo[] = [];
  private collected = 0;
  private sampled = 0;
  private source: PolicySource = { kind: "shipped", name: "base" };
  /** The script's stage and step apply to the first run; later ones begin at their start. */
  private opens = 0;

  constructor(private readonly script: Script = {}) {
    this.stage = script.stage ?? "base";
    this.step = script.step ?? 0;
  }

  renew(run: string): void {
    this.run = run;
  }

  subscribe(listener: (event: Event) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  restart(): void {
    this.stop();
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.playing = false;
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.listeners.clear();
  }

  /** Send an event as the worker would. Public, so that a test can send any sequence. */
  emit(message: Message): void {
    const event: Event = { run: this.run, ...message };
    for (const listener of this.listeners) listener(event);
  }

  send(command: CommandBody): void {
    switch (command.type) {
      case "open":
        this.source = command.source;
        if (this.opens++ > 0 || this.script.stage === undefined) {
          this.stage = this.startStage();
          this.step = 0;
          this.phase = null;
        }
        this.settings = overlay(this.settings, command.settings);
        this.later(() => this.open(), 5);
        break;
      case "configure":
        this.settings = overlay(this.settings, command.settings);
        this.emit({ type: "configured", settings: this.settings });
        break;
      case "stage":
        this.stage = command.stage;
        this.step = 0;
        this.phase = null;
        this.emit({ type: "stage", stage: this.stage, step: 0 });
        break;
      case "play":
        this.playing = true;
        this.emit({ type: "playing", playing: true });
        this.next(command.delay, () => this.playing && (command.until === null || this.step < command.until));
        break;
      case "pause":
        this.playing = false;
        this.emit({ type: "playing", playing: false });
        break;
      case "step": {
        const at = this.step;
        this.next(0, () => this.step === at);
        break;
      }
      case "phase": {
        let once = true;
        this.next(0, () => {
          const go = once;
          once = false;
          return go;
        });
        break;
      }
      case "reset":
        this.stage = this.startStage();
        this.step = 0;
        this.phase = null;
        this.history = [];
        this.emit({ type: "restored", stage: this.stage, step: 0, history: [] });
        break;
      case "restore":
        this.restore(command.snapshot);
        break;
      case "sample":
        if (this.script.stuck === undefined) this.emit({ type: "sampled", group: this.group(++this.sampled, null) });
        break;
      case "evaluate":
        this.emit({ type: "evaluated", evaluation: evaluation(this.stage, this.step, command.problems) });
        break;
      case "export":
        this.emit({ type: "exported", files: [{ path: "config.json", bytes: new TextEncoder().encode("{}").buffer }] });
        break;
      case "loseDevice":
        this.emit({
          type: "deviceLost",
          message: "The device was destroyed on purpose.",
          recovering: true,
          attempt: 1,
        });
        break;
      case "observe":
      case "steer":
        break;
      case "close":
        this.close();
        break;
      default:
        command satisfies never;
    }
  }

  private startStage(): Stage {
    return this.source.kind === "shipped" ? STAGE_OF_SHIPPED[this.source.name] : "base";
  }

  private later(act: () => void, delay: number): void {
    this.timer = setTimeout(act, delay);
  }

  private group(seed: number, phase: Phase | null): GroupRecord {
    return group({
      seed,
      skill: skillAt(this.stage, this.step),
      groupSize: this.settings.grpo.groupSize,
      phase,
      reward: this.settings.reward,
    });
  }

  private groups(phase: Phase): GroupRecord[] {
    return Array.from({ length: this.settings.grpo.prompts }, (_, at) => this.group(this.step * 16 + at + 100, phase));
  }

  private open(): void {
    const { stuck, backend = "webgpu" } = this.script;
    if (stuck !== undefined) {
      this.emit({ type: "progress", what: stuck, done: 3, total: 7 });
      return;
    }
    this.history = historyTo(this.stage, this.step, this.settings.grpo);
    const { settings, stage, step, source, history } = this;
    this.emit(openedAs(backend, { settings, stage, step, source, history, watching: this.script.watching === true }));
    this.snapshots = snapshotsTo(this.stage, this.step);
    this.emit({ type: "snapshots", snapshots: this.snapshots });
    if (this.stage === "grpo" && this.step > 0)
      this.emit({ type: "phase", phase: "update", step: this.step, groups: this.groups("update") });
    if (this.stage === "sft") this.data(this.step === 0 ? 1130 : EXAMPLES);
  }

  private restore(id: string): void {
    const snapshot = this.snapshots.find((each) => each.id === id);
    if (snapshot === undefined) {
      this.emit({ type: "error", message: `There is no snapshot ${id}.`, fatal: false });
      return;
    }
    this.step = snapshot.step;
    this.phase = null;
    this.history = this.history.filter((row) => row.stage !== snapshot.stage || row.step <= snapshot.step);
    this.emit({ type: "restored", stage: snapshot.stage, step: snapshot.step, history: this.history });
  }

  private data(collected: number): void {
    this.collected = collected;
    this.emit({
      type: "data",
      progress: dataProgress(collected),
      examples: Array.from({ length: 8 }, (_, at) => example(collected + at)),
    });
  }

  /** Run phases while `more` returns true. */
  private next(delay: number, more: () => boolean): void {
    if (!more()) {
      if (this.playing) {
        this.playing = false;
        this.emit({ type: "playing", playing: false });
      }
      return;
    }
    if (this.stage === "base") {
      this.sampled += 1;
      this.emit({ type: "sampled", group: this.group(this.sampled, null) });
      return;
    }
    const pace = (this.script.pace ?? 60) + delay;
    if (this.stage === "sft") {
      this.later(() => {
        if (this.collected < EXAMPLES) this.data(Math.min(EXAMPLES, this.collected + 64));
        else this.finishStep();
        this.next(delay, more);
      }, pace / 2);
      return;
    }
    const phase = this.nextPhase();
    this.emit({ type: "phaseStarted", phase, step: this.step + 1 });
    this.later(() => {
      if (phase === "rollout") this.refilled = this.phase === "score";
      this.phase = phase;
      this.emit({ type: "phase", phase, step: this.step + 1, groups: this.groups(phase) });
      if (phase === "update") this.finishStep();
      this.next(delay, more);
    }, pace);
  }

  /** A step with refills rolls out twice. */
  private nextPhase(): Phase {
    const { refills } = this.settings.grpo;
    if (this.phase === null || this.phase === "update") return "rollout";
    if (this.phase === "score" && refills > 0 && !this.refilled) return "rollout";
    return PHASES[PHASES.indexOf(this.phase) + 1] ?? "rollout";
  }

  private finishStep(): void {
    this.step += 1;
    const metrics = metricsAt(this.stage, this.step, this.settings.grpo);
    this.history.push(metrics);
    this.emit({ type: "stepped", metrics });
    if (this.step % 25 === 0) {
      this.snapshots = [...this.snapshots, snapshot(this.stage, this.step)];
      this.emit({ type: "snapshots", snapshots: this.snapshots });
    }
  }
}
