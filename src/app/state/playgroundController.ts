/**
 * Everything the visitor can do: every control and key calls one of these, which send commands of the protocol. Play
 * advances through the stages: base → reflection SFT → GRPO. Entering a later stage keeps the current weights; entering
 * an earlier one starts again from the base.
 */
import { RECIPES, type RecipeName } from "../../srpo/recipe";
import type { CommandBody } from "../../worker/client";
import {
  type Event,
  type GroupRecord,
  overlay,
  type PolicySource,
  type SettingsPatch,
  STAGES,
  type Stage,
} from "../../worker/protocol";
import type { TrainingClient } from "./client";
import { lookBack } from "./groups";
import { createLive, type Live } from "./live";
import { dismiss, type Notice, notify } from "./notices";
import { PendingSettings } from "./pendingSettings";
import { decided, type RecipeChange, undone, withRecipe } from "./recipes";
import { RunCursor } from "./runCursor";
import { BASE, changedFixed, type OpenOptions, RunOpener } from "./runOpener";
import { StageFlow } from "./stageFlow";
import { stageOf } from "./start";
import { setTaste, view } from "./view";

type Exported = Extract<Event, { type: "exported" }>;

export interface PlaygroundController {
  readonly live: Live & { flush(): void };
  open(source: PolicySource, options?: OpenOptions): void;
  /** Open a run that this browser keeps; the one on show is kept, too. */
  openStored(id: string): void;
  togglePlay(): void;
  /** Play at the selected speed; also while playing, to change the speed. */
  play(): void;
  pause(): void;
  step(): void;
  phase(): void;
  reset(): void;
  stage(stage: Stage): void;
  sample(greedy: boolean): void;
  evaluate(problems: number): void;
  restore(snapshot: string): void;
  configure(patch: SettingsPatch): void;
  /** Set everything that a recipe decides to its values. */
  follow(recipe: RecipeName): void;
  /** Take one change of the recipe back. */
  undo(change: RecipeChange): void;
  exportPolicy(): void;
  loseDevice(): void;
  /** Take control of a run that several tabs show. */
  steer(): void;
  back(): void;
  /** A message could not be read or shown. */
  fault(error: Error): void;
  /** The worker itself failed or was stopped; no more events will come. It is started again. */
  engineFailed(message: string): void;
  /** Start the engine that has failed again. */
  startAgain(): void;
  /** Show a group until the engine has its own. */
  prepare(group: GroupRecord): void;
  notify(kind: Notice["kind"], title: string, text: string): void;
  dismiss(id: number): void;
  close(): void;
}

export interface PlaygroundOptions {
  readonly client: TrainingClient;
  readonly onExported: (files: Exported["files"]) => void;
  readonly hidden?: () => boolean;
  readonly newRun?: () => string;
}

/** Commands that a watching tab may send. */
const WATCHING: ReadonlySet<CommandBody["type"]> = new Set(["open", "observe", "steer", "close"]);

