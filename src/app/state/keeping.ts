/** What this browser keeps of the run and of others, as the worker reports it. */
import type { Event, SavingState, StoredRunInfo } from "../../worker/protocol";

export interface KeepingState {
  /** Null: the run is being saved as it should. */
  readonly saving: Exclude<SavingState, { state: "saved" }> | null;
  /** The run that is open; null while nothing is stored. */
  readonly current: string | null;
  /** All runs, the last opened first. */
  readonly runs: readonly StoredRunInfo[];
  /** The page was loaded by a link that is new here, and the run on show is that link's. */
  readonly fromLink: boolean;
  /** The files of the page could not be kept: why it will not open offline. */
  readonly offline: string | null;
}

export const initialKeeping: KeepingState = {
  saving: null,
  current: null,
  runs: [],
  fromLink: false,
  offline: null,
};

/** The run on show, once it is stored; null before: after a reload the run that was there goes on. */
export const storedRun = ({ runs, current }: KeepingState): string | null =>
  runs.some(({ id }) => id === current) ? current : null;

/** The runs other than the one on show in which something was done. */
export const otherRuns = ({ runs, current }: KeepingState): readonly StoredRunInfo[] =>
  runs.filter(({ id }) => id !== current);

export function reduceKeeping(state: KeepingState, event: Event): KeepingState {
  switch (event.type) {
    case "shelf":
      return { ...state, current: event.current, runs: event.runs };
    case "saving": {
      const { run: _run, type: _type, ...saving } = event;
      return { ...state, saving: saving.state === "saved" ? null : saving };
    }
    // An older save that was taken is the newest as soon as a step is done.
    case "stepped":
      return state.saving?.state === "olderSave" ? { ...state, saving: null } : state;
    default:
      // Other events say nothing about what is kept.
      return state;
  }
}
