/**
 * Where the run stands: engine, stage, step, phase, settings, snapshots, notices. One pure reducer over the
 * protocol's events; the page never infers what the worker did, it only repeats what the worker said.
 */

import {
  defaultSettings,
  type Event,
  type Phase,
  type ServedRun,
  type Settings,
  type SnapshotInfo,
  type Stage,
} from "../../worker/protocol";
import { DEFAULT_START, type Start, stageOf } from "./start";

type Opened = Extract<Event, { type: "opened" }>;
type ProgressEvent = Extract<Event, { type: "progress" }>;
export type Backend = Opened["backend"];

/** "disconnected": the run lives in the runner, and the line to it is lost for now. */
export type EngineStatus = "starting" | "ready" | "recovering" | "disconnected" | "failed";

/** A message that stays until it is dismissed or becomes untrue. */
export interface Notice {
  readonly id: number;
  readonly kind: "info" | "warning" | "error";
  readonly title: string;
  readonly text: string;
}

export interface RunState {
  readonly status: EngineStatus;
  readonly progress: Pick<ProgressEvent, "what" | "done" | "total"> | null;
  readonly opened: Pick<
    Opened,
    "backend" | "adapter" | "features" | "costs" | "passedOver" | "parameters" | "resumed"
  > | null;
  /** Null: the run lives in this tab. */
  readonly served: ServedRun | null;
  /** What training uses, as the worker last confirmed it. */
  readonly settings: Settings;
  /** What the controls show; differs from `settings` until the worker has confirmed. */
  readonly wanted: Settings;
  /** What the run started from, or while it opens, what was asked for. */
  readonly start: Start;
  readonly stage: Stage;
  /** Steps finished in this stage. */
  readonly step: number;
  readonly playing: boolean;
  /** The phase that runs now. */
  readonly running: Phase | null;
  /** The last phase that finished in this step. */
  readonly done: Phase | null;
  readonly secondsPerStep: number | null;
  readonly snapshots: readonly SnapshotInfo[];
  readonly notices: readonly Notice[];
  readonly nextNotice: number;
}

export const initialRun: RunState = {
  status: "starting",
  progress: null,
  opened: null,
  served: null,
  settings: defaultSettings,
  wanted: defaultSettings,
  start: DEFAULT_START,
  stage: stageOf(DEFAULT_START),
  step: 0,
  playing: false,
  running: null,
  done: null,
  secondsPerStep: null,
  snapshots: [],
  notices: [],
  nextNotice: 1,
};

export const PHASES: readonly Phase[] = ["rollout", "score", "normalise", "update"];

const LOST = "The device was lost";
const LINE_LOST = "The connection to the runner is lost";

/** May this tab tell the run what to do now? */
export const canSteer = ({ status, served }: RunState): boolean =>
  status === "ready" && (served === null || served.steering);

export function notify(state: RunState, kind: Notice["kind"], title: string, text: string): RunState {
  const rest = state.notices.filter((notice) => notice.title !== title).slice(-2);
  return {
    ...state,
    notices: [...rest, { id: state.nextNotice, kind, title, text }],
    nextNotice: state.nextNotice + 1,
  };
}

export function dismiss(state: RunState, id: number): RunState {
  return { ...state, notices: state.notices.filter((notice) => notice.id !== id) };
}

/** How many steps the current stage is meant to take; the base stage has no end. */
export function plannedSteps(stage: Stage, settings: Settings): number | null {
  switch (stage) {
    case "base":
      return null;
    case "sft":
      return settings.sft.steps;
    case "grpo":
      return settings.grpo.steps;
    default:
      return stage satisfies never;
  }
}

/** Smoothed over the last few steps, so that the badge does not flicker. */
function pace(before: number | null, seconds: number | undefined): number | null {
  if (seconds === undefined || seconds <= 0) return before;
  return before === null ? seconds : 0.7 * before + 0.3 * seconds;
}

