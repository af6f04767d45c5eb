/** The state of a run that several tabs show, reduced from the host's events; replayed to a tab that joins later. */
import type {
  DataProgress,
  EvaluationRecord,
  Event,
  GroupRecord,
  ReflectionExample,
  SnapshotInfo,
  StepMetrics,
} from "./protocol";
import type { EventBody } from "./runLifecycle";

type Opened = Extract<EventBody, { type: "opened" }>;
type EventOf<T extends EventBody["type"]> = Extract<EventBody, { type: T }>;

export interface RunView {
  /** Null until the run is open. */
  readonly opened: Opened | null;
  readonly evaluations: readonly EvaluationRecord[];
  readonly playing: boolean;
  readonly running: EventOf<"phaseStarted"> | null;
  /** The groups of the newest step, or fresh samples if they came later. */
  readonly groups: EventOf<"phase"> | null;
  readonly sampled: readonly GroupRecord[];
  readonly data: DataProgress | null;
  /** Oldest first. */
  readonly examples: readonly ReflectionExample[];
  readonly snapshots: readonly SnapshotInfo[];
  readonly progress: EventOf<"progress"> | null;
  readonly lost: EventOf<"deviceLost"> | null;
  readonly failed: EventOf<"error"> | null;
  readonly saving: EventOf<"saving"> | null;
}

export const emptyRunView: RunView = {
  opened: null,
  evaluations: [],
  playing: false,
  running: null,
  groups: null,
  sampled: [],
  data: null,
  examples: [],
  snapshots: [],
  progress: null,
  lost: null,
  failed: null,
  saving: null,
};

/** Steps of a run's history that later tabs get; about 20 MB. */
export const MAX_HISTORY = 10_000;
const EVALUATIONS = 500;
/** Maximum examples that the page shows. */
const EXAMPLES = 24;
const SAMPLED = 16;

/** The run is at another step: discard the current one. */
const noCurrentStep = { running: null, groups: null, sampled: [], progress: null } as const;

export function reduceRunView(state: RunView, event: Event): RunView {
  const moved = (change: Partial<Opened>): Opened | null =>
    state.opened === null ? null : { ...state.opened, ...change };
  switch (event.type) {
    case "opened": {
      const { run: _run, ...opened } = event;
      return {
        ...emptyRunView,
        opened,
        evaluations: opened.resumed ? state.evaluations : [],
        playing: state.playing,
        saving: state.saving,
      };
    }
    case "adapter":
      return { ...state, opened: moved({ adapter: event.adapter }) };
    case "configured":
      return { ...state, opened: moved({ settings: event.settings }) };
    case "playing":
      return { ...state, playing: event.playing, running: event.playing ? state.running : null };
    case "stage":
      return {
        ...state,
        ...noCurrentStep,
        opened: moved({ stage: event.stage, step: event.step }),
        data: null,
        examples: [],
      };
    case "restored":
      return {
        ...state,
        ...noCurrentStep,
        lost: null,
        opened: moved({ stage: event.stage, step: event.step, history: event.history }),
        evaluations: state.evaluations.filter((each) => each.stage !== event.stage || each.step <= event.step),
      };
    case "phaseStarted":
      return { ...state, running: event };
    case "phase":
      return event.groups.length === 0
        ? { ...state, running: null }
        : { ...state, running: null, groups: event, sampled: [] };
    case "stepped":
      return {
        ...state,
        running: null,
        opened: moved({
          stage: event.metrics.stage,
          step: event.metrics.step,
          history: grown(state.opened?.history ?? [], event.metrics),
        }),
      };
    case "data":
      return {
        ...state,
        running: null,
        data: event.progress,
        examples: [...state.examples, ...event.examples].slice(-EXAMPLES),
      };
    case "sampled":
      return { ...state, sampled: [...state.sampled, event.group].slice(-SAMPLED) };
    case "evaluated":
      return { ...state, evaluations: [...state.evaluations, event.evaluation].slice(-EVALUATIONS) };
    case "snapshots":
      return { ...state, snapshots: event.snapshots };
    case "progress":
      return { ...state, progress: event.done >= event.total ? null : event };
    case "deviceLost":
      return { ...state, running: null, lost: event };
    case "refused":
      return { ...state, running: null };
    case "error":
      return { ...state, running: null, progress: null, failed: event.fatal ? event : state.failed };
    case "exported":
    case "connection":
    case "steering":
    case "shelf":
      return state;
    case "saving":
      return { ...state, saving: event };
    default:
      return event satisfies never;
  }
}

const grown = (history: readonly StepMetrics[], metrics: StepMetrics): readonly StepMetrics[] =>
  [...history, metrics].slice(-MAX_HISTORY);

/** The events for a tab that joins now, in order. */
export function replay({
  opened,
  evaluations,
  playing,
  running,
  groups,
  sampled,
  data,
  examples,
  snapshots,
  progress,
  lost,
  failed,
  saving,
}: RunView): EventBody[] {
  if (opened === null) return [...(progress ? [progress] : []), ...(failed ? [failed] : [])];
  return [
    { ...opened, resumed: true },
    { type: "snapshots", snapshots },
    ...(data ? [{ type: "data", progress: data, examples } as const] : []),
    ...evaluations.map((evaluation) => ({ type: "evaluated", evaluation }) as const),
    ...(groups ? [groups] : []),
    ...sampled.map((group) => ({ type: "sampled", group }) as const),
    ...(running ? [running] : []),
    ...(progress ? [progress] : []),
    { type: "playing", playing },
    ...(lost ? [lost] : []),
    ...(failed ? [failed] : []),
    ...(saving ? [saving] : []),
  ];
}
