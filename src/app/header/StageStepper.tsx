/** The three stages in order; the current one is highlighted, and each can be entered. */
import { Fragment } from "react";
import { STAGES } from "../../worker/protocol";
import { usePlayground, useRun } from "../state/hooks";
import { canSteer } from "../state/run";
import { STAGE_WORDS } from "../state/words";

export function StageStepper() {
  const playground = usePlayground();
  const stage = useRun((state) => state.stage);
  const ready = useRun(canSteer);
  const reached = STAGES.indexOf(stage);
  return (
    <nav className="stages" aria-label="Training stage">
      {STAGES.map((each, at) => (
        <Fragment key={each}>
          {at > 0 && <i className={`stage-line${at <= reached ? " is-done" : ""}`} aria-hidden="true" />}
          <button
            type="button"
            className={`stage${each === stage ? " is-current" : at < reached ? " is-done" : ""}`}
            disabled={!ready}
            aria-current={each === stage ? "step" : undefined}
            title={STAGE_WORDS[each].what}
            onClick={() => {
              if (each !== stage) playground.stage(each);
            }}
          >
            <span className="stage-number" aria-hidden="true">
              {at + 1}
            </span>
            {STAGE_WORDS[each].label}
          </button>
        </Fragment>
      ))}
    </nav>
  );
}
