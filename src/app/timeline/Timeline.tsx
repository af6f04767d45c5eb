/** The run's timeline: the current step, the steps to look back at, and snapshots to fork from. */
import { useState } from "react";
import type { SnapshotInfo } from "../../worker/protocol";
import { Icon } from "../parts/Icon";
import { PolicyDoor } from "../policy/PolicyDoor";
import { useGroups, usePlayground, useRun, useView } from "../state/hooks";
import { plannedSteps } from "../state/run";
import { view } from "../state/view";
import { STAGE_WORDS } from "../state/words";

export function Timeline() {
  const playground = usePlayground();
  const stage = useRun((state) => state.stage);
  const step = useRun((state) => state.step);
  const snapshots = useRun((state) => state.snapshots);
  const planned = useRun((state) => plannedSteps(state.stage, state.settings));
  const past = useGroups((state) => state.past);
  const viewedStep = useGroups((state) => state.viewedStep);
  const cursor = useView((state) => state.cursor);
  const [selected, setSelected] = useState<SnapshotInfo | null>(null);
  const end = Math.max(1, planned ?? 1, step);
  const mine = snapshots.filter((snapshot) => snapshot.stage === stage);
  const at = (value: number): string => `${(100 * Math.min(end, Math.max(0, value))) / end}%`;
  const oldest = past[0]?.step ?? step;

  const look = (value: number): void => {
    const nearest = past.reduce<number | null>(
      (best, entry) => (best === null || Math.abs(entry.step - value) < Math.abs(best - value) ? entry.step : best),
      null,
    );
    playground.live.groups.change((state) => ({
      ...state,
      viewedStep: value >= step || nearest === null ? null : nearest,
    }));
    view.setState({ cursor: value >= step ? null : value });
  };

  return (
    <footer className="timeline">
      <p className="timeline-stage">{STAGE_WORDS[stage].label}</p>
      <div className="timeline-track">
        <i className="timeline-done" style={{ width: at(step) }} />
        {past.length > 0 && (
          <i
            className="timeline-past"
            style={{ left: at(oldest), width: `calc(${at(step)} - ${at(oldest)})` }}
            title="Steps to look back at"
          />
        )}
        {cursor !== null && <i className="timeline-cursor" style={{ left: at(cursor) }} />}
        <input
          type="range"
          className="timeline-range"
          min={0}
          max={end}
          step={1}
          value={viewedStep ?? step}
          disabled={past.length === 0}
          aria-label="Look back at an earlier step"
          aria-valuetext={viewedStep === null ? `now, step ${step}` : `step ${viewedStep}`}
          onChange={(event) => look(Number(event.target.value))}
          onPointerUp={() => view.setState({ cursor: null })}
        />
        {mine.map((snapshot) => (
          <button
            key={snapshot.id}
            type="button"
            className={`snapshot${selected?.id === snapshot.id ? " is-chosen" : ""}`}
            style={{ left: at(snapshot.step) }}
            aria-label={`Snapshot at step ${snapshot.step}${snapshot.label ? `, ${snapshot.label}` : ""}`}
            title={`Snapshot at step ${snapshot.step}`}
            onClick={() => setSelected(selected?.id === snapshot.id ? null : snapshot)}
          />
        ))}
        {selected && (
          <div
            className="snapshot-card"
            style={{ left: `clamp(110px, ${at(selected.step)}, calc(100% - 110px))` }}
            role="dialog"
            aria-label={`Snapshot at step ${selected.step}`}
          >
            <p>
              <b>Step {selected.step}</b>
              {selected.label && <> · {selected.label}</>} <span>{(selected.bytes / 1e6).toFixed(1)} MB</span>
            </p>
            <button
              type="button"
              className="button is-main"
              onClick={() => {
                playground.restore(selected.id);
                setSelected(null);
              }}
            >
              {selected.step < step ? "Fork from here" : "Restore"}
            </button>
            <button type="button" className="icon-button" onClick={() => setSelected(null)} aria-label="Close">
              <Icon name="close" />
            </button>
            {selected.step < step && (
              <p className="snapshot-warning">
                Removes {selected.step + 1 === step ? `step ${step}` : `steps ${selected.step + 1}–${step}`} from the
                run.
              </p>
            )}
          </div>
        )}
      </div>
      <p className="timeline-end tabular">{planned === null ? "" : planned}</p>
      <PolicyDoor />
    </footer>
  );
}
