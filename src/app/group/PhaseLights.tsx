/** The four phases of a step, highlighted as they run; rollout and score come again where the filter draws again. */
import { useRun } from "../state/hooks";
import { PHASES } from "../state/run";
import { PHASE_WORDS } from "../state/words";

export function PhaseLights() {
  const running = useRun((state) => state.running);
  const done = useRun((state) => state.done);
  const draws = useRun((state) => state.draws);
  const stage = useRun((state) => state.stage);
  // The base stage only samples and scores.
  const phases = stage === "base" ? PHASES.filter((phase) => phase !== "update") : PHASES;
  const reached = done === null ? -1 : PHASES.indexOf(done);
  return (
    <ol className="phases" aria-label="Phases of this step">
      {phases.map((phase, at) => {
        const again = phase === "rollout" && draws > 1;
        const state = running === phase ? "is-running" : running !== "rollout" && at <= reached ? "is-done" : "";
        return (
          <li
            key={phase}
            className={state}
            title={
              again
                ? `Draw ${draws}: other problems in place of the groups that the filter left out.`
                : PHASE_WORDS[phase].what
            }
            aria-current={running === phase ? "step" : undefined}
          >
            <i aria-hidden="true" />
            {PHASE_WORDS[phase].label}
            {again && (
              <span className="phase-again">
                <span className="visually-hidden">, draw {draws}</span>
                <span aria-hidden="true">×{draws}</span>
              </span>
            )}
            {state !== "" && <span className="visually-hidden">, {state === "is-running" ? "running" : "done"}</span>}
          </li>
        );
      })}
    </ol>
  );
}
