/**
 * What the visitor can do, in one place: every control and key calls one of these, and each becomes a command of
 * the protocol. Play carries a beginner through the stages: base → reflection SFT → GRPO. A stage further on goes on
 * with the current weights; an earlier one means what it says, and starts again from the base.
 */
import type { CommandBody } from "../../worker/client";
import {
  type Event,
  type GroupRecord,
  type PolicySource,
  type Settings,
  type SettingsPatch,
  STAGES,
  type Stage,
} from "../../worker/protocol";
import type { TrainingClient } from "./client";
import { lookBack } from "./groups";
import { createLive, type Live } from "./live";
import { type Backend, dismiss, type Notice, notify, patchSettings, plannedSteps } from "./run";
import { stageOf, startOf } from "./start";
import { SPEEDS, setTaste, view } from "./view";

type Exported = Extract<Event, { type: "exported" }>;

export interface PlaygroundController {
  readonly live: Live & { flush(): void };
  open(
    source: PolicySource,
    options?: { readonly backend?: Backend | null; readonly resume?: boolean; readonly settings?: SettingsPatch },
  ): void;
  togglePlay(): void;
  /** Play at the speed chosen now; also while playing, to change the speed. */
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
  exportPolicy(): void;
  loseDevice(): void;
  /** Of a served run that several tabs show: steer it from here. */
  steer(): void;
  back(): void;
  /** The worker failed as a program: nothing more will come from it. */
  fault(error: Error): void;
  /** Show a group until the engine makes its own. */
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

const BASE: PolicySource = { kind: "shipped", name: "base" };

/** What a tab that only watches may send. */
const WATCHING: ReadonlySet<CommandBody["type"]> = new Set(["open", "observe", "steer", "close"]);

/** Milliseconds for which a moving slider is gathered into one command. */
const CONFIGURE_DELAY = 120;

export function createPlayground({
  client,
  onExported,
  hidden = () => document.hidden,
  newRun = () => crypto.randomUUID(),
}: PlaygroundOptions): PlaygroundController {
  const live = createLive(hidden);
  /** True from play until the visitor pauses: the end of a stage then leads into the next. */
  let autoAdvance = false;
  /** The stage to enter as soon as the way back to the base is done. */
  let pendingStage: Stage | null = null;
  let waiting: SettingsPatch | null = null;
  let timer: ReturnType<typeof setTimeout> | null = null;

  // The newest state, also while the tab is hidden and the stores rest.
  let stageNow: Stage = "base";
  let stepNow = 0;
  let settingsNow: Settings = live.run.store.getState().settings;

  let served = false;
  let steering = true;

  const send: TrainingClient["send"] = (command) => {
    if (steering || WATCHING.has(command.type)) client.send(command);
    else playground.notify("info", "This tab watches", "Another tab steers the run; “Steer from here” takes over.");
  };

  const play = (): void => {
    autoAdvance = true;
    const { speed } = view.getState();
    const delay = SPEEDS.find((each) => each.name === speed)?.delay ?? 0;
    if (stageNow === "base") send({ type: "stage", stage: "sft" });
    const stage: Stage = stageNow === "base" ? "sft" : stageNow;
    const planned = plannedSteps(stage, settingsNow);
    // Past the plan, play goes on until paused.
    const until = planned !== null && (stageNow === "base" || stepNow < planned) ? planned : null;
    send({ type: "play", delay: stage === "sft" ? 0 : delay, until });
  };

  const pause = (): void => {
    autoAdvance = false;
    send({ type: "pause" });
  };

  /** The policy's own words take the place of the prepared group as soon as it can speak. */
  const greet = (): void => {
    // A served run is joined, not begun: nothing is asked of it that nobody asked for.
    if (!served && stageNow !== "sft" && stepNow === 0 && !autoAdvance)
      send({ type: "sample", family: null, greedy: false });
  };

  /** The run stands at its start, or at a snapshot. */
  const arrived = (): void => {
    if (pendingStage === null) {
      greet();
      return;
    }
    send({ type: "stage", stage: pendingStage });
    pendingStage = null;
  };

  const carryOn = (): void => {
    const planned = plannedSteps(stageNow, settingsNow);
    if (!autoAdvance || planned === null || stepNow < planned) return;
    if (stageNow === "sft") {
      stageNow = "grpo";
      stepNow = 0;
      send({ type: "stage", stage: "grpo" });
      play();
    } else autoAdvance = false;
  };

  const sendSettings = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (waiting !== null) send({ type: "configure", settings: waiting });
    waiting = null;
  };

  const stop = client.subscribe((event) => {
    live.receive(event);
    switch (event.type) {
      case "opened":
        stageNow = event.stage;
        stepNow = event.step;
        settingsNow = event.settings;
        served = event.served !== undefined;
        steering = event.served?.steering ?? true;
        if (!steering) autoAdvance = false;
        arrived();
        break;
      case "steering":
        steering = event.steering;
        if (!steering) autoAdvance = false;
        break;
      case "configured":
        settingsNow = event.settings;
        break;
      case "stage":
        stageNow = event.stage;
        stepNow = event.step;
        break;
      case "restored":
        stageNow = event.stage;
        stepNow = event.step;
        // A snapshot brings its own settings back; what the controls show is what training shall use.
        if (steering) send({ type: "configure", settings: live.run.store.getState().wanted });
        arrived();
        break;
      case "stepped":
        stageNow = event.metrics.stage;
        stepNow = event.metrics.step;
        break;
      case "playing":
        if (!event.playing) carryOn();
        break;
      case "exported":
        if (event.writtenTo === undefined) onExported(event.files);
        else
          playground.notify(
            "info",
            "The policy was written on the runner's machine",
            `It is in ${event.writtenTo}: too large to be sent here.`,
          );
        break;
      case "connection":
      case "progress":
      case "adapter":
      case "phaseStarted":
      case "phase":
      case "data":
      case "sampled":
      case "evaluated":
      case "snapshots":
      case "deviceLost":
      case "refused":
        break;
      case "error":
        pendingStage = null;
        break;
      default:
        event satisfies never;
    }
  });

