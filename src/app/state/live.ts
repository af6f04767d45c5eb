/**
 * Live data outside React. Events are reduced immediately, into plain states; the stores that React reads are updated
 * at most ten times per second, and not while the tab is hidden.
 */
import { createStore, type StoreApi } from "zustand/vanilla";
import type { Event } from "../../worker/protocol";
import { type GroupsState, initialGroups, reduceGroups } from "./groups";
import { type HistoryState, initialHistory, reduceHistory } from "./history";
import { initialKeeping, type KeepingState, reduceKeeping } from "./keeping";
import { initialReflections, type ReflectionsState, reduceReflections } from "./reflections";
import { initialRun, type RunState, reduceRun } from "./run";

/** Milliseconds between updates of the stores: 10 Hz. */
const FLUSH_INTERVAL = 100;

interface Channel<State> {
  readonly store: StoreApi<State>;
  receive(event: Event): void;
  flush(): void;
  /** A change by the visitor, shown immediately. */
  change(update: (state: State) => State): void;
}

function channel<State extends object>(initial: State, reduce: (state: State, event: Event) => State): Channel<State> {
  const store = createStore<State>(() => initial);
  let pending = initial;
  const flush = (): void => {
    if (pending !== store.getState()) store.setState(pending, true);
  };
  return {
    store,
    receive: (event) => {
      pending = reduce(pending, event);
    },
    flush,
    change: (update) => {
      pending = update(pending);
      flush();
    },
  };
}

export interface Live {
  readonly run: Channel<RunState>;
  readonly groups: Channel<GroupsState>;
  readonly history: Channel<HistoryState>;
  readonly reflections: Channel<ReflectionsState>;
  readonly keeping: Channel<KeepingState>;
  receive(event: Event): void;
}

/** @param now milliseconds. Both are parameters so that tests need no browser. */
export function createLive(
  hidden: () => boolean,
  now: () => number = () => performance.now(),
): Live & { flush(): void } {
  const run = channel(initialRun, reduceRun);
  const groups = channel(initialGroups, reduceGroups);
  const history = channel(initialHistory, reduceHistory);
  const reflections = channel(initialReflections, reduceReflections);
  const keeping = channel(initialKeeping, reduceKeeping);
  const channels = [run, groups, history, reflections, keeping];
  let last = -Infinity;
  let timer: ReturnType<typeof setTimeout> | null = null;

  const flush = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (hidden()) return;
    last = now();
    for (const each of channels) each.flush();
  };

  return {
    run,
    groups,
    history,
    reflections,
    keeping,
    flush,
    receive(event) {
      for (const each of channels) each.receive(event);
      timer ??= setTimeout(flush, Math.max(0, FLUSH_INTERVAL - (now() - last)));
    },
  };
}
