/**
 * The displayed groups. The newest step's groups arrive phase by phase; a window of past steps is kept so
 * that one can look back. What the visitor chose (problem, step) is never changed by new data.
 */
import type { Event, GroupRecord, Phase, Stage } from "../../worker/protocol";
import { DEFAULT_START, stageOf } from "./start";

/** Groups of one step as far as its phases have come; `phase` null: prepared or sampled, nothing is trained on it. */
export interface StepGroups {
  readonly step: number;
  readonly phase: Phase | null;
  readonly groups: readonly GroupRecord[];
  /** Where the group comes from, for the line above the table. */
  readonly origin: "prepared" | "sampled" | "training";
}

export interface GroupsState {
  readonly stage: Stage;
  readonly now: StepGroups | null;
  /** Finished steps, oldest first, at most `LOOK_BACK`. */
  readonly past: readonly StepGroups[];
  /** Index of the problem on show within a step's groups. */
  readonly selectedGroup: number;
  /** Null follows the newest; else the step looked back to. */
  readonly viewedStep: number | null;
}

/** Sixteen groups of eight responses of sixty tokens are some 0.5 MB as objects: 40 steps stay below 20 MB. */
export const LOOK_BACK = 40;
/** Tokens of all steps looked back to: a larger policy's long responses let fewer steps be kept. */
const LOOK_BACK_TOKENS = 600_000;

/** Groups sampled by hand that can still be paged through. */
const SAMPLED_KEPT = 16;

export const initialGroups: GroupsState = {
  stage: stageOf(DEFAULT_START),
  now: null,
  past: [],
  selectedGroup: 0,
  viewedStep: null,
};

export function shown(state: GroupsState): StepGroups | null {
  if (state.viewedStep === null) return state.now;
  return state.past.find((entry) => entry.step === state.viewedStep) ?? state.now;
}

export function shownGroup(state: GroupsState): GroupRecord | null {
  const step = shown(state);
  return step?.groups[Math.min(state.selectedGroup, step.groups.length - 1)] ?? null;
}

/** Step `by` through the remembered steps; past the newest one follows the run again. */
export function lookBack(state: GroupsState, by: -1 | 1): GroupsState {
  const steps = state.past.map((entry) => entry.step);
  if (steps.length === 0) return state;
  const at = state.viewedStep === null ? steps.length : steps.indexOf(state.viewedStep);
  const next = Math.max(0, at + by);
  return { ...state, viewedStep: steps[next] ?? null };
}

function remember(state: GroupsState): readonly StepGroups[] {
  const { now, past } = state;
  if (now === null || now.phase !== "update") return past;
  const kept = [...past.filter((entry) => entry.step !== now.step), now].slice(-LOOK_BACK);
  let tokens = 0;
  const first = kept.findLastIndex((entry) => {
    tokens += tokensOf(entry);
    return tokens > LOOK_BACK_TOKENS;
  });
  return kept.slice(Math.min(first + 1, kept.length - 1));
}

/** Token counts, cached: each step is queried on every new step. */
const counted = new WeakMap<StepGroups, number>();

function tokensOf(step: StepGroups): number {
  const known =
    counted.get(step) ??
    step.groups
      .flatMap(({ samples, rethought = [] }) => [...samples, ...rethought])
      .reduce((sum, { tokens }) => sum + tokens.length, 0);
  counted.set(step, known);
  return known;
}

/** Groups of the steps that the run still has. */
function restored(state: GroupsState, stage: Stage, step: number): GroupsState {
  if (stage !== state.stage) return { ...state, stage, viewedStep: null, past: [], now: null };
  const past = remember(state).filter((entry) => entry.step <= step);
  return { ...state, viewedStep: null, past, now: past.find((entry) => entry.step === step) ?? null };
}

export function reduceGroups(state: GroupsState, event: Event): GroupsState {
  switch (event.type) {
    case "phase":
      // SFT steps have no groups of samples; the group on show stays.
      if (event.groups.length === 0) return state;
      return {
        ...state,
        past: state.now !== null && event.step !== state.now.step ? remember(state) : state.past,
        now: { step: event.step, phase: event.phase, groups: event.groups, origin: "training" },
      };
    case "sampled": {
      const before = state.now?.origin === "sampled" ? state.now.groups : [];
      const groups = [...before, event.group].slice(-SAMPLED_KEPT);
      return {
        ...state,
        viewedStep: null,
        selectedGroup: groups.length - 1,
        now: { step: state.now?.step ?? 0, phase: null, groups, origin: "sampled" },
      };
    }
    // Steps are counted from 1 in every stage: those of another stage would be mixed up with this one's.
    case "stage":
      return { ...state, stage: event.stage, viewedStep: null, past: [] };
    case "restored":
      return restored(state, event.stage, event.step);
    // A run that was joined again may have been rewound meanwhile: steps beyond its own are gone.
    case "opened":
      return {
        ...state,
        stage: event.stage,
        viewedStep: null,
        past:
          event.resumed && state.stage === event.stage ? state.past.filter((entry) => entry.step <= event.step) : [],
        now: event.resumed || state.now?.origin === "prepared" ? state.now : null,
      };
    case "connection":
    case "steering":
    case "shelf":
    case "saving":
    case "progress":
    case "adapter":
    case "configured":
    case "playing":
    case "phaseStarted":
    case "stepped":
    case "data":
    case "evaluated":
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
