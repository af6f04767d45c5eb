/**
 * Metrics of every step, the settings that each began with, and evaluations, outside React: a bounded buffer that
 * components read through a version number. Steps after a restore are dropped, as the run drops them.
 */
import {
  defaultSettings,
  type EvaluationRecord,
  type Event,
  type Settings,
  type StepMetrics,
} from "../../worker/protocol";

/** Metrics kept; the oldest go first. Far beyond any run of the page. */
const CAPACITY = 20_000;

export interface HistoryState {
  readonly rows: readonly StepMetrics[];
  /** Settings of the rows; null for steps that were done before this page joined the run. */
  readonly began: readonly (Settings | null)[];
  readonly evaluations: readonly EvaluationRecord[];
  /** As last confirmed. */
  readonly settings: Settings;
  /** Of the step under way, which keeps them; null between steps. */
  readonly underWay: Settings | null;
}

export const initialHistory: HistoryState = {
  rows: [],
  began: [],
  evaluations: [],
  settings: defaultSettings,
  underWay: null,
};

export interface FinishedStep {
  readonly metrics: StepMetrics;
  readonly settings: Settings;
}

/** A finished GRPO step with its settings: the one looked back to, else the newest; null where there is none. */
export function finishedStep(
  { rows, began, settings }: Pick<HistoryState, "rows" | "began" | "settings">,
  viewed: number | null,
): FinishedStep | null {
  const at = rows.findLastIndex(({ stage, step }) => stage === "grpo" && (viewed === null || step === viewed));
  const metrics = rows[at];
  return metrics === undefined ? null : { metrics, settings: began[at] ?? settings };
}

const withoutSettings = (rows: readonly StepMetrics[]): readonly null[] => rows.map(() => null);

export function reduceHistory(state: HistoryState, event: Event): HistoryState {
  switch (event.type) {
    case "configured":
      return { ...state, settings: event.settings };
    case "phaseStarted":
      return { ...state, underWay: state.underWay ?? state.settings };
    case "stepped":
      return {
        ...state,
        rows: [...state.rows, event.metrics].slice(-CAPACITY),
        began: [...state.began, state.underWay ?? state.settings].slice(-CAPACITY),
        underWay: null,
      };
    case "opened":
      return {
        rows: event.history,
        began: withoutSettings(event.history),
        evaluations: [],
        settings: event.settings,
        underWay: null,
      };
    case "stage":
    case "refused":
      return { ...state, underWay: null };
    case "restored":
      return {
        ...state,
        underWay: null,
        rows: event.history,
        // The history of a restored run is the beginning of the one it had.
        began: event.history.map(({ stage, step }, at) => {
          const before = state.rows[at];
          return before?.stage === stage && before.step === step ? (state.began[at] ?? null) : null;
        }),
        evaluations: state.evaluations.filter(
          (evaluation) => evaluation.stage !== event.stage || evaluation.step <= event.step,
        ),
      };
    case "evaluated":
      return { ...state, evaluations: [...state.evaluations, event.evaluation] };
    case "connection":
    case "steering":
    case "shelf":
    case "saving":
    case "progress":
    case "adapter":
    case "playing":
    case "phase":
    case "data":
    case "sampled":
    case "snapshots":
    case "exported":
    case "deviceLost":
    case "error":
      return state;
    default:
      return event satisfies never;
  }
}
