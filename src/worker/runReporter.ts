/** Reports the run to the page: its whole state when it is opened or restored, and what each phase produced. */

import type { PhaseResult } from "../training/phaseResult";
import type { GroupRecord, StepMetrics } from "../training/records";
import { GroupFeed, phaseBefore } from "./groupFeed";
import { adapterOf } from "./run";
import type { EventBody, RunLifecycle } from "./runLifecycle";
import type { RunStore, Saving } from "./runStore";

export interface RunReporterOptions {
  readonly life: RunLifecycle;
  readonly runStore: RunStore;
  readonly post: (event: EventBody) => void;
  /** Milliseconds. */
  readonly now: () => number;
  readonly onStep?: (metrics: StepMetrics, groups: readonly GroupRecord[]) => void;
}

export class RunReporter {
  readonly #feed: GroupFeed;

  constructor(private readonly options: RunReporterOptions) {
    this.#feed = new GroupFeed((groups) => options.post({ type: "phase", ...groups }), options.now);
  }

  opened(resumed: boolean): void {
    const { life, post } = this.options;
    const { opened, policy, session, costs } = life.run;
    const { name, description } = opened.backend;
    const { features, matmul } = description;
    post({
      type: "opened",
      backend: name,
      adapter: adapterOf(life.run),
      features: matmul === undefined ? features : [...features, `matmul by ${matmul}`],
      costs,
      passedOver: opened.passedOver,
      parameters: policy.parameters.count,
      settings: session.settings,
      stage: session.stage,
      step: session.step,
      resumed,
      start: life.start,
      history: session.history,
    });
    this.snapshots();
    if (session.dataProgress.collected > 0)
      post({ type: "data", progress: session.dataProgress, examples: session.examples });
    this.groupsUnderWay();
  }

  /** The run is at another step: a reset, a snapshot, a new device. */
  restored(): void {
    const { session } = this.options.life.run;
    this.#feed.clear();
    this.options.post({ type: "restored", stage: session.stage, step: session.step, history: session.history });
    this.snapshots();
    this.groupsUnderWay();
  }

  stage(): void {
    const { stage, step } = this.options.life.run.session;
    this.#feed.clear();
    this.options.post({ type: "stage", stage, step });
    this.snapshots();
  }

  snapshots(): void {
    this.options.post({ type: "snapshots", snapshots: [...this.options.runStore.timeline] });
  }

  /** A write failed, or works again. */
  saving(saving: Saving): void {
    if (saving.saved) return this.options.post({ type: "saving", state: "saved" });
    const { error, at } = saving;
    const full = error.name === "QuotaExceededError";
    this.options.post({ type: "saving", state: "failed", full, message: error.message, at });
  }

  /** A finished phase. @param every post its groups even when steps come fast */
  phase(result: PhaseResult, every: boolean): void {
    switch (result.kind) {
      case "groups":
        return this.#feed.offer({ phase: result.phase, step: result.step, groups: result.groups }, every);
      case "data":
        return this.options.post({ type: "data", progress: result.progress, examples: result.examples });
      case "stepped":
        this.options.onStep?.(result.metrics, result.groups);
        if (result.groups.length > 0)
          this.#feed.offer({ phase: "update", step: result.step, groups: result.groups }, every);
        return this.options.post({ type: "stepped", metrics: result.metrics });
      default:
        return result satisfies never;
    }
  }

  /** Playing has ended: post the newest groups, if they were held back. */
  flush(): void {
    this.#feed.flush();
  }

  /** The groups of a step that was restored between two phases. */
  private groupsUnderWay(): void {
    const { session } = this.options.life.run;
    if (session.groups.length > 0)
      this.#feed.offer({ phase: phaseBefore(session.nextPhase), step: session.step + 1, groups: session.groups }, true);
  }
}
