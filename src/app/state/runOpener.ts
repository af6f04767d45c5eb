/**
 * Opens runs: a new one, a stored one, one with settings that are fixed when a run opens, and the same one again after
 * the training engine has failed.
 */
import type { RecipeName } from "../../srpo/recipe";
import {
  type Event,
  overlay,
  type PolicySource,
  type RunChoice,
  type Settings,
  type SettingsPatch,
} from "../../worker/protocol";
import type { TrainingClient } from "./client";
import type { Live } from "./live";
import { type Notice, notify } from "./notices";
import type { Backend } from "./run";
import type { RunCursor } from "./runCursor";
import { runName } from "./runMemory";
import type { StageFlow } from "./stageFlow";
import { stageOf, startOf } from "./start";

export interface OpenOptions {
  readonly backend?: Backend | null;
  readonly resume?: boolean;
  readonly settings?: SettingsPatch;
  /** What the settings are a change of. */
  readonly recipe?: RecipeName;
  /** By default a new run takes the place of the one on show. */
  readonly choice?: RunChoice;
}

/** What a run keeps from its opening on. */
const FIXED = {
  freezeVision: "The trained parts of the model are fixed",
  reflectionForm: "The form of reflection is fixed",
} as const;
type FixedKey = keyof typeof FIXED;

/** The setting of a patch that only a new run can take; null if there is none. */
export function changedFixed(wanted: Settings, patch: SettingsPatch): FixedKey | null {
  const next = overlay(wanted, patch);
  const keys: readonly FixedKey[] = ["freezeVision", "reflectionForm"];
  return keys.find((key) => JSON.stringify(next[key]) !== JSON.stringify(wanted[key])) ?? null;
}

export const BASE: PolicySource = { kind: "shipped", name: "base" };

/** Restarts of the engine without a finished step in between, after which the visitor is asked. */
const MAX_RESTARTS = 3;
export const RESTARTED = "The training engine was restarted";

export interface RunOpenerOptions {
  readonly client: TrainingClient;
  readonly live: Live;
  readonly cursor: RunCursor;
  readonly flow: StageFlow;
  readonly send: TrainingClient["send"];
  readonly newRun: () => string;
  readonly observedGroup: () => number;
  readonly notify: (kind: Notice["kind"], title: string, text: string) => void;
}

export class RunOpener {
  #restarts = 0;
  /** Why the engine was restarted; null once the run is open again. */
  #restarting: string | null = null;

  constructor(private readonly options: RunOpenerOptions) {}

  open(
    from: PolicySource,
    {
      backend = null,
      resume = false,
      settings,
      recipe,
      choice = { id: null, orNew: true, name: runName(new Date(), false), keepEarlier: false },
    }: OpenOptions = {},
  ): void {
    const { client, live, cursor, flow, send, newRun, observedGroup } = this.options;
    client.renew(newRun());
    flow.stay();
    flow.enterLater(null);
    const start = startOf(from);
    cursor.begin(stageOf(start));
    // Clear the state of the previous run; the same one stays on show.
    const { current } = live.keeping.store.getState();
    const same = resume && choice.id !== null && choice.id === current;
    live.run.change((state) => ({
      ...state,
      status: "starting",
      progress: null,
      opened: null,
      steering: true,
      start,
      recipe: recipe ?? state.recipe,
      stage: same ? state.stage : stageOf(start),
      step: same ? state.step : 0,
      running: null,
      done: null,
      draws: 0,
      secondsPerStep: null,
      truncated: false,
      idleSteps: 0,
      snapshots: [],
      playing: false,
      wanted: settings ? overlay(state.wanted, settings) : state.wanted,
    }));
    live.keeping.change((state) => ({ ...state, saving: null, fromLink: choice.keepEarlier && !resume }));
    const wanted = settings ?? live.run.store.getState().wanted;
    send({ type: "open", source: from, settings: wanted, backend, resume, choice });
    send({ type: "observe", group: observedGroup() });
  }

  /** Open a run that this browser keeps; the one on show is kept, too. */
  openStored(id: string | null): void {
    const { start } = this.options.live.run.store.getState();
    this.open(start === "own" ? BASE : { kind: "shipped", name: start }, {
      resume: true,
      choice: { id, orNew: false, name: runName(new Date(), false), keepEarlier: true },
    });
  }

  /** Open a new run with settings that are fixed when a run opens. */
  reopen(patch: SettingsPatch, fixed: FixedKey): void {
    const { live, cursor } = this.options;
    const { start } = live.run.store.getState();
    if (cursor.served) {
      this.options.notify(
        "info",
        "Fixed for this run",
        `${FIXED[fixed]} when the run starts. Start another one with srpo serve --set ${fixed}…`,
      );
      return;
    }
    if (start === "own") {
      this.options.notify(
        "info",
        "Drop your folder again to change this",
        `${FIXED[fixed]} when a run opens, and the page does not keep a copy of your files.`,
      );
      return;
    }
    live.run.change((state) => ({ ...state, wanted: overlay(state.wanted, patch) }));
    // Only the base has not learnt a form of reflection.
    this.open(fixed === "reflectionForm" ? BASE : { kind: "shipped", name: start });
  }

  /** The engine has stopped or broken: start another and continue the stored run. */
  engineFailed(message: string): void {
    const { live, client, cursor } = this.options;
    if (cursor.served) return this.giveUp(message);
    if (++this.#restarts > MAX_RESTARTS) {
      client.stop();
      return this.giveUp(message);
    }
    client.restart();
    this.openStored(live.keeping.store.getState().current);
    this.#restarting = message;
  }

  /** The visitor asks for the engine again. */
  startAgain(): void {
    const { live, client } = this.options;
    this.#restarts = 0;
    client.restart();
    live.run.change((state) => ({ ...state, notices: state.notices.filter(({ kind }) => kind !== "error") }));
    this.openStored(live.keeping.store.getState().current);
  }

  receive(event: Event): void {
    if (event.type === "stepped") this.#restarts = 0;
    if (event.type !== "opened" || this.#restarting === null) return;
    const { notify: say } = this.options;
    if (event.resumed) say("info", RESTARTED, `${this.#restarting} The run continues from step ${event.step}.`);
    else say("warning", RESTARTED, `${this.#restarting} Nothing of the run was stored, so a new one has started.`);
    this.#restarting = null;
  }

  private giveUp(message: string): void {
    this.#restarting = null;
    this.options.live.run.change((state) => ({
      ...notify(state, "error", "The training engine failed", message),
      status: "failed",
      playing: false,
      running: null,
      progress: null,
    }));
  }
}