export function createPlayground({
  client,
  onExported,
  hidden = () => document.hidden,
  newRun = () => crypto.randomUUID(),
}: PlaygroundOptions): PlaygroundController {
  const live = createLive(hidden);
  const cursor = new RunCursor(live.run.store.getState().settings);

  const send: TrainingClient["send"] = (command) => {
    if (cursor.steering || WATCHING.has(command.type)) client.send(command);
    else
      playground.notify(
        "info",
        "This tab only watches",
        "Another tab controls the run. Press “Take control” to do it here.",
      );
  };

  const flow = new StageFlow({ cursor, send, wanted: () => live.run.store.getState().wanted });
  const pending = new PendingSettings((settings) => send({ type: "configure", settings }));

  // The worker re-evaluates only the selected group after each update.
  let observedGroup = 0;
  const opener = new RunOpener({
    client,
    live,
    cursor,
    flow,
    send,
    newRun,
    observedGroup: () => observedGroup,
    notify: (kind, title, text) => playground.notify(kind, title, text),
  });

  const stop = client.subscribe((event) => {
    live.receive(event);
    cursor.receive(event);
    flow.receive(event);
    opener.receive(event);
    if (event.type !== "exported") return;
    if (event.writtenTo === undefined) onExported(event.files);
    else
      playground.notify(
        "info",
        "Policy saved by the runner",
        `It is too large to download here. It was saved to ${event.writtenTo}.`,
      );
  });

  const stopWatching = live.groups.store.subscribe(({ selectedGroup }) => {
    if (selectedGroup === observedGroup) return;
    observedGroup = selectedGroup;
    send({ type: "observe", group: selectedGroup });
  });

  const playground: PlaygroundController = {
    live,
    open: (from, options) => opener.open(from, options),
    openStored: (id) => opener.openStored(id),
    togglePlay() {
      pending.flush();
      if (live.run.store.getState().playing) {
        flow.pause();
        return;
      }
      live.groups.change((state) => ({ ...state, viewedStep: null }));
      // The first line asks to press play.
      if (!view.getState().firstLineSeen) setTaste({ firstLineSeen: true });
      flow.play();
    },
    play: () => flow.play(),
    pause: () => flow.pause(),
    step() {
      // While looking back, step forward through the remembered steps.
      if (live.groups.store.getState().viewedStep !== null) {
        live.groups.change((state) => lookBack(state, 1));
        return;
      }
      pending.flush();
      flow.stay();
      send({ type: "step" });
    },
    phase() {
      pending.flush();
      flow.stay();
      live.groups.change((state) => ({ ...state, viewedStep: null }));
      send({ type: "phase" });
    },
    reset() {
      flow.stay();
      send({ type: "reset" });
    },
    stage(stage) {
      flow.stay();
      if (STAGES.indexOf(stage) > STAGES.indexOf(cursor.stage)) {
        send({ type: "stage", stage });
        return;
      }
      const { start } = live.run.store.getState();
      const next = stage === "base" ? null : stage;
      // A run that started at a base policy (a dropped folder counts as one) only needs a reset.
      if (stageOf(start) === "base") {
        flow.enterLater(next);
        playground.reset();
        return;
      }
      playground.open(BASE);
      flow.enterLater(next);
    },
    sample(greedy) {
      send({ type: "sample", family: null, greedy });
    },
    evaluate(problems) {
      send({ type: "evaluate", problems });
    },
    restore(snapshot) {
      flow.stay();
      send({ type: "restore", snapshot });
    },
    configure(patch) {
      const fixed = changedFixed(live.run.store.getState().wanted, patch);
      if (fixed !== null) {
        opener.reopen(patch, fixed);
        return;
      }
      live.run.change((state) => ({ ...state, wanted: overlay(state.wanted, patch) }));
      pending.add(patch);
    },
    follow(recipe) {
      const { wanted, stage, step } = live.run.store.getState();
      live.run.change((state) => ({ ...state, recipe }));
      playground.configure(decided(withRecipe(wanted, recipe)));
      if (stage === "grpo" && step > 0)
        playground.notify("info", `${RECIPES[recipe].title} from the next step`, "Weights, data and step stay.");
    },
    undo(change) {
      playground.configure(decided(undone(live.run.store.getState().wanted, change)));
    },
    exportPolicy() {
      send({ type: "export" });
    },
    loseDevice() {
      send({ type: "loseDevice" });
    },
    steer() {
      send({ type: "steer" });
    },
    back() {
      live.groups.change((state) => lookBack(state, -1));
    },
    fault(error) {
      live.run.change((state) => ({
        ...notify(state, "error", "The training engine failed", error.message),
        status: state.opened === null ? "failed" : state.status,
      }));
    },
    engineFailed: (message) => opener.engineFailed(message),
    startAgain: () => opener.startAgain(),
    prepare(group) {
      live.groups.change((state) =>
        state.now === null ? { ...state, now: { step: 0, phase: null, groups: [group], origin: "prepared" } } : state,
      );
    },
    notify(kind, title, text) {
      live.run.change((state) => notify(state, kind, title, text));
    },
    dismiss(id) {
      live.run.change((state) => dismiss(state, id));
    },
    close() {
      stop();
      stopWatching();
      pending.flush();
      send({ type: "close" });
      client.close();
    },
  };
  return playground;
}