export function reduceRun(state: RunState, event: Event): RunState {
  switch (event.type) {
    case "progress":
      return {
        ...state,
        progress: event.done >= event.total ? null : { what: event.what, done: event.done, total: event.total },
      };
    case "opened": {
      const {
        backend,
        adapter,
        features,
        costs,
        passedOver,
        parameters,
        resumed,
        settings,
        start,
        stage,
        step,
        served = null,
      } = event;
      return {
        ...state,
        status: "ready",
        progress: null,
        opened: { backend, adapter, features, costs, passedOver, parameters, resumed },
        served,
        settings,
        wanted: settings,
        start,
        stage,
        step,
        playing: false,
        running: null,
        done: null,
        notices: state.notices.filter((notice) => notice.kind !== "error" && notice.title !== LINE_LOST),
      };
    }
    case "adapter":
      return { ...state, opened: state.opened && { ...state.opened, adapter: event.adapter } };
    case "connection": {
      const alone = { ...state, playing: false, running: null, progress: null };
      if (event.state === "refused")
        return notify({ ...alone, status: "failed" }, "error", "The runner refused this page", event.message);
      return notify(
        { ...alone, status: state.opened === null ? "starting" : "disconnected" },
        "warning",
        LINE_LOST,
        `${event.message} It is tried again until it answers; what plays there goes on without this page.`,
      );
    }
    case "steering": {
      if (state.served === null || state.served.steering === event.steering) return state;
      const told = event.steering
        ? notify(state, "info", "This tab steers the run", "The others watch.")
        : notify(state, "info", "This tab watches", "Another tab steers the run now.");
      return { ...told, served: { ...state.served, steering: event.steering } };
    }
    // A tab that watches shows what the one that steers has chosen.
    case "configured":
      return {
        ...state,
        settings: event.settings,
        wanted: state.served?.steering === false ? event.settings : state.wanted,
      };
    case "playing":
      return { ...state, playing: event.playing, running: event.playing ? state.running : null };
    case "stage":
      return { ...state, stage: event.stage, step: event.step, running: null, done: null, secondsPerStep: null };
    case "phaseStarted":
      return { ...state, running: event.phase, done: event.phase === "rollout" ? null : state.done };
    case "phase":
      return { ...state, running: null, done: event.phase };
    case "stepped":
      return {
        ...state,
        step: event.metrics.step,
        stage: event.metrics.stage,
        running: null,
        secondsPerStep: pace(state.secondsPerStep, event.metrics.step_time),
      };
    case "snapshots":
      return { ...state, snapshots: event.snapshots };
    case "restored": {
      const back = {
        ...state,
        status: "ready" as const,
        stage: event.stage,
        step: event.step,
        running: null,
        done: null,
        progress: null,
      };
      if (state.status !== "recovering") return back;
      return notify(
        { ...back, notices: back.notices.filter(({ title }) => title !== LOST) },
        "info",
        "Back on a new device",
        `The run goes on from step ${event.step}.`,
      );
    }
    case "deviceLost": {
      const told = notify(
        { ...state, running: null },
        event.recovering ? "warning" : "error",
        event.recovering ? LOST : "The device did not come back",
        event.recovering
          ? `${event.message} Training goes on from the last snapshot on a new device (attempt ${event.attempt}).`
          : `${event.message} Reload the page to start again from the last saved step.`,
      );
      return {
        ...told,
        status: event.recovering ? "recovering" : "failed",
        playing: event.recovering && state.playing,
      };
    }
    case "refused":
      return notify(
        { ...state, running: null },
        "warning",
        `Step ${event.step} was refused`,
        `${event.message} The weights are those before it.`,
      );
    case "error": {
      const told = notify(
        { ...state, progress: null, running: null },
        "error",
        event.fatal ? "This run cannot go on" : "That did not work",
        event.message,
      );
      return event.fatal ? { ...told, status: "failed", playing: false } : told;
    }
    case "data":
    case "sampled":
    case "evaluated":
    case "exported":
      return state;
    default:
      return event satisfies never;
  }
}
