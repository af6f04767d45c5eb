/** Reset, look back, play, step, sub-step, speed, and the step count. */
import { Icon } from "../parts/Icon";
import { useGroups, usePlayground, useRun } from "../state/hooks";
import { canSteer, plannedSteps } from "../state/run";
import { Speed } from "./Speed";

export function Transport() {
  const playground = usePlayground();
  const playing = useRun((state) => state.playing);
  const ready = useRun(canSteer);
  const step = useRun((state) => state.step);
  const planned = useRun((state) => plannedSteps(state.stage, state.settings));
  const hasPast = useGroups((state) => state.past.length > 0);
  const looking = useGroups((state) => state.viewedStep !== null);
  const stepName = looking ? "Forward one step (→)" : "One step (→)";
  return (
    <div className="transport" role="group" aria-label="Transport">
      <button
        type="button"
        className="icon-button"
        disabled={!ready}
        onClick={playground.reset}
        aria-label="Reset"
        title="Reset to the start of this run (R)"
      >
        <Icon name="reset" />
      </button>
      <button
        type="button"
        className="icon-button"
        disabled={!hasPast}
        onClick={playground.back}
        aria-label="Look back one step"
        title="Look back one step (←)"
      >
        <Icon name="back" />
      </button>
      <button
        type="button"
        className="play"
        disabled={!ready}
        onClick={playground.togglePlay}
        aria-pressed={playing}
        title="Play or pause (Space)"
      >
        <Icon name={playing ? "pause" : "play"} />
        {playing ? "Pause" : "Play"}
      </button>
      <button
        type="button"
        className="icon-button"
        disabled={!ready}
        onClick={playground.step}
        aria-label={stepName}
        title={stepName}
      >
        <Icon name="step" />
      </button>
      <button
        type="button"
        className="icon-button is-wide"
        disabled={!ready}
        onClick={playground.phase}
        title="Run one phase: rollout, score, normalise or update (⇧→)"
      >
        <Icon name="phase" />
        Sub-step
      </button>
      <Speed />
      <p className="step-count" aria-live="off">
        <span>step</span> <b>{step}</b>
        {planned !== null && <span>/ {planned}</span>}
      </p>
    </div>
  );
}
