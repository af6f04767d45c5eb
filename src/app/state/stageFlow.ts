/**
 * How the run moves through the stages: playing on into the next one, and entering a stage once it is back at the base.
 */
import type { Event, Settings, Stage } from "../../worker/protocol";
import type { TrainingClient } from "./client";
import type { RunCursor } from "./runCursor";
import { SPEEDS, view } from "./view";

export interface StageFlowOptions {
  readonly cursor: RunCursor;
  readonly send: TrainingClient["send"];
  /** The settings on the controls. */
  readonly wanted: () => Settings;
}

export class StageFlow {
  /** From play until pause: at the end of a stage, continue with the next. */
  #autoAdvance = false;
  /** The stage to enter when the run is back at the base. */
  #pendingStage: Stage | null = null;

  constructor(private readonly options: StageFlowOptions) {}

  play(): void {
    this.#autoAdvance = true;
    const { cursor, send } = this.options;
    const { speed } = view.getState();
    const delay = SPEEDS.find((each) => each.name === speed)?.delay ?? 0;
    const { stage: now, step } = cursor;
    if (now === "base") send({ type: "stage", stage: "sft" });
    const stage: Stage = now === "base" ? "sft" : now;
    const planned = cursor.planned(stage);
    // After the last planned step, play continues until paused.
    const until = planned !== null && (now === "base" || step < planned) ? planned : null;
    send({ type: "play", delay: stage === "sft" ? 0 : delay, until });
  }

  pause(): void {
    this.#autoAdvance = false;
    this.options.send({ type: "pause" });
  }

  /** The visitor does something else: stay in this stage. */
  stay(): void {
    this.#autoAdvance = false;
  }

  /** Enter `stage` when the run is back at the base; null: stay there. */
  enterLater(stage: Stage | null): void {
    this.#pendingStage = stage;
  }

  receive(event: Event): void {
    const { cursor, send, wanted } = this.options;
    if (!cursor.steering) this.#autoAdvance = false;
    switch (event.type) {
      case "opened":
        return this.arrived();
      case "restored":
        // A snapshot restores its own settings; training should use those on the controls.
        if (cursor.steering) send({ type: "configure", settings: wanted() });
        return this.arrived();
      case "playing":
        if (!event.playing) this.advance();
        return;
      case "error":
        this.#pendingStage = null;
        return;
      default:
        // Other events do not end a stage or return to the base.
        return;
    }
  }

  /** The run is at its start, or at a snapshot. */
  private arrived(): void {
    if (this.#pendingStage === null) return this.greet();
    this.options.send({ type: "stage", stage: this.#pendingStage });
    this.#pendingStage = null;
  }

  /** Replace the prepared group by the policy's own responses. */
  private greet(): void {
    const { cursor, send } = this.options;
    // A run of the runner or of another tab is only joined: do not sample from it unasked.
    if (!cursor.served && cursor.steering && cursor.stage !== "sft" && cursor.step === 0 && !this.#autoAdvance)
      send({ type: "sample", family: null, greedy: false });
  }

  /** Playing has ended: continue with the next stage if this one is complete. */
  private advance(): void {
    const { cursor, send } = this.options;
    const planned = cursor.planned(cursor.stage);
    if (!this.#autoAdvance || planned === null || cursor.step < planned) return;
    if (cursor.stage === "sft") {
      cursor.enter("grpo");
      send({ type: "stage", stage: "grpo" });
      this.play();
    } else this.#autoAdvance = false;
  }
}
