/** What a finished step must tell the visitor: it was cut short everywhere, or taught nothing. */
import { isTruncated } from "../../srpo/explainStep";
import { NO_LESSON_WARNINGS, noLesson } from "../../srpo/noLesson";
import type { StepMetrics } from "../../worker/protocol";
import { notify, type WithNotices } from "./notices";

const TRUNCATED = "Every response was truncated";
const IDLE = "The run learns nothing";
/** One step without a lesson is no news; so many in a row are. */
const IDLE_STEPS = 3;

export interface StepNotices extends WithNotices {
  readonly truncated: boolean;
  readonly idleSteps: number;
}

/** Say once, until a step is different again, that every response ran into the length limit. */
export function withTruncation<State extends StepNotices>(state: State, metrics: StepMetrics): State {
  const truncated = isTruncated(metrics);
  if (truncated === state.truncated) return state;
  if (!truncated) return { ...state, truncated, notices: state.notices.filter(({ title }) => title !== TRUNCATED) };
  return notify(
    { ...state, truncated },
    "warning",
    TRUNCATED,
    `In step ${metrics.step} no response ended before the length limit, so there is no refined answer to reward. ` +
      "Raise “Max response tokens” under More.",
  );
}

/** Say once, until a step teaches something again, that several in a row have not. */
export function withLessons<State extends StepNotices>(state: State, metrics: StepMetrics): State {
  const reason = noLesson(metrics);
  if (reason === null) return { ...state, idleSteps: 0, notices: state.notices.filter(({ title }) => title !== IDLE) };
  const idleSteps = state.idleSteps + 1;
  // Truncated responses have a notice of their own, from the first such step on.
  if (idleSteps !== IDLE_STEPS || reason === "truncated") return { ...state, idleSteps };
  return notify(
    { ...state, idleSteps },
    "warning",
    IDLE,
    `The last ${IDLE_STEPS} steps taught nothing. ${NO_LESSON_WARNINGS[reason]}`,
  );
}
