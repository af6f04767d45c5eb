/** The SFT data as it is collected: progress and the newest examples. */
import type { DataProgress, Event, ReflectionExample } from "../../worker/protocol";

export interface ReflectionsState {
  readonly progress: DataProgress | null;
  /** Newest first. */
  readonly examples: readonly ReflectionExample[];
}

/** Number of examples kept; the data set itself stays in the worker. */
const KEPT = 24;

export const initialReflections: ReflectionsState = { progress: null, examples: [] };

export function reduceReflections(state: ReflectionsState, event: Event): ReflectionsState {
  switch (event.type) {
    case "data":
      return {
        progress: event.progress,
        examples: [...[...event.examples].reverse(), ...state.examples].slice(0, KEPT),
      };
    // A runner sends its examples again; a worker sends only new ones.
    case "opened":
      return event.resumed && event.served === undefined ? state : initialReflections;
    case "connection":
    case "steering":
    case "shelf":
    case "saving":
    case "progress":
    case "adapter":
    case "configured":
    case "playing":
    case "stage":
    case "phaseStarted":
    case "phase":
    case "stepped":
    case "sampled":
    case "evaluated":
    case "snapshots":
    case "restored":
    case "exported":
    case "deviceLost":
    case "refused":
    case "error":
      return state;
    default:
      return event satisfies never;
  }
}
