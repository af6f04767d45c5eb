/**
 * Metrics of every step and evaluations, outside React: a bounded buffer that components read through a
 * version number. Steps after a restore are dropped, as the run drops them.
 */
import type { EvaluationRecord, Event, StepMetrics } from "../../worker/protocol";

/** Metrics kept; the oldest go first. Far beyond any run of the page. */
const CAPACITY = 20_000;

export interface HistoryState {
  readonly rows: readonly StepMetrics[];
  readonly evaluations: readonly EvaluationRecord[];
}

export const initialHistory: HistoryState = { rows: [], evaluations: [] };

export function reduceHistory(state: HistoryState, event: Event): HistoryState {
  switch (event.type) {
    case "stepped":
      return { ...state, rows: [...state.rows, event.metrics].slice(-CAPACITY) };
    case "opened":
      return { rows: event.history, evaluations: [] };
    case "restored":
      return {
        rows: event.history,
        evaluations: state.evaluations.filter(
          (evaluation) => evaluation.stage !== event.stage || evaluation.step <= event.step,
        ),
      };
    case "evaluated":
      return { ...state, evaluations: [...state.evaluations, event.evaluation] };
    case "connection":
    case "steering":
    case "progress":
    case "adapter":
    case "configured":
    case "playing":
    case "stage":
    case "phaseStarted":
    case "phase":
    case "data":
    case "sampled":
    case "snapshots":
    case "exported":
    case "deviceLost":
    case "refused":
    case "error":
      return state;
    default:
      return event satisfies never;
  }
}