  // The worker measures each row's new log-probabilities only for the group that is looked at.
  let observedGroup = 0;
  const stopWatching = live.groups.store.subscribe(({ selectedGroup }) => {
    if (selectedGroup === observedGroup) return;
    observedGroup = selectedGroup;
    send({ type: "observe", group: selectedGroup });
  });

  /** What decides which parameters have gradients is fixed when a run opens. */
  const reopen = (patch: SettingsPatch): void => {
    const { start } = live.run.store.getState();
    if (served) {
      playground.notify(
        "info",
        "Fixed for this run",
        "Which parts are trained is decided when the runner opens the policy: stop it and begin another run with srpo serve --set freezeVision=…",
      );
      return;
    }
    if (start === "own") {
      live.run.change((state) =>
        notify(
          state,
          "info",
          "Drop your folder again to change this",
          "Which parts are trained is decided when a run opens, and the page keeps no copy of your files.",
        ),
      );
      return;
    }
    live.run.change((state) => ({ ...state, wanted: patchSettings(state.wanted, patch) }));
    playground.open({ kind: "shipped", name: start });
  };

  const playground: PlaygroundController = {
    live,
    open(from, { backend = null, resume = false, settings } = {}) {
      client.renew(newRun());
      autoAdvance = false;
      pendingStage = null;
      steering = true;
      const start = startOf(from);
      stageNow = stageOf(start);
      stepNow = 0;
      // Nothing of the run before is true any more, wherever this one is going to live.
      live.run.change((state) => ({
        ...state,
        status: "starting",
        progress: null,
        opened: null,
        start,
        stage: stageOf(start),
        step: 0,
        running: null,
        done: null,
        secondsPerStep: null,
        snapshots: [],
        playing: false,
        wanted: settings ? patchSettings(state.wanted, settings) : state.wanted,
      }));
      send({ type: "open", source: from, settings: settings ?? live.run.store.getState().wanted, backend, resume });
      send({ type: "observe", group: observedGroup });
    },
    togglePlay() {
      sendSettings();
      if (live.run.store.getState().playing) {
        pause();
        return;
      }
      live.groups.change((state) => ({ ...state, viewedStep: null }));
      // Whoever has pressed play has read the line that asks for it.
      if (!view.getState().firstLineSeen) setTaste({ firstLineSeen: true });
      play();
    },
    play,
    pause,
    step() {
      // While looking back, a step forward is a step towards now.
      if (live.groups.store.getState().viewedStep !== null) {
        live.groups.change((state) => lookBack(state, 1));
        return;
      }
      sendSettings();
      autoAdvance = false;
      send({ type: "step" });
    },
    phase() {
      sendSettings();
      autoAdvance = false;
      live.groups.change((state) => ({ ...state, viewedStep: null }));
      send({ type: "phase" });
    },
    reset() {
      autoAdvance = false;
      send({ type: "reset" });
    },
    stage(stage) {
      autoAdvance = false;
      if (STAGES.indexOf(stage) > STAGES.indexOf(stageNow)) {
        send({ type: "stage", stage });
        return;
      }
      const { start } = live.run.store.getState();
      const next = stage === "base" ? null : stage;
      // A run that began at a base (the visitor's own counts as one) only goes back to its start.
      if (stageOf(start) === "base") {
        pendingStage = next;
        playground.reset();
        return;
      }
      playground.open(BASE);
      pendingStage = next;
    },
    sample(greedy) {
      send({ type: "sample", family: null, greedy });
    },
    evaluate(problems) {
      send({ type: "evaluate", problems });
    },
    restore(snapshot) {
      autoAdvance = false;
      send({ type: "restore", snapshot });
    },
    configure(patch) {
      const { freezeVision } = live.run.store.getState().wanted;
      if (patch.freezeVision !== undefined && patch.freezeVision !== freezeVision) {
        reopen(patch);
        return;
      }
      live.run.change((state) => ({ ...state, wanted: patchSettings(state.wanted, patch) }));
      waiting = patchPatch(waiting, patch);
      timer ??= setTimeout(sendSettings, CONFIGURE_DELAY);
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
        ...notify(state, "error", "The training engine reported a fault", error.message),
        status: state.opened === null ? "failed" : state.status,
      }));
    },
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
      sendSettings();
      send({ type: "close" });
      client.close();
    },
  };
  return playground;
}

/** Two patches as one, the later one winning. */
function patchPatch(earlier: SettingsPatch | null, later: SettingsPatch): SettingsPatch {
  if (earlier === null) return later;
  return {
    ...earlier,
    ...later,
    ...(earlier.reward || later.reward ? { reward: { ...earlier.reward, ...later.reward } } : {}),
    ...(earlier.sft || later.sft ? { sft: { ...earlier.sft, ...later.sft } } : {}),
    ...(earlier.grpo || later.grpo ? { grpo: { ...earlier.grpo, ...later.grpo } } : {}),
  };
}
