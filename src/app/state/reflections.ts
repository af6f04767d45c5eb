/** The SFT data while it is being built: progress, and the newest examples of either strategy. */
import type { DataProgress, Event, ReflectionExample } from "../../worker/protocol";

export interface ReflectionsState {
  readonly progress: DataProgress | null;
  /** Newest first. */
  readonly examples: readonly ReflectionExample[];
}

/** Examples kept for reading; the data set itself stays in the worker. */
const KEPT = 24;

export const initialReflections: ReflectionsState = { progress: null, examples: [] };

export function reduceReflections(state: ReflectionsState, event: Event): ReflectionsState {
  switch (event.type) {
    case "data":
      return {
        progress: event.progress,
        examples: [...[...event.examples].reverse(), ...state.examples].slice(0, KEPT),
      };
    // A runner sends again what it has; a worker goes on from what it has sent.
    case "opened":
      return event.resumed && event.served === undefined ? state : initialReflections;
    case "connection":
    case "steering":
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
