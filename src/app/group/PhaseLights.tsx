/** The four phases of a step, highlighted as they run. */
import { useRun } from "../state/hooks";
import { PHASES } from "../state/run";
import { PHASE_WORDS } from "../state/words";

export function PhaseLights() {
  const running = useRun((state) => state.running);
  const done = useRun((state) => state.done);
  const stage = useRun((state) => state.stage);
  // The base stage only samples and scores.
  const phases = stage === "base" ? PHASES.filter((phase) => phase !== "update") : PHASES;
  const reached = done === null ? -1 : PHASES.indexOf(done);
  return (
    <ol className="phases" aria-label="Phases of this step">
      {phases.map((phase, at) => {
        const state = running === phase ? "is-running" : running !== "rollout" && at <= reached ? "is-done" : "";
        return (
          <li
            key={phase}
            className={state}
            title={PHASE_WORDS[phase].what}
            aria-current={running === phase ? "step" : undefined}
          >
            <i aria-hidden="true" />
            {PHASE_WORDS[phase].label}
            {state !== "" && <span className="visually-hidden">, {state === "is-running" ? "running" : "done"}</span>}
          </li>
        );
      })}
    </ol>
  );
}
