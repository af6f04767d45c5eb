/**
 * The state of the run: engine, stage, step, phase, settings, snapshots, notices. One pure reducer over the protocol's
 * events; the page shows what the worker reported and infers nothing.
 */

import type { RecipeName } from "../../srpo/recipe";
import {
  defaultSettings,
  type Event,
  type Phase,
  type ServedRun,
  type Settings,
  type SnapshotInfo,
  type Stage,
} from "../../worker/protocol";
import { type Notice, notify } from "./notices";
import { DEFAULT_RECIPE, nearestRecipe } from "./recipes";
import { DEFAULT_START, type Start, stageOf } from "./start";
import { withLessons, withTruncation } from "./stepNotices";

type Opened = Extract<Event, { type: "opened" }>;
type ProgressEvent = Extract<Event, { type: "progress" }>;
export type Backend = Opened["backend"];

/** "disconnected": the connection to the runner is lost for now. */
export type EngineStatus = "starting" | "ready" | "recovering" | "disconnected" | "failed";

export interface RunState {
  readonly status: EngineStatus;
  readonly progress: Pick<ProgressEvent, "what" | "done" | "total"> | null;
  readonly opened: Pick<
    Opened,
    "backend" | "adapter" | "features" | "costs" | "passedOver" | "parameters" | "resumed"
  > | null;
  /** Null: the run is in this browser. */
  readonly served: ServedRun | null;
  /** This tab controls the run; otherwise it watches another one. */
  readonly steering: boolean;
  /** The settings of training, as last confirmed by the worker. */
  readonly settings: Settings;
  /** The settings on the controls; differ from `settings` until the worker confirms. */
  readonly wanted: Settings;
  /** The recipe that the controls' settings are a change of. */
  readonly recipe: RecipeName;
  /** The policy that the run started from, or will start from while it opens. */
  readonly start: Start;
  readonly stage: Stage;
  /** Steps finished in this stage. */
  readonly step: number;
  readonly playing: boolean;
  /** The current phase. */
  readonly running: Phase | null;
  /** The last finished phase of this step. */
  readonly done: Phase | null;
  /** Rollouts of this step, the current one included: a refill of the filter rolls out again. */
  readonly draws: number;
  readonly secondsPerStep: number | null;
  /** In the last step every response ran into the length limit. */
  readonly truncated: boolean;
  /** Steps without a break that taught nothing. */
  readonly idleSteps: number;
  readonly snapshots: readonly SnapshotInfo[];
  readonly notices: readonly Notice[];
  readonly nextNotice: number;
}

export const initialRun: RunState = {
  status: "starting",
  progress: null,
  opened: null,
  served: null,
  steering: true,
  settings: defaultSettings,
  wanted: defaultSettings,
  recipe: DEFAULT_RECIPE,
  start: DEFAULT_START,
  stage: stageOf(DEFAULT_START),
  step: 0,
  playing: false,
  running: null,
  done: null,
  draws: 0,
  secondsPerStep: null,
  truncated: false,
  idleSteps: 0,
  snapshots: [],
  notices: [],
  nextNotice: 1,
};

export const PHASES: readonly Phase[] = ["rollout", "score", "normalise", "update"];

const LOST = "The device was lost";
const CONNECTION_LOST = "Connection to the runner lost";

/** Whether this tab can control the run now. */
export const canSteer = ({ status, steering }: RunState): boolean => status === "ready" && steering;

/** The number of steps of the stage; null for the base stage, which has no end. */
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
        watching = false,
      } = event;
      return {
        ...state,
        status: "ready",
        progress: null,
        opened: { backend, adapter, features, costs, passedOver, parameters, resumed },
        served,
        steering: served?.steering ?? !watching,
        settings,
        wanted: settings,
        // A stored run says its settings, not what they were called.
        recipe: resumed || served !== null || watching ? nearestRecipe(settings, state.recipe) : state.recipe,
        start,
        stage,
        step,
        playing: false,
        running: null,
        done: null,
        notices: state.notices.filter((notice) => notice.kind !== "error" && notice.title !== CONNECTION_LOST),
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
        CONNECTION_LOST,
        `${event.message} Reconnecting… Training continues there without this page.`,
      );
    }
    case "steering": {
      if (state.steering === event.steering) return state;
      const notified = event.steering
        ? notify(state, "info", "This tab controls the run", "Other tabs only watch.")
        : notify(state, "info", "This tab only watches", "Another tab controls the run now.");
      return { ...notified, steering: event.steering };
    }
    // A watching tab shows the settings of the steering one.
    case "configured": {
      if (state.steering) return { ...state, settings: event.settings };
      const recipe = nearestRecipe(event.settings, state.recipe);
      return { ...state, settings: event.settings, wanted: event.settings, recipe };
    }
    case "playing":
      return { ...state, playing: event.playing, running: event.playing ? state.running : null };
    case "stage":
      return { ...state, stage: event.stage, step: event.step, running: null, done: null, secondsPerStep: null };
    case "phaseStarted":
      if (event.phase !== "rollout") return { ...state, running: event.phase };
      // After scoring, a rollout refills the same step.
      return { ...state, running: "rollout", done: null, draws: state.done === "score" ? state.draws + 1 : 1 };
    case "phase":
      return { ...state, running: null, done: event.phase };
    case "stepped":
      return withLessons(
        withTruncation(
          {
            ...state,
            step: event.metrics.step,
            stage: event.metrics.stage,
            running: null,
            secondsPerStep: pace(state.secondsPerStep, event.metrics.step_time),
          },
          event.metrics,
        ),
        event.metrics,
      );
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
        "Recovered on a new device",
        `The run continues from step ${event.step}.`,
      );
    }
    case "deviceLost": {
      const notified = notify(
        { ...state, running: null },
        event.recovering ? "warning" : "error",
        event.recovering ? LOST : "The device could not be recovered",
        event.recovering
          ? `${event.message} Restoring the last snapshot on a new device (attempt ${event.attempt}).`
          : `${event.message} Reload the page to continue from the last saved step.`,
      );
      return {
        ...notified,
        status: event.recovering ? "recovering" : "failed",
        playing: event.recovering && state.playing,
      };
    }
    case "refused":
      return notify(
        { ...state, running: null },
        "warning",
        `Step ${event.step} was rejected`,
        `${event.message} The weights are unchanged.`,
      );
    case "error": {
      const notified = notify(
        { ...state, progress: null, running: null },
        "error",
        event.fatal ? "The run has stopped" : "The last command failed",
        event.message,
      );
      return event.fatal ? { ...notified, status: "failed", playing: false } : notified;
    }
    case "shelf":
    case "saving":
    case "data":
    case "sampled":
    case "evaluated":
    case "exported":
      return state;
    default:
      return event satisfies never;
  }
}
